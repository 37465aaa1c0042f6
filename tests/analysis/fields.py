"""Every field of every provider's configuration, with a configuration it is in and another value it may have.

For the test that none of them is ignored. `URL` stands for the server's address, and `web.headers.key` means the key of
the first of `web.headers`. The `job` provider's fields are here too; a plugin's are its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

from analysis.spec import Metric
from analysis.spec.providers import Provider

URL = "http://URL"
Config = dict[str, Any]


def leaves(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The paths of all fields that hold values, in the API's spelling: `prometheus.rangeQuery.start`."""
    for info in model.model_fields.values():
        path = f"{prefix}{info.alias}"
        inner = next(_models(info.annotation), None)
        yield from [path] if inner is None else leaves(inner, f"{path}.")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def fields() -> set[str]:
    """The fields of all providers but plugins."""
    return {path for path in leaves(Provider) if path != "plugin"}


def changed(config: Any, path: str, value: Any) -> Any:
    """A copy with another value at a path, below the first item of each list on the way."""
    if isinstance(config, list):
        return [changed(config[0], path, value), *config[1:]]
    key, _, rest = path.partition(".")
    return {**config, key: changed(config[key], rest, value) if rest else value}


def _range(**times: str) -> Config:
    return {"start": 'now() - duration("5m")', "end": "now()", "step": "1m", **times}


def _signed(**account: str) -> Config:
    return {"authentication": {"sigv4": {"region": "eu-west-1", **account}}}


PROMETHEUS = {"address": URL, "query": "up", "timeout": 7, "headers": [{"key": "X-A", "value": "1"}]}
WEB = {"url": URL, "method": "POST", "jsonPath": "{$.ok}", "headers": [{"key": "X-A", "value": "1"}]}
BASIC = {"authentication": {"basicAuth": {"username": "me", "password": "pw"}}}
TOKEN = {"tokenUrl": f"{URL}/token", "clientId": "id", "clientSecret": "cs", "scopes": ["read"]}
OAUTH2 = {"authentication": {"oauth2": TOKEN}}
SIGNED = _signed(profile="one", roleArn="arn:aws:iam::123456789012:role/one")
DATADOG = {"query": "avg:m{*}", "interval": "5m", "secretRef": {"name": "dd-one", "namespaced": False}}
DATADOG2 = {"apiVersion": "v2", "queries": {"a": "x", "b": "y"}, "formula": "a / b", "aggregator": "sum"}
STAT = {
    "metric": {"namespace": "App", "metricName": "Errors", "dimensions": [{"name": "service", "value": "web"}]},
    "period": 60,
    "stat": "Sum",
    "unit": "Count",
}
CLOUD = {
    "interval": "5m",
    "metricDataQueries": [
        {"id": "a", "metricStat": STAT, "label": "A", "returnData": True},
        {"id": "b", "expression": "a / 2", "period": 60},
    ],
}
MATH = {"metricDataQueries": [{"id": "b", "expression": "a / 2", "period": 60}]}
SIDE = {"scope": "s", "region": "r", "step": 60, "start": "2026-01-02T03:00:00Z", "end": "2026-01-02T03:04:00Z"}
ACCOUNTS = dict.fromkeys(("metricsAccountName", "configurationAccountName", "storageAccountName"), "a")
KAYENTA = {
    "address": URL,
    "application": "app",
    "canaryConfigName": "one",
    **ACCOUNTS,
    "threshold": {"pass": 90, "marginal": 75},
    "scopes": [{"name": "default", "controlScope": SIDE, "experimentScope": SIDE}],
}
_OPEN = {key: SIDE[key] for key in ("scope", "region", "step")}
KAYENTA_OPEN = {
    **KAYENTA,
    "lookback": False,
    "scopes": [{"name": "default", "controlScope": _OPEN, "experimentScope": _OPEN}],
}
PODS = {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "one"}]}}}
JOB = {"metadata": {"labels": {"a": "1"}}, "spec": PODS}

Row = tuple[str, Config, Any]
"""A field, a configuration of its provider that has it, and another value."""


def _both(name: str, config: Config) -> list[Row]:
    """The fields of an account, which two providers share."""
    at = f"{name}.authentication"
    return [
        (f"{at}.basicAuth.username", {**config, **BASIC}, "you"),
        (f"{at}.basicAuth.password", {**config, **BASIC}, "other"),
        (f"{at}.oauth2.tokenUrl", {**config, **OAUTH2}, f"{URL}/other/token"),
        (f"{at}.oauth2.clientId", {**config, **OAUTH2}, "other"),
        (f"{at}.oauth2.clientSecret", {**config, **OAUTH2}, "other"),
        (f"{at}.oauth2.scopes", {**config, **OAUTH2}, ["write"]),
        (f"{at}.sigv4.region", {**config, **_signed()}, "eu-north-1"),
        (f"{at}.sigv4.profile", {**config, **_signed(profile="one")}, "two"),
        (f"{at}.sigv4.roleArn", {**config, **SIGNED}, "arn:aws:iam::123456789012:role/two"),
    ]


def _kayenta_sides() -> Iterator[Row]:
    values = {"scope": "t", "region": "q", "step": 30, "start": "2026-01-02T02:00:00Z", "end": "2026-01-02T03:03:00Z"}
    for side in ("controlScope", "experimentScope"):
        for key, value in values.items():
            yield f"kayenta.scopes.{side}.{key}", KAYENTA, value


