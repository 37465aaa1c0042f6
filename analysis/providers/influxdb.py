"""InfluxDB 2: a Flux query.

    result -> a list, the `_value` of every row of every table      result[0] < 0.05

No row is an error. The account is in the Secret `profile` (default `influxdb`) of the controller's namespace, under
`address`, `org` and `authToken`.

The answer is annotated CSV: tables one after the other, each begun by its annotations (rows with `#` in front) and its
column names. The official client would bring an observer library and a second HTTP stack for these few lines.

    #datatype,string,long,double
    ,result,table,_value
    ,_result,0,0.25
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from analysis.providers.base import Answer, Context, Misconfigured, Missing, Refused, seconds_allowed
from analysis.providers.client import Ask, Client, address_of, said, understood
from analysis.providers.text import shown
from analysis.spec import Metric
from analysis.spec.providers import InfluxDB as Config

SECRET = "influxdb"  # noqa: S105  # the name of a Secret
_WHO = "InfluxDB"
_KEYS = ("address", "authToken", "org")
_VALUE = "_value"
_TYPES: dict[str, Callable[[str], Any]] = {
    "double": float,
    "long": int,
    "unsignedLong": int,
    "boolean": lambda text: text == "true",
}
"""How the text of a column is read; every other type stays text."""


@dataclass(slots=True)
class InfluxDBProvider:
    """Asks InfluxDB."""

    _client: Client = field(default_factory=Client)

    async def run(self, metric: Metric, *, context: Context) -> Answer:
        """Ask, with retries. Raises ProviderError."""
        config = _config(metric)
        name = config.profile or SECRET
        account = await context.account(name, keys=_KEYS, shown=("address", "org"))
        ask = _ask(config, account, name, seconds_allowed(metric))
        text = await self._client.text(ask)
        found = understood(ask, text, lambda body: list(_values(body, ask)))
        if not found:
            raise Refused(f"no results returned from flux query by {_WHO} at {ask.place}")
        return Answer(result=found, value=shown(found))

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        """Nothing."""
        return {}

    async def close(self) -> None:
        """Close the connection."""
        await self._client.close()


def _config(metric: Metric) -> Config:
    config = metric.provider.influxdb
    if config is None:
        raise Misconfigured(f'metric "{metric.name}" has no influxdb provider')
    if not config.query:
        raise Misconfigured("influxdb query is empty: set provider.influxdb.query")
    return config


def _ask(config: Config, account: Mapping[str, str], secret: str, timeout: float) -> Ask:
    if missing := [key for key in _KEYS if not account.get(key)]:
        raise Missing(f"secret {secret} lacks {', '.join(missing)}")
    return Ask(
        who=_WHO,
        url=f"{address_of(account['address'], where=f'address in secret {secret}')}/api/v2/query",
        method="POST",
        params={"org": account["org"]},
        headers={"Authorization": f"Token {account['authToken']}", "Accept": "application/csv"},
        body={"query": config.query, "type": "flux", "dialect": {"annotations": ["datatype", "default"]}},
        timeout=timeout,
    )


def _values(text: str, ask: Ask) -> Iterator[Any]:
    """The value of each row. Raises Refused for an error inside the answer, ValueError for what is no such CSV."""
    annotations: dict[str, Sequence[str]] = {}
    names: Sequence[str] = ()
    for row in csv.reader(io.StringIO(text), strict=True):
        if not any(row):
            annotations, names = {}, ()
        elif row[0].startswith("#"):
            annotations, names = {**({} if names else annotations), row[0]: row}, ()
        elif not names:
            names = row
        else:
            yield _value(dict(zip(names, row, strict=True)), _types(names, annotations), ask)


def _types(names: Sequence[str], annotations: Mapping[str, Sequence[str]]) -> str:
    kinds = annotations.get("#datatype") or ()
    return dict(zip(names, kinds, strict=False)).get(_VALUE, "double")


def _value(row: Mapping[str, str], kind: str, ask: Ask) -> Any:
    if "error" in row and _VALUE not in row:
        raise Refused(f"{_WHO} at {ask.place} cannot run the query: {said(row['error'])}")
    text = row[_VALUE]
    return None if text == "" and kind != "string" else _TYPES.get(kind, str)(text)
