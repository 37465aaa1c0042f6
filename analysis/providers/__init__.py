"""The metric providers, by the key people write under `provider`. One file each, one row here.

A key without a row (`job` needs Kubernetes and is brought by the engine; others are not written yet) makes a clear
error of the measurement. Whoever has more providers adds rows: `{**default_providers(), "job": JobProvider(...)}`.
"""

from __future__ import annotations

from collections.abc import Mapping

from analysis.providers.base import Answer, Context, Provider, ProviderError, Resumable, Unsupported
from analysis.providers.prometheus import PrometheusProvider
from analysis.providers.web import WebProvider
from analysis.spec import Metric


def default_providers() -> dict[str, Provider]:
    """New providers, ready to be asked; `close` each in the end."""
    return {"prometheus": PrometheusProvider(), "web": WebProvider()}


def provider_of(metric: Metric, providers: Mapping[str, Provider]) -> Provider:
    """The provider of a metric. Raises Unsupported when there is none."""
    name = next(iter(metric.provider.kinds), "")
    found = providers.get(name)
    if found is None:
        raise Unsupported(
            f'metric "{metric.name}": provider {name or "(none)"} is not supported here; '
            f"supported are {', '.join(sorted(providers))}"
        )
    return found


__all__ = [
    "Answer",
    "Context",
    "Provider",
    "ProviderError",
    "Resumable",
    "Unsupported",
    "default_providers",
    "provider_of",
]
