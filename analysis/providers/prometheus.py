"""Prometheus: a PromQL query, at this moment or over a range.

    scalar   -> a number           result >= 0.95
    vector   -> a list of numbers  result[0] >= 0.95, all(result, # < 0.05), len(result) == 0 when there is no data
    matrix   -> a list of numbers, all samples of all series one after the other
    string   -> the text

The library's connection is kept and given two things it lacks: queries go in the body of a POST (they may be long,
and should not be in proxies' logs), and the kind of the answer and its warnings are not dropped.

Retries: a 429, a 5xx or a lost connection is tried again, three times in all. Reading is idempotent.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from prometheus_api_client import PrometheusConnect
from urllib3.util import Retry

from analysis.language import ConditionError, evaluate_time, plain_float
from analysis.providers.authentication import Authenticators
from analysis.providers.base import Answer, Context, Misconfigured, Refused, seconds_allowed
from analysis.providers.http import (
    CONNECT_SECONDS,
    DESTINATIONS,
    Destination,
    Pools,
    bounded,
    credentials_sent,
    refusal,
    settle,
    transport_error,
)
from analysis.providers.retries import retrying
from analysis.spec import Metric, parse_duration
from analysis.spec.providers import Prometheus as Config

ADDRESS_VARIABLE = "ARGO_ROLLOUTS_PROMETHEUS_ADDRESS"
RESOLVED_QUERY = "ResolvedPrometheusQuery"
_FALL_BACK = frozenset((405, 501))
"""Answers of servers and proxies that know GET only."""
_POSITION = re.compile(r"(?:^|\s)(\d+):(\d+): ")
_LONGEST_QUERY_SHOWN = 300
LARGEST_ANSWER = 32_000_000
"""Bytes: a range of a million samples."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer of Prometheus: `kind` is scalar, vector, matrix or string; `warnings` may be empty."""

    kind: str
    result: Any
    warnings: tuple[str, ...]


class Connection(PrometheusConnect):  # type: ignore[misc]  # the library has no types
    """The library's connection, asking by POST and keeping the whole reply."""

    def ask(
        self, path: str, form: Mapping[str, str], *, timeout: float, hide: Callable[[str], None] = lambda text: None
    ) -> Reply:
        """Send a query. `hide` is given what must not be seen in anything made of the answer. Raises ProviderError."""
        reply = self._send("POST", path, form, timeout)
        if reply.status_code in _FALL_BACK:
            reply = self._send("GET", path, form, timeout)
        for text in credentials_sent(reply):
            hide(text)
        if reply.status_code // 100 != 2:
            raise self._refused(reply, form["query"])
        return self._read(reply)

    def _send(self, method: str, path: str, form: Mapping[str, str], timeout: float) -> requests.Response:
        where = {"data": form} if method == "POST" else {"params": form}
        deadline = time.monotonic() + timeout
        try:
            reply: requests.Response = self._session.request(
                method,
                f"{self.url}/api/v1/{path}",
                headers=self.headers,
                auth=self.auth,
                timeout=(min(CONNECT_SECONDS, timeout), timeout),
                stream=True,
                **where,
            )
            with reply:
                reply._content = bounded(reply, "Prometheus", self.url, largest=LARGEST_ANSWER, deadline=deadline)
            return reply
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            raise transport_error(error, "Prometheus", self.url, timeout) from error

    def _refused(self, reply: requests.Response, query: str) -> Exception:
        body = _json(reply)
        reason = str(body.get("error", "")) or reply.text[:200].strip()
        if reply.status_code in (400, 422) and "error" in body:
            return Refused(f"Prometheus at {self.url} cannot run the query: {_located(reason)}; query: {_short(query)}")
        return refusal(reply, "Prometheus", self.url, reason)

    def _read(self, reply: requests.Response) -> Reply:
        body = _json(reply)
        data = body.get("data")
        if body.get("status") != "success" or not isinstance(data, Mapping) or "result" not in data:
            raise Refused(
                f"{self.url} did not answer as Prometheus does: check the address; it said: {reply.text[:100]!r}"
            )
        warnings = tuple(str(item) for item in body.get("warnings") or ())
        return Reply(kind=str(data.get("resultType", "")), result=data["result"], warnings=warnings)


def _json(reply: requests.Response) -> Mapping[str, Any]:
    try:
        body = reply.json()
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, Mapping) else {}


def _located(reason: str) -> str:
    """`invalid parameter "query": 1:5: parse error: …` with the place spelled out."""
    found = _POSITION.search(reason)
    if found is None:
        return reason
    rest = reason[found.end() :].removeprefix("parse error: ")
    return f"line {found[1]}, column {found[2]}: {rest}"


def _short(query: str) -> str:
    plain = " ".join(query.split())
    return plain if len(plain) <= _LONGEST_QUERY_SHOWN else f"{plain[:_LONGEST_QUERY_SHOWN]}…"


