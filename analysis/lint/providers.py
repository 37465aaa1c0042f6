"""What can be wrong with the configuration of a provider: required fields, durations, URLs, choices. Pure.

A row a provider in `_CHECKS`. Paths are those of the API, dotted: `web.url`, `kayenta.scopes.0.name`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from pydantic import BaseModel

from analysis.language import ConditionError, evaluate_time
from analysis.spec.base import read_time
from analysis.spec.durations import parse_duration
from analysis.spec.metric import Metric
from analysis.spec.providers import (
    CloudWatch,
    Datadog,
    Graphite,
    Job,
    Kayenta,
    NewRelic,
    Prometheus,
    SkyWalking,
    Wavefront,
    Web,
)
from analysis.spec.providers.authentication import Authentication

Fault = tuple[str, str]
"""A field's path and what is wrong with it."""
_ANY_TIME = datetime(2026, 1, 2, tzinfo=UTC)
_MOST_SCORE = 100
_ASKED = frozenset(("prometheus", "datadog", "newRelic", "wavefront", "graphite", "influxdb", "skywalking"))
"""Those that need a query, unless a comparison brings its own."""


def provider_faults(metric: Metric) -> Iterator[Fault]:
    """Everything wrong with the configuration of the metric's provider; paths begin with the provider's key."""
    kinds = metric.provider.kinds
    if len(kinds) == 1 and kinds[0] in _CHECKS:
        config = metric.provider.configuration
        yield from ((f"{kinds[0]}.{field}" if field else kinds[0], text) for field, text in _CHECKS[kinds[0]](config))
        if kinds[0] in _ASKED and metric.compare is None and not getattr(config, "queries", None):
            yield from ((f"{kinds[0]}.{field}", text) for field, text in _required(config, "query"))


# -- what several share ------------------------------------------------------------------------------------------------


def is_templated(text: str) -> bool:
    """Whether a text is still to be filled in."""
    return "{{" in text


def _alias(config: BaseModel, name: str) -> str:
    return str(type(config).model_fields[name].alias)


def _required(config: BaseModel, *names: str) -> Iterator[Fault]:
    for name in names:
        value = getattr(config, name)
        if value is None or (isinstance(value, str) and not value.strip()):
            yield _alias(config, name), "is required"


def _url(text: str | None, field: str) -> Iterator[Fault]:
    if not text or is_templated(text):
        return
    try:
        parts = urlsplit(text.strip())
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        yield field, f'"{text[:80]}" is not a URL such as http://service.namespace:8080'


def _duration(text: str | None, field: str) -> Iterator[Fault]:
    if not text or is_templated(text):
        return
    try:
        if parse_duration(text) <= 0:
            yield field, "must be longer than 0"
    except ValueError as error:
        yield field, str(error)


def _seconds(value: int | None, field: str) -> Iterator[Fault]:
    if value is not None and value < 0:
        yield field, f"must be 0 or more seconds, not {value}"


def _authentication(given: Authentication | None, headers: list[Any] | None) -> Iterator[Fault]:
    yield from ((f"headers.{at}.key", "is required") for at, item in enumerate(headers or ()) if not item.key.strip())
    if given is None:
        return
    chosen = [_alias(given, name) for name in type(given).model_fields if _says_something(getattr(given, name))]
    if len(chosen) > 1:
        yield "authentication", f"set only one of {', '.join(chosen)}"
    if given.oauth2 is not None and "oauth2" in chosen:
        for field, text in _required(given.oauth2, "token_url", "client_id", "client_secret"):
            yield f"authentication.oauth2.{field}", text
        yield from _url(given.oauth2.token_url, "authentication.oauth2.tokenUrl")
    if given.basic_auth is not None and "basicAuth" in chosen:
        for field, text in _required(given.basic_auth, "username"):
            yield f"authentication.basicAuth.{field}", text


def _says_something(part: BaseModel | None) -> bool:
    return part is not None and any(getattr(part, name) for name in type(part).model_fields)


