"""New Relic: an NRQL query, through NerdGraph.

    one row        -> its values by name    result.successRate >= 0.95
    several rows   -> the list of rows      all(result, .errorRate < 0.05)     FACET, TIMESERIES

No row is an error. The account is in the Secret `profile` (default `newrelic`) of the controller's namespace, under
`personal-api-key` and `account-id`; `region` is us (default), eu or staging, `base-url-nerdgraph` another address.

`timeout` is given to New Relic for the query (seconds, default 5); the request may take 5 s longer, for the way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from analysis.providers.base import Answer, Context, Misconfigured, Missing, Refused, seconds_allowed
from analysis.providers.client import Ask, Client, address_of, graphql, understood
from analysis.providers.text import shown
from analysis.spec import Metric
from analysis.spec.providers import NewRelic as Config

SECRET = "newrelic"  # noqa: S105  # the name of a Secret
RESOLVED_QUERY = "ResolvedNewRelicQuery"
ADDRESSES = {
    "us": "https://api.newrelic.com/graphql",
    "eu": "https://api.eu.newrelic.com/graphql",
    "staging": "https://staging-api.newrelic.com/graphql",
}
_WHO = "New Relic"
_ON_THE_WAY = 5.0
_NO_SECRET = ("account-id", "region", "base-url-nerdgraph")
_KEYS = ("personal-api-key", *_NO_SECRET)
_QUERY = """\
query ($account: Int!, $nrql: Nrql!, $timeout: Seconds) {
  actor { account(id: $account) { nrql(query: $nrql, timeout: $timeout) { results } } }
}"""


@dataclass(slots=True)
class NewRelicProvider:
    """Asks New Relic."""

    _client: Client = field(default_factory=Client)

    async def run(self, metric: Metric, *, context: Context) -> Answer:
        """Ask, with retries. Raises ProviderError."""
        config = _config(metric)
        name = config.profile or SECRET
        ask = _ask(
            config.query, await context.account(name, keys=_KEYS, shown=_NO_SECRET), name, seconds_allowed(metric)
        )
        data = graphql(ask, await self._client.document(ask))
        rows = understood(ask, data, _rows)
        if not rows or not rows[0]:
            raise Refused(f"no results returned from NRQL query: {config.query}")
        found = rows[0] if len(rows) == 1 else rows
        return Answer(result=found, value=shown(found))

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        """The query as it is sent."""
        return {RESOLVED_QUERY: _config(metric).query}

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()


def _config(metric: Metric) -> Config:
    if metric.provider.new_relic is None:
        raise Misconfigured(f'metric "{metric.name}" has no newRelic provider')
    return metric.provider.new_relic


def _ask(query: str, account: Mapping[str, str], secret: str, timeout: float) -> Ask:
    key, number = account.get("personal-api-key"), account.get("account-id")
    if not key or not number:
        raise Missing(f"secret {secret} needs personal-api-key and account-id")
    if not number.isdecimal():
        raise Misconfigured(f'secret {secret}: account-id "{number}" is not a number')
    return Ask(
        who=_WHO,
        url=_address(account, secret),
        method="POST",
        headers={"API-Key": key},
        body={"query": _QUERY, "variables": {"account": int(number), "nrql": query, "timeout": max(1, int(timeout))}},
        timeout=timeout + _ON_THE_WAY,
    )


def _address(account: Mapping[str, str], secret: str) -> str:
    if own := account.get("base-url-nerdgraph"):
        return address_of(own, where=f"base-url-nerdgraph in secret {secret}")
    region = (account.get("region") or "us").lower()
    if region not in ADDRESSES:
        raise Misconfigured(f'secret {secret}: region "{region}" is not one of {", ".join(ADDRESSES)}')
    return ADDRESSES[region]


def _rows(data: Any) -> list[Mapping[str, Any]]:
    rows = data["actor"]["account"]["nrql"]["results"]
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise TypeError("results is not a list of rows")
    return rows
