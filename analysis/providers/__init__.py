"""The metric providers, by the key people write under `provider`. One file each, one row here.

A key without a row (`job` needs Kubernetes and is brought by the engine) makes a clear error of the measurement.
Whoever has more providers adds rows: `{**default_providers(), "job": JobProvider(...)}`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from analysis.providers.base import Answer, Context, Provider, ProviderError, Resumable, Unsupported
from analysis.providers.cloudwatch import CloudWatchProvider
from analysis.providers.datadog import DatadogProvider
from analysis.providers.graphite import GraphiteProvider
from analysis.providers.influxdb import InfluxDBProvider
from analysis.providers.kayenta import KayentaProvider
from analysis.providers.newrelic import NewRelicProvider
from analysis.providers.plugins import PluginProvider
from analysis.providers.prometheus import PrometheusProvider
from analysis.providers.skywalking import SkyWalkingProvider
from analysis.providers.wavefront import WavefrontProvider
from analysis.providers.web import WebProvider
from analysis.spec import Metric

PROVIDERS: Mapping[str, Callable[[], Provider]] = {
    "cloudWatch": CloudWatchProvider,
    "datadog": DatadogProvider,
    "graphite": GraphiteProvider,
    "influxdb": InfluxDBProvider,
    "kayenta": KayentaProvider,
    "newRelic": NewRelicProvider,
    "plugin": PluginProvider,
    "prometheus": PrometheusProvider,
    "skywalking": SkyWalkingProvider,
    "wavefront": WavefrontProvider,
    "web": WebProvider,
}
"""How each is made. Making one opens nothing yet."""


def default_providers() -> dict[str, Provider]:
    """New providers, ready to be asked; `close` each in the end."""
    return {name: make() for name, make in PROVIDERS.items()}


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