# -- one provider each -------------------------------------------------------------------------------------------------


def _prometheus(config: Prometheus) -> Iterator[Fault]:
    yield from _url(config.address, "address")
    yield from _seconds(config.timeout, "timeout")
    yield from _authentication(config.authentication, config.headers)
    if (times := config.range_query) is not None:
        yield from ((f"rangeQuery.{field}", text) for field, text in _required(times, "start", "end", "step"))
        yield from _duration(times.step, "rangeQuery.step")
        for field, text in (("start", times.start), ("end", times.end)):
            yield from _time(text, f"rangeQuery.{field}")


def _time(text: str | None, field: str) -> Iterator[Fault]:
    if not text or is_templated(text):
        return
    try:
        evaluate_time(text, now=_ANY_TIME)
    except ConditionError as error:
        yield field, str(error)


def _web(config: Web) -> Iterator[Fault]:
    yield from _required(config, "url")
    yield from _url(config.url, "url")
    yield from _seconds(config.timeout_seconds, "timeoutSeconds")
    yield from _authentication(config.authentication, config.headers)
    if (config.method or "GET") == "GET" and (config.body or config.json_body is not None):
        yield "method", "must be POST or PUT to send a body"
    if config.json_path and not is_templated(config.json_path):
        yield from _json_path(config.json_path)


def _json_path(text: str) -> Iterator[Fault]:
    from analysis.providers.base import Misconfigured  # imported late: the models alone are enough for everything else
    from analysis.providers.web import check_path

    try:
        check_path(text)
    except Misconfigured as error:
        yield "jsonPath", str(error)


def _job(config: Job) -> Iterator[Fault]:
    template = config.spec.get("template")
    pod = template.get("spec") if isinstance(template, dict) else None
    if not isinstance(pod, dict) or not pod.get("containers"):
        yield "spec.template.spec.containers", "is required"
    policy = pod.get("restartPolicy") if isinstance(pod, dict) else None
    if policy not in ("Never", "OnFailure") and not is_templated(str(policy)):
        yield "spec.template.spec.restartPolicy", "must be Never or OnFailure in a Job"


def _kayenta(config: Kayenta) -> Iterator[Fault]:
    names = ("address", "application", "canary_config_name", "metrics_account_name")
    yield from _required(config, *names, "configuration_account_name", "storage_account_name")
    yield from _url(config.address, "address")
    if not 0 <= config.threshold.marginal <= config.threshold.pass_ <= _MOST_SCORE:
        yield "threshold", "must be 0 <= marginal <= pass <= 100"
    if not config.scopes:
        yield "scopes", "is required: name what is to be compared"
    times = Counter(scope.name for scope in config.scopes)
    for at, scope in enumerate(config.scopes):
        if times[scope.name] > 1:
            yield f"scopes.{at}.name", f'"{scope.name}" is there more than once'
        yield from ((f"scopes.{at}.{field}", text) for field, text in _required(scope, "name"))
        for side in ("control_scope", "experiment_scope"):
            for field, text in _side(getattr(scope, side)):
                yield f"scopes.{at}.{_alias(scope, side)}.{field}", text
        for field in ("start", "end"):
            given = [bool(getattr(side, field)) for side in (scope.control_scope, scope.experiment_scope)]
            if len(set(given)) > 1:
                place = "experimentScope" if given[0] else "controlScope"
                yield f"scopes.{at}.{place}.{field}", "is required, because the other side has one"


def _side(side: Any) -> Iterator[Fault]:
    yield from _required(side, "scope")
    if side.step <= 0:
        yield "step", f"must be more than 0 seconds, not {side.step}"
    for field in ("start", "end"):
        yield from _moment(getattr(side, field), field)
    if _is_moment(side.start) and _is_moment(side.end) and read_time(side.end) <= read_time(side.start):
        yield "end", f"must be after start ({side.start})"


