"""Wavefront (Aria Operations for Applications): a query, at this moment.

    one series       -> a number            result < 0.05
    several series   -> a list of numbers   all(result, # < 0.05)

Of each series the point nearest to now counts; Wavefront also gives points from before, so the metadata tells their
`timestamps` and `drift` (seconds from now, negative for the past). No series is an error.

`address` picks the token: it is a key of the Secret `wavefront-api-tokens` in the controller's namespace. A key can't
hold a slash, so the scheme is left out there (`example.wavefront.com`) and may be left out in `address` too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from analysis.language import plain_float
from analysis.providers.base import Answer, Context, Misconfigured, Missing, Refused, seconds_allowed
from analysis.providers.client import Ask, Client, address_of, number, said, understood
from analysis.providers.text import shown_numbers
from analysis.spec import Metric
from analysis.spec.providers import Wavefront as Config

SECRET = "wavefront-api-tokens"  # noqa: S105  # the name of a Secret
_WHO = "Wavefront"

Point = tuple[float, float]
"""Seconds since 1970, and the value."""


@dataclass(slots=True)
class WavefrontProvider:
    """Asks Wavefront."""

    _client: Client = field(default_factory=Client)

    async def run(self, metric: Metric, *, context: Context) -> Answer:
        """Ask, with retries. Raises ProviderError."""
        config = _config(metric)
        now = context.now.timestamp()
        ask = _ask(config, await context.account(SECRET, keys=_keys(config)), now, seconds_allowed(metric))
        document = await self._client.document(ask)
        points = understood(ask, document, lambda body: _points(body, now))
        if not points:
            raise Refused(f"no series found by the query{_complaint(document)}")
        return _answer(points, now, document)

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        """Nothing."""
        return {}

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()


def _config(metric: Metric) -> Config:
    config = metric.provider.wavefront
    if config is None:
        raise Misconfigured(f'metric "{metric.name}" has no wavefront provider')
    if not config.query:
        raise Misconfigured("wavefront query is empty: set provider.wavefront.query")
    return config


def _keys(config: Config) -> tuple[str, str]:
    """Where in the Secret the token may be: the address as it is written, and without its scheme."""
    address = (config.address or "").strip().rstrip("/")
    return address, address.partition("://")[2]


def _ask(config: Config, tokens: Mapping[str, str], now: float, timeout: float) -> Ask:
    address, bare = _keys(config)
    token = tokens.get(address) or tokens.get(bare)
    if not token:
        raise Missing(f'no token for the address "{address}" in secret {SECRET}: its keys are addresses')
    url = address_of(address if "://" in address else f"https://{address}", where="wavefront address")
    moment = str(int(now) * 1000)
    return Ask(
        who=_WHO,
        url=f"{url}/api/v2/chart/api",
        params={"q": config.query or "", "s": moment, "e": moment, "g": "s", "p": "1", "i": "true", "strict": "false"},
        headers={"Authorization": f"Bearer {token}"},
        timeout=timeout,
    )


def _points(document: Any, now: float) -> list[Point]:
    """The point nearest to now of each series: `{"timeseries": [{"data": [[seconds, value], …]}]}`."""
    series = [one["data"] for one in document.get("timeseries") or []]
    found = [[(number(at), number(value)) for at, value in data] for data in series if data]
    return [min(points, key=lambda point: abs(point[0] - now)) for points in found]


def _complaint(document: Mapping[str, Any]) -> str:
    reason = document.get("errorMessage") or document.get("warnings")
    return f": {said(str(reason))}" if reason else ""


def _answer(points: list[Point], now: float, document: Mapping[str, Any]) -> Answer:
    times = [int(at) if math.isfinite(at) else 0 for at, _ in points]
    drift = [at - int(now) for at in times]
    values = [value for _, value in points]
    notes = {"timestamps": _one_or_all(times), "drift": _one_or_all(drift)}
    if document.get("warnings"):
        notes["warnings"] = said(str(document["warnings"]))
    if len(values) == 1:
        return Answer(result=values[0], value=plain_float(values[0]), metadata=notes)
    return Answer(result=values, value=shown_numbers(values), metadata=notes)


def _one_or_all(numbers: list[int]) -> str:
    return str(numbers[0]) if len(numbers) == 1 else f"[{','.join(map(str, numbers))}]"
