"""Apache SkyWalking: a GraphQL query.

    result -> the data of the answer       all(result.service_apdex.values.values, {asFloat(.value) >= 9900})

The query may use `$duration`, which spans `interval` (default 5m) until now, in steps of a minute, in UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from analysis.providers.base import Answer, Context, Misconfigured, Refused, seconds_allowed
from analysis.providers.client import Ask, Client, address_of, graphql
from analysis.providers.lookback import span
from analysis.providers.text import shown
from analysis.spec import Metric
from analysis.spec.providers import SkyWalking as Config

_WHO = "SkyWalking"


@dataclass(slots=True)
class SkyWalkingProvider:
    """Asks SkyWalking."""

    _client: Client = field(default_factory=Client)

    async def run(self, metric: Metric, *, context: Context) -> Answer:
        """Ask, with retries. Raises ProviderError."""
        config = _config(metric)
        ask = Ask(
            who=_WHO,
            url=f"{address_of(config.address, where='skywalking address')}/graphql",
            method="POST",
            body={"query": config.query, "variables": {"duration": _duration(config, context.now)}},
            timeout=seconds_allowed(metric),
        )
        data: Any = graphql(ask, await self._client.document(ask))
        if data is None:
            raise Refused(f"no results returned from the query by {_WHO} at {ask.place}")
        return Answer(result=data, value=shown(data))

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        """Nothing."""
        return {}

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()


def _config(metric: Metric) -> Config:
    config = metric.provider.skywalking
    if config is None:
        raise Misconfigured(f'metric "{metric.name}" has no skywalking provider')
    if not config.query:
        raise Misconfigured("skywalking query is empty: set provider.skywalking.query")
    return config


def _duration(config: Config, now: datetime) -> dict[str, str]:
    begin, end = span(config.interval, now, where="skywalking interval")
    return {"start": _minute(begin), "end": _minute(end), "step": "MINUTE"}


def _minute(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H%M")