def _moment(text: str | None, field: str) -> Iterator[Fault]:
    if text and not is_templated(text) and not _is_moment(text):
        yield field, f'"{text[:60]}" is no time such as 2026-01-02T03:04:05Z'


def _is_moment(text: str | None) -> bool:
    try:
        return bool(text) and bool(read_time(text))
    except ValueError:
        return False


def _datadog(config: Datadog) -> Iterator[Fault]:
    yield from _duration(config.interval, "interval")
    yield from _duration(config.request_timeout, "requestTimeout")
    if config.query and config.queries:
        yield "", "set only one of query, queries"
    if config.api_version != "v2":
        for name in ("queries", "formula", "aggregator"):
            if getattr(config, name):
                yield name, "can be used with apiVersion v2 only"
    if len(config.queries or {}) > 1 and not config.formula:
        yield "formula", "is required to combine several queries, such as a / b"


def _new_relic(config: NewRelic) -> Iterator[Fault]:
    yield from _seconds(config.timeout, "timeout")


def _wavefront(config: Wavefront) -> Iterator[Fault]:
    yield from _required(config, "address")
    if config.address and "://" in config.address:
        yield from _url(config.address, "address")


def _cloudwatch(config: CloudWatch) -> Iterator[Fault]:
    yield from _duration(config.interval, "interval")
    if not config.metric_data_queries:
        yield "metricDataQueries", "is required: name at least one query"
    times = Counter(query.id for query in config.metric_data_queries)
    for at, query in enumerate(config.metric_data_queries):
        yield from ((f"metricDataQueries.{at}.{field}", text) for field, text in _required(query, "id"))
        if query.id and times[query.id] > 1:
            yield f"metricDataQueries.{at}.id", f'"{query.id}" is there more than once'
        yield from ((f"metricDataQueries.{at}{field}", text) for field, text in _statistic(query))


def _statistic(query: Any) -> Iterator[Fault]:
    if bool(query.expression) == (query.metric_stat is not None):
        yield "", "set either expression or metricStat"
    yield from _period(query.period, ".period")
    if (stat := query.metric_stat) is not None:
        yield from ((f".metricStat.{field}", text) for field, text in _required(stat, "period", "stat", "metric"))
        yield from _period(stat.period, ".metricStat.period")
        if stat.metric is not None:
            for field, text in _required(stat.metric, "metric_name", "namespace"):
                yield f".metricStat.metric.{field}", text


def _period(value: int | str | None, field: str) -> Iterator[Fault]:
    text = str(value if value is not None else 1).strip()
    if not is_templated(text) and (not text.isdecimal() or int(text) < 1):
        yield field, f'"{text[:40]}" is not a whole number of seconds'


def _graphite(config: Graphite) -> Iterator[Fault]:
    yield from _required(config, "address")
    yield from _url(config.address, "address")
    names = Counter(name for name, _ in parse_qsl("".join((config.query or "").split()), keep_blank_values=True))
    twice = [name for name, times in names.items() if times > 1]
    if twice and "target" in names:
        yield "query", f"{', '.join(twice)} can be given once: the first series is what is judged"


def _skywalking(config: SkyWalking) -> Iterator[Fault]:
    yield from _required(config, "address")
    yield from _url(config.address, "address")
    yield from _duration(config.interval, "interval")


def _plugin(config: dict[str, Any]) -> Iterator[Fault]:
    if len(config) != 1:
        yield "", f"name exactly one plugin, not {len(config)}"


_CHECKS: dict[str, Callable[[Any], Iterator[Fault]]] = {
    "prometheus": _prometheus,
    "web": _web,
    "job": _job,
    "kayenta": _kayenta,
    "datadog": _datadog,
    "newRelic": _new_relic,
    "wavefront": _wavefront,
    "cloudWatch": _cloudwatch,
    "graphite": _graphite,
    "influxdb": lambda config: iter(()),
    "skywalking": _skywalking,
    "plugin": _plugin,
}