@dataclass(slots=True)
class PrometheusProvider:
    """Asks Prometheus servers. One object serves any number of metrics; `close` it in the end.

    `environment` is where the default address is looked up. `at_moment`: queries are evaluated at the context's time
    instead of when they arrive, to ask about the past.
    """

    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    at_moment: bool = False
    _pools: Pools = field(default_factory=Pools)
    _local: threading.local = field(default_factory=threading.local)
    _authenticators: Authenticators = field(init=False)

    def __post_init__(self) -> None:
        self._authenticators = Authenticators(service="aps", environment=self.environment)

    async def run(self, metric: Metric, *, context: Context) -> Answer:
        """Ask once, with retries. Raises ProviderError."""
        config = _config(metric)
        timeout = seconds_allowed(metric)
        destination = _destination(config, self.environment)
        path, form = _request(config, context.now, timeout)
        if self.at_moment and path == "query":
            form["time"] = f"{context.now.timestamp():.3f}"

        def work() -> Reply:
            return self._connection(destination, config, timeout).ask(path, form, timeout=timeout, hide=context.hide)

        reply: Reply = await retrying(timeout)(self._pools.call, destination, work)
        return answer(reply)

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        """The query as it is sent."""
        query = _config(metric).query
        return {RESOLVED_QUERY: query} if query else {}

    async def close(self) -> None:
        """Close the pools; their connections go with their threads."""
        self._pools.close()

    def _connection(self, destination: Destination, config: Config, timeout: float) -> Connection:
        kept: OrderedDict[Destination, Connection] = self._local.__dict__.setdefault("kept", OrderedDict())
        connection = kept.pop(destination, None) or _connect(destination, config, timeout, self._authenticators)
        kept[destination] = connection
        if len(kept) > DESTINATIONS:
            kept.popitem(last=False)[1].close()
        return connection


def _connect(destination: Destination, config: Config, timeout: float, authenticators: Authenticators) -> Connection:
    auth = authenticators.of(config.authentication, verify=not destination.insecure, timeout=timeout)
    connection = Connection(
        url=destination.address,
        headers=dict(destination.headers),
        disable_ssl=destination.insecure,
        auth=auth,
        retry=Retry(0),
        timeout=timeout,
    )
    settle(connection._session, destination.address)
    return connection


def _config(metric: Metric) -> Config:
    if metric.provider.prometheus is None:
        raise Misconfigured(f'metric "{metric.name}" has no prometheus provider')
    return metric.provider.prometheus


def _destination(config: Config, environment: Mapping[str, str]) -> Destination:
    address = (config.address or environment.get(ADDRESS_VARIABLE) or "").strip().rstrip("/")
    if not address:
        raise Misconfigured(
            f"prometheus address is not configured: set provider.prometheus.address, or {ADDRESS_VARIABLE}"
        )
    if urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).hostname:
        raise Misconfigured(f'prometheus address "{address}" is not a URL such as http://prometheus.monitoring:9090')
    authentication = config.authentication.model_dump_json(exclude_none=True) if config.authentication else ""
    headers = tuple((header.key, header.value) for header in config.headers or ())
    return Destination(address=address, headers=headers, authentication=authentication, insecure=bool(config.insecure))


def _request(config: Config, now: datetime, timeout: float) -> tuple[str, dict[str, str]]:
    """The API's path below /api/v1, and the form to send."""
    if not config.query:
        raise Misconfigured("prometheus query is empty: set provider.prometheus.query")
    form = {"query": config.query, "timeout": f"{timeout:g}s"}
    if config.range_query is None:
        return "query", form
    times = {"start": config.range_query.start, "end": config.range_query.end}
    moments = {name: f"{_time(name, text, now).timestamp():.3f}" for name, text in times.items()}
    if float(moments["end"]) < float(moments["start"]):
        raise Misconfigured("prometheus rangeQuery: end is before start")
    return "query_range", {**form, **moments, "step": _step(config.range_query.step)}


def _time(name: str, text: str | None, now: datetime) -> datetime:
    if not text:
        raise Misconfigured(
            f'prometheus rangeQuery.{name} is empty: write an expression such as now() - duration("5m")'
        )
    try:
        return evaluate_time(text, now=now)
    except ConditionError as error:
        raise Misconfigured(f"prometheus rangeQuery.{name}: {error}") from error


def _step(text: str | None) -> str:
    try:
        seconds = parse_duration(text or "")
    except ValueError as error:
        raise Misconfigured(f"prometheus rangeQuery.step: {error}") from error
    if seconds <= 0:
        raise Misconfigured("prometheus rangeQuery.step must be longer than 0")
    return f"{seconds:g}"


# -- answers -----------------------------------------------------------------------------------------------------------


def answer(reply: Reply) -> Answer:
    """The reply as a result for conditions and as text. Raises Refused for a kind that is not known."""
    read = _KINDS.get(reply.kind)
    if read is None:
        raise Refused(f"Prometheus answered with a {reply.kind or 'result of no kind'}, which cannot be judged")
    try:
        result, value = read(reply.result)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise Refused(
            f"Prometheus answered with a {reply.kind} in a form that is not known: check the address"
        ) from error
    metadata = {"warnings": "; ".join(reply.warnings)} if reply.warnings else {}
    return Answer(result=result, value=value, metadata=metadata, labels=_labels(reply))


def _labels(reply: Reply) -> tuple[Mapping[str, str], ...]:
    if reply.kind != "vector":
        return ()
    return tuple(series.get("metric") or {} for series in reply.result if "value" in series)


def _scalar(result: Any) -> tuple[Any, str]:
    number = float(result[1])
    return number, plain_float(number)


def _vector(result: Any) -> tuple[Any, str]:
    return _list([float(series["value"][1]) for series in result if "value" in series])


def _matrix(result: Any) -> tuple[Any, str]:
    return _list([float(sample[1]) for series in result for sample in series.get("values") or ()])


def _list(numbers: list[float]) -> tuple[Any, str]:
    return numbers, f"[{','.join(map(plain_float, numbers))}]"


def _string(result: Any) -> tuple[Any, str]:
    return str(result[1]), str(result[1])


_KINDS: dict[str, Callable[[Any], tuple[Any, str]]] = {
    "scalar": _scalar,
    "vector": _vector,
    "matrix": _matrix,
    "string": _string,
}
