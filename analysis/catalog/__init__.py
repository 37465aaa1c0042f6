"""Ready-made ClusterAnalysisTemplates: success rate, latency, error budget, saturation and restarts, for Prometheus.

`templates/` holds them as plain YAML that `kubectl apply` takes; it is written by `generate` from the tables in
`sources` and `kinds`, and a test holds the two together. Here they are found by name:

    >>> from analysis import catalog
    >>> catalog.find("success-rate-istio").spec.metrics[0].name
    'success-rate'

What all of them have in common, so that none passes by mistake:

    no data, no traffic, too few requests      Inconclusive, never Successful
    one measurement that fails                 Failed, unless failure-limit says otherwise
    Prometheus away                            Error, after the usual tries
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from analysis.spec.template import TemplateSpec

DESCRIPTION = "kubernetes.io/description"
"""The annotation that says what a template is for."""


@dataclass(frozen=True)
class Entry:
    """One template of the catalog: its name and its YAML, with comments."""

    name: str
    text: str

    @cached_property
    def value(self) -> Mapping[str, Any]:
        """The object as a mapping."""
        import yaml  # late: listing names needs no parser

        loaded: Mapping[str, Any] = yaml.safe_load(self.text)
        return loaded

    @property
    def description(self) -> str:
        """What it judges, in a sentence."""
        return str(self.value["metadata"]["annotations"][DESCRIPTION])

    @property
    def spec(self) -> TemplateSpec:
        """The template as a model."""
        from analysis.spec.template import TemplateSpec

        return TemplateSpec.model_validate(self.value["spec"])

    @property
    def required(self) -> tuple[str, ...]:
        """Arguments whoever uses it must give."""
        return tuple(arg.name for arg in self.spec.args or () if arg.value is None and arg.value_from is None)


@lru_cache(maxsize=1)
def entries() -> tuple[Entry, ...]:
    """All templates of the catalog, by name."""
    found = (item for item in files(__name__).joinpath("templates").iterdir() if item.name.endswith(".yaml"))
    return tuple(
        Entry(name=item.name.removesuffix(".yaml"), text=item.read_text(encoding="utf-8"))
        for item in sorted(found, key=lambda item: item.name)
    )


def find(name: str) -> Entry:
    """The template of that name. Raises KeyError."""
    return next((entry for entry in entries() if entry.name == name), None) or _missing(name)


def _missing(name: str) -> Entry:
    raise KeyError(f'the catalog has no "{name}"; it has {", ".join(entry.name for entry in entries())}')


__all__ = ["DESCRIPTION", "Entry", "entries", "find"]