ROWS: list[Row] = [
    ("prometheus.address", PROMETHEUS, f"{URL}/other"),
    ("prometheus.query", PROMETHEUS, "down"),
    ("prometheus.timeout", PROMETHEUS, 9),
    ("prometheus.headers.key", PROMETHEUS, "X-B"),
    ("prometheus.headers.value", PROMETHEUS, "2"),
    ("prometheus.insecure", {**PROMETHEUS, "insecure": True}, False),
    ("prometheus.rangeQuery.start", {**PROMETHEUS, "rangeQuery": _range()}, 'now() - duration("9m")'),
    ("prometheus.rangeQuery.end", {**PROMETHEUS, "rangeQuery": _range()}, 'now() - duration("1m")'),
    ("prometheus.rangeQuery.step", {**PROMETHEUS, "rangeQuery": _range()}, "2m"),
    *_both("prometheus", PROMETHEUS),
    ("web.url", WEB, f"{URL}/other"),
    ("web.method", WEB, "PUT"),
    ("web.jsonPath", WEB, "{$.text}"),
    ("web.headers.key", WEB, "X-B"),
    ("web.headers.value", WEB, "2"),
    ("web.body", {**WEB, "body": "one"}, "two"),
    ("web.jsonBody", {**WEB, "jsonBody": {"a": 1}}, {"a": 2}),
    ("web.timeoutSeconds", {**WEB, "timeoutSeconds": 1}, 2),
    ("web.insecure", {**WEB, "insecure": True}, False),
    *_both("web", WEB),
    ("job.metadata", JOB, {"labels": {"a": "2"}}),
    ("job.spec", JOB, {**PODS, "backoffLimit": 3}),
    ("kayenta.address", KAYENTA, f"{URL}/other"),
    ("kayenta.application", KAYENTA, "other"),
    ("kayenta.canaryConfigName", KAYENTA, "two"),
    *((f"kayenta.{name}", KAYENTA, "b") for name in ACCOUNTS),
    ("kayenta.lookback", KAYENTA_OPEN, True),
    ("kayenta.threshold.pass", KAYENTA, 95),
    ("kayenta.threshold.marginal", KAYENTA, 60),
    ("kayenta.scopes.name", KAYENTA, "other"),
    *_kayenta_sides(),
    ("datadog.interval", DATADOG, "9m"),
    ("datadog.query", DATADOG, "sum:m{*}"),
    ("datadog.apiVersion", DATADOG, "v2"),
    ("datadog.requestTimeout", {**DATADOG, "requestTimeout": "200ms"}, "300ms"),
    ("datadog.secretRef.name", DATADOG, "dd-two"),
    ("datadog.secretRef.namespaced", DATADOG, True),
    ("datadog.queries", DATADOG2, {"a": "x", "b": "z"}),
    ("datadog.formula", DATADOG2, "a * b"),
    ("datadog.aggregator", DATADOG2, "max"),
    ("newRelic.profile", {"query": "SELECT 1", "profile": "nr-one"}, "nr-two"),
    ("newRelic.query", {"query": "SELECT 1"}, "SELECT 2"),
    ("newRelic.timeout", {"query": "SELECT 1", "timeout": 5}, 9),
    ("wavefront.address", {"address": URL, "query": "ts(a)"}, f"{URL}/other"),
    ("wavefront.query", {"address": URL, "query": "ts(a)"}, "ts(b)"),
    ("graphite.address", {"address": URL, "query": "target=a"}, f"{URL}/other"),
    ("graphite.query", {"address": URL, "query": "target=a"}, "target=b"),
    ("influxdb.profile", {"profile": "in-one", "query": "from()"}, "in-two"),
    ("influxdb.query", {"profile": "in-one", "query": "from()"}, "to()"),
    ("skywalking.address", {"address": URL, "query": "query { a }"}, f"{URL}/other"),
    ("skywalking.query", {"address": URL, "query": "query { a }"}, "query { b }"),
    ("skywalking.interval", {"address": URL, "query": "query { a }", "interval": "5m"}, "9m"),
    ("cloudWatch.interval", CLOUD, "9m"),
    ("cloudWatch.metricDataQueries.id", CLOUD, "z"),
    ("cloudWatch.metricDataQueries.label", CLOUD, "B"),
    ("cloudWatch.metricDataQueries.returnData", CLOUD, False),
    ("cloudWatch.metricDataQueries.expression", MATH, "a / 3"),
    ("cloudWatch.metricDataQueries.period", MATH, 300),
    ("cloudWatch.metricDataQueries.metricStat.period", CLOUD, 300),
    ("cloudWatch.metricDataQueries.metricStat.stat", CLOUD, "p99"),
    ("cloudWatch.metricDataQueries.metricStat.unit", CLOUD, "Bytes"),
    ("cloudWatch.metricDataQueries.metricStat.metric.namespace", CLOUD, "Lib"),
    ("cloudWatch.metricDataQueries.metricStat.metric.metricName", CLOUD, "Requests"),
    ("cloudWatch.metricDataQueries.metricStat.metric.dimensions.name", CLOUD, "zone"),
    ("cloudWatch.metricDataQueries.metricStat.metric.dimensions.value", CLOUD, "api"),
]


def metric_of(path: str, config: Config) -> Metric:
    """A metric with this configuration for the provider a path begins with; its interval is two minutes."""
    provider = {path.partition(".")[0]: config}
    return Metric.model_validate({"name": "m", "interval": "2m", "provider": provider})
