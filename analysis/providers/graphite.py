"""Graphite: the render API.

    result -> a list of numbers, the points of the first series, oldest first, without the empty ones

`query` is what stands after `/render?`: `target=…`, and `&from=-5min` where the default of a day is too long. A
query without `target=` is the target itself. Whitespace is left out, so that long targets can be written in lines.
No series, or one without points, is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from analysis.providers.base import Answer, Context, Misconfigured, Refused, seconds_allowed
from analysis.providers.client import Ask, Client, address_of, number, understood
from analysis.providers.text import shown_numbers
from analysis.spec import Metric
from analysis.spec.providers import Graphite as Config

_WHO = "Graphite"
_TARGET = re.compile(r"(^|&)target=")


@dataclass(slots=True)
class GraphiteProvider:
    """Asks Graphite."""

    _client: Client = field(default_factory=Client)

    async def run(self, metric: Metric, *, context: Context) -> Answer:
        """Ask, with retries. Raises ProviderError."""
        ask = _ask(_config(metric), seconds_allowed(metric))
        points = understood(ask, await self._client.document(ask), _points)
        if not points:
            raise Refused(f"{_WHO} at {ask.place}: no values found; check the target and the time range")
        found = [number(value) for value in points if value is not None]
        return Answer(result=found, value=shown_numbers(found))

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        """Nothing."""
        return {}

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()


def _config(metric: Metric) -> Config:
    if metric.provider.graphite is None:
        raise Misconfigured(f'metric "{metric.name}" has no graphite provider')
    return metric.provider.graphite


def _ask(config: Config, timeout: float) -> Ask:
    address = address_of(config.address, where="graphite address")
    return Ask(who=_WHO, url=f"{address}/render", params=parameters(config.query or ""), timeout=timeout)


def parameters(query: str) -> dict[str, str]:
    """The parameters of a render request. Raises Misconfigured."""
    text = re.sub(r"\s+", "", query)
    if not text:
        raise Misconfigured("graphite query is empty: set provider.graphite.query")
    pairs = parse_qsl(text, keep_blank_values=True) if _TARGET.search(text) else [("target", text)]
    if len({name for name, _ in pairs}) < len(pairs):
        raise Misconfigured("graphite query: each parameter can be given once; the first series is what is judged")
    return {**dict(pairs), "format": "json"}


def _points(document: Any) -> list[Any]:
    """The values of the first series: `[{"target": "…", "datapoints": [[value or null, seconds], …]}]`."""
    if not isinstance(document, list):
        raise TypeError("not a list of series")
    return [_value(value) for value, _ in document[0]["datapoints"]] if document else []


def _value(value: Any) -> float | None:
    return None if value is None else number(value)
