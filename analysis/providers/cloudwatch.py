"""Amazon CloudWatch: one GetMetricData request.

    result -> the list of MetricDataResults    len(result[0].Values) >= 5 and all(result[0].Values, {# <= 0.01})

Each has `Id`, `Label`, `StatusCode`, `Timestamps` (seconds since 1970) and `Values`, newest first, all pages together.
Data that is not complete (`PartialData`), and what CloudWatch has to say, are in the measurement's metadata `messages`.

Region and credentials are the controller's: AWS_REGION, and whatever AWS's tools find (see `aws`). AWS_ENDPOINT_URL and
AWS_ENDPOINT_URL_CLOUDWATCH lead elsewhere. The request is JSON, one of the protocols CloudWatch speaks.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from analysis.providers.aws import Accounts, endpoint, region_of
from analysis.providers.base import Answer, Context, Misconfigured, Refused, Unavailable, seconds_allowed
from analysis.providers.client import Ask, Client, number, said, understood
from analysis.providers.lookback import span
from analysis.providers.retries import retrying
from analysis.providers.text import shown
from analysis.spec import Metric
from analysis.spec.providers import CloudWatch as Config
from analysis.spec.providers.cloudwatch import MetricDataQuery

PAGES = 20
"""Pages taken at most; one holds 500 series or 100,800 values."""
_WHO = "CloudWatch"
_HEADERS = {
    "Content-Type": "application/x-amz-json-1.0",
    "X-Amz-Target": "GraniteServiceVersion20100801.GetMetricData",
}
_FAILED = {"InternalError": Unavailable, "Forbidden": Refused}

Result = dict[str, Any]
"""One MetricDataResult."""


@dataclass(slots=True)
class CloudWatchProvider:
    """Asks CloudWatch. `environment` is where region and addresses are looked up."""

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    _client: Client = field(default_factory=Client)
    _accounts: Accounts | None = None

    async def run(self, metric: Metric, *, context: Context) -> Answer:
        """Ask, page by page, with retries. Raises ProviderError."""
        config = _config(metric)
        region = region_of(None, self.environment, where="cloudWatch")
        begin, end = span(config.interval, context.now, where="cloudWatch interval")
        body: dict[str, Any] = {
            "StartTime": int(begin),
            "EndTime": int(end),
            "MetricDataQueries": [_query(at, query) for at, query in enumerate(config.metric_data_queries)],
        }
        found: dict[str, Result] = {}
        notes: list[str] = []
        for _ in range(PAGES):
            ask, page = await self._page(region, body, seconds_allowed(metric), context.hide)
            understood(ask, page, lambda document: _add(document, found, notes))
            if not page.get("NextToken"):
                break
            body["NextToken"] = page["NextToken"]
        results = list(found.values())
        _check(results)
        return Answer(result=results, value=shown([one["Values"] for one in results]), metadata=_metadata(notes))

    async def _page(
        self, region: str, body: Mapping[str, Any], seconds: float, hide: Callable[[str], None]
    ) -> tuple[Ask, Any]:
        if self._accounts is None:
            self._accounts = Accounts(environment=self.environment)
        account = self._accounts.of(region=region)
        data = json.dumps(body).encode()
        url = f"{endpoint('cloudwatch', region, self.environment, prefix='monitoring')}/"

        async def once() -> tuple[Ask, Any]:
            signed = await asyncio.to_thread(
                account.sign, service="monitoring", method="POST", url=url, headers=_HEADERS, body=data
            )
            hide(signed.get("X-Amz-Security-Token", ""))
            ask = Ask(
                who=_WHO,
                url=url,
                method="POST",
                headers={**_HEADERS, **signed},
                data=data,
                timeout=seconds,
                repeat=False,
            )
            return ask, await self._asked(ask)

        found: tuple[Ask, Any] = await retrying(seconds)(once)
        return found

    async def _asked(self, ask: Ask) -> Any:
        """As `Client.document`; AWS says 'not now' with status 400."""
        try:
            return await self._client.document(ask)
        except Refused as error:
            if any(word in str(error) for word in ("Throttling", "Rate exceeded")):
                raise Unavailable(str(error)) from error
            raise

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        """Nothing."""
        return {}

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()


def _config(metric: Metric) -> Config:
    config = metric.provider.cloud_watch
    if config is None:
        raise Misconfigured(f'metric "{metric.name}" has no cloudWatch provider')
    if not config.metric_data_queries:
        raise Misconfigured("cloudWatch: metricDataQueries is empty")
    return config


def _query(at: int, query: MetricDataQuery) -> dict[str, Any]:
    """A query in CloudWatch's spelling."""
    where = f"cloudWatch metricDataQueries[{at}]"
    if bool(query.expression) == (query.metric_stat is not None):
        raise Misconfigured(f"{where}: set either expression or metricStat")
    spelled: dict[str, Any] = _spelled(query.to_api(), where)
    return spelled


def _spelled(value: Any, where: str) -> Any:
    """`metricStat: {period: "300"}` becomes `MetricStat: {Period: 300}`."""
    if isinstance(value, dict):
        return {_capital(key): _spelled(_whole(key, item, where), where) for key, item in value.items()}
    return [_spelled(item, where) for item in value] if isinstance(value, list) else value


def _capital(key: str) -> str:
    return key[:1].upper() + key[1:]


def _whole(key: str, item: Any, where: str) -> Any:
    if key != "period" or isinstance(item, int):
        return item
    if not str(item).strip().isdecimal():
        raise Misconfigured(f'{where}.period: "{item}" is not a whole number of seconds')
    return int(item)


def _add(document: Mapping[str, Any], found: dict[str, Result], notes: list[str]) -> None:
    """Take a page in: its results are appended to those of the same id."""
    for one in document["MetricDataResults"]:
        known = found.setdefault(
            one["Id"], {"Id": one["Id"], "Label": one.get("Label"), "Timestamps": [], "Values": []}
        )
        known["StatusCode"] = one.get("StatusCode")
        known["Timestamps"] += map(number, one.get("Timestamps") or ())
        known["Values"] += map(number, one.get("Values") or ())
        notes += (f"{one['Id']}: {message['Value']}" for message in one.get("Messages") or ())
    notes += (f"{message['Code']}: {message['Value']}" for message in document.get("Messages") or ())


def _check(results: list[Result]) -> None:
    """Raise for a series that could not be read."""
    for one in results:
        if failure := _FAILED.get(one["StatusCode"] or ""):
            raise failure(f'{_WHO} could not read "{one["Id"]}": {one["StatusCode"]}')


def _metadata(notes: list[str]) -> dict[str, str]:
    return {"messages": said("; ".join(notes))} if notes else {}
