"""Datadog: a metrics query, by the first or the second version of its API.

    v1   GET  /api/v1/query          `query`: the newest point of the first series      result > 0.95
    v2   POST /api/v2/query/scalar   `query`, or `queries` and a `formula`, made one number by the `aggregator`

`result` is a number, or nil when there is no data: `default(result, 0) < 0.05`. Points without a value are left out.

The account is looked for in this order, and the first that has both keys is taken:

    1. the Secret of `secretRef`, in the run's namespace if `namespaced`, else in the controller's
    2. DD_API_KEY, DD_APP_KEY and DD_ADDRESS in the controller's environment, all three
    3. the Secret `datadog` in the controller's namespace

Keys of the Secret: `api-key`, `app-key`, and `address` (default https://api.datadoghq.com).
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from analysis.language import plain_float
from analysis.providers.base import Answer, Context, Misconfigured, Missing, Refused, seconds_allowed
from analysis.providers.client import Ask, Client, address_of, number, said, understood
from analysis.providers.lookback import span
from analysis.spec import Metric
from analysis.spec.providers import Datadog as Config

SECRET = "datadog"  # noqa: S105  # the name of a Secret
ADDRESS = "https://api.datadoghq.com"
_WHO = "Datadog"
_KEYS = ("api-key", "app-key", "address")
_ONLY_V2 = ("queries", "formula", "aggregator")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where Datadog is, and the keys."""

    address: str
    headers: Mapping[str, str] = field(repr=False)


@dataclass(slots=True)
class DatadogProvider:
    """Asks Datadog. `environment` is where DD_* are looked up."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    _client: Client = field(default_factory=Client)

    async def run(self, metric: Metric, *, context: Context) -> Answer:
        """Ask, with retries. Raises ProviderError."""
        config = _config(metric)
        account = await self._account(config, context)
        begin, end = span(config.interval, context.now, where="datadog interval")
        question = _v2 if config.api_version == "v2" else _v1
        ask, read = question(config, account, int(begin), int(end), seconds_allowed(metric))
        document = await self._client.document(ask)
        if reason := _complaint(document):
            raise Refused(f"{_WHO} at {ask.place} cannot run the query: {reason}")
        found = understood(ask, document, read)
        return Answer(result=found, value="null" if found is None else plain_float(found))

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        """Nothing."""
        return {}

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()

    async def _account(self, config: Config, context: Context) -> Account:
        tried: list[str] = []
        async for where, values in self._places(config, context):
            if values.get("api-key") and values.get("app-key"):
                address = address_of(values.get("address") or ADDRESS, where=f"datadog address in {where}")
                headers = {"DD-API-KEY": values["api-key"], "DD-APPLICATION-KEY": values["app-key"]}
                return Account(address=address, headers=headers)
            tried.append(where)
        raise Missing(f"datadog: no api-key and app-key found in {', '.join(tried)}")

    async def _places(self, config: Config, context: Context) -> AsyncIterator[tuple[str, Mapping[str, str]]]:
        """Where an account may be, with what is there; the later places are not read once one will do."""
        ref = config.secret_ref
        if ref is not None and ref.name:
            named = bool(ref.namespaced)
            yield f"secret {ref.name}", await _secret(ref.name, namespaced=named, context=context)
        yield "DD_API_KEY, DD_APP_KEY and DD_ADDRESS", self._from_environment(context)
        yield f"secret {SECRET}", await _secret(SECRET, namespaced=False, context=context)

    def _from_environment(self, context: Context) -> Mapping[str, str]:
        names = {"api-key": "DD_API_KEY", "app-key": "DD_APP_KEY", "address": "DD_ADDRESS"}
        values = {key: self.environment.get(name, "").strip() for key, name in names.items()}
        if not all(values.values()):
            return {}
        context.hide(values["api-key"])
        context.hide(values["app-key"])
        return values


async def _secret(name: str, *, namespaced: bool, context: Context) -> Mapping[str, str]:
    try:
        return await context.account(name, namespaced=namespaced, keys=_KEYS, shown=("address",))
    except Missing:
        return {}


def _config(metric: Metric) -> Config:
    config = metric.provider.datadog
    if config is None:
        raise Misconfigured(f'metric "{metric.name}" has no datadog provider')
    if bool(config.query) == bool(config.queries):
        raise Misconfigured("datadog: set either query or queries")
    if config.api_version != "v2" and (given := [name for name in _ONLY_V2 if getattr(config, name)]):
        raise Misconfigured(f"datadog: {', '.join(given)} can be used with apiVersion v2 only")
    if len(config.queries or {}) > 1 and not config.formula:
        raise Misconfigured("datadog: several queries need a formula that combines them, such as a / b")
    return config


Question = tuple[Ask, Any]
"""What is asked, and the function that reads the answer."""


def _v1(config: Config, account: Account, begin: int, end: int, timeout: float) -> Question:
    ask = Ask(
        who=_WHO,
        url=f"{account.address}/api/v1/query",
        params={"query": config.query or "", "from": str(begin), "to": str(end)},
        headers=account.headers,
        timeout=timeout,
    )
    return ask, _newest


def _v2(config: Config, account: Account, begin: int, end: int, timeout: float) -> Question:
    named = config.queries or {"query": config.query or ""}
    aggregator = config.aggregator or "last"
    queries = [
        {"aggregator": aggregator, "data_source": "metrics", "name": name, "query": query}
        for name, query in named.items()
    ]
    formula = config.formula or next(iter(named))
    attributes = {"formulas": [{"formula": formula}], "from": begin * 1000, "to": end * 1000, "queries": queries}
    ask = Ask(
        who=_WHO,
        url=f"{account.address}/api/v2/query/scalar",
        method="POST",
        body={"data": {"type": "scalar_request", "attributes": attributes}},
        headers=account.headers,
        timeout=timeout,
    )
    return ask, _scalar


def _newest(document: Any) -> float | None:
    """`{"series": [{"pointlist": [[milliseconds, value or null], …]}]}`."""
    series = document["series"]
    points = series[0]["pointlist"] if series else []
    values = [value for _, value in points if value is not None]
    return number(values[-1]) if values else None


def _scalar(document: Any) -> float | None:
    """`{"data": {"attributes": {"columns": [{"type": "number", "values": [value or null]}]}}}`."""
    columns = document["data"]["attributes"]["columns"]
    values: list[Any] = next((column["values"] for column in columns if column.get("type", "number") == "number"), [])
    return number(values[0]) if values and values[0] is not None else None


def _complaint(document: Any) -> str:
    """What an answer of status 200 says went wrong; empty when nothing did."""
    if not isinstance(document, Mapping):
        return ""
    errors = document.get("error") or document.get("errors")
    return said("; ".join(map(str, errors)) if isinstance(errors, list) else str(errors)) if errors else ""
