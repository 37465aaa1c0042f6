"""Any HTTP service: a request, and a value picked from its JSON answer by a JSONPath.

    {$.data.ok}           -> true                          result
    {$.items[*].latency}  -> the first match, as in the peer
    no jsonPath           -> the whole answer              result.data.ok && result.data.items[0].latency < 10

An answer that is not JSON is a string, unless a jsonPath asks for more. Anything but 2xx is an error. A GET is tried
again on a 429, a 5xx or a lost connection; a POST or PUT is sent once, for it may change something.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.auth import AuthBase

from analysis.providers.authentication import Authenticators
from analysis.providers.base import Answer, Context, Misconfigured, Refused, seconds_allowed
from analysis.providers.client import LARGEST_ANSWER
from analysis.providers.http import (
    CONNECT_SECONDS,
    Destination,
    Pools,
    accept,
    bounded,
    credentials_sent,
    refusal,
    transport_error,
)
from analysis.providers.retries import retrying
from analysis.providers.text import shown
from analysis.spec import Metric
from analysis.spec.providers import Web as Config

_WHO = "the web service"


@dataclass(slots=True)
class WebProvider:
    """Asks HTTP services. One object serves any number of metrics; `close` it in the end."""

    _pools: Pools = field(default_factory=Pools)
    _authenticators: Authenticators = field(
        default_factory=lambda: Authenticators(service="execute-api", environment=os.environ)
    )

    async def run(self, metric: Metric, *, context: Context) -> Answer:
        """Send the request and pick the value. Raises ProviderError."""
        config = _config(metric)
        timeout = seconds_allowed(metric)
        _check(config)
        parts = urlsplit(config.url)
        destination = Destination(address=f"{parts.scheme}://{parts.netloc}", insecure=bool(config.insecure))

        auth = self._authenticators.of(config.authentication, verify=not config.insecure, timeout=timeout)

        def work() -> tuple[str, bytes]:
            return _send(config, timeout, auth, context.hide)

        found: tuple[str, bytes]
        if (config.method or "GET") == "GET":
            found = await retrying(timeout)(self._pools.call, destination, work)
        else:
            found = await self._pools.call(destination, work)
        return answer(config, found[1].decode(found[0], errors="replace"))

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        """Nothing."""
        return {}

    async def close(self) -> None:
        """Close the pools."""
        self._pools.close()


def _config(metric: Metric) -> Config:
    if metric.provider.web is None:
        raise Misconfigured(f'metric "{metric.name}" has no web provider')
    return metric.provider.web


def _check(config: Config) -> None:
    parts = urlsplit(config.url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Misconfigured(f'web url "{config.url}" is not a URL such as http://service.namespace/path')
    if config.body and config.json_body is not None:
        raise Misconfigured("web: use either body or jsonBody, not both")
    if (config.method or "GET") == "GET" and (config.body or config.json_body is not None):
        raise Misconfigured("web: a body can be sent with method POST or PUT only")


def _send(config: Config, timeout: float, auth: AuthBase | None, hide: Callable[[str], None]) -> tuple[str, bytes]:
    """Encoding and body of the answer. A session for each request: measurements of one service are far apart."""
    headers = {header.key: header.value for header in config.headers or ()}
    deadline = time.monotonic() + timeout
    accept(insecure=bool(config.insecure))
    try:
        with requests.request(
            config.method or "GET",
            config.url,
            headers=headers,
            data=config.body.encode() if config.body else None,
            json=config.json_body,
            auth=auth,
            verify=not config.insecure,
            timeout=(min(CONNECT_SECONDS, timeout), timeout),
            stream=True,
        ) as reply:
            for text in credentials_sent(reply):
                hide(text)
            body = bounded(reply, _WHO, config.url, largest=LARGEST_ANSWER, deadline=deadline)
            if reply.status_code // 100 != 2:
                raise refusal(reply, _WHO, config.url, body[:200].decode(errors="replace").strip())
            return _encoding(reply), body
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise transport_error(error, _WHO, config.url, timeout) from error


def _encoding(reply: requests.Response) -> str:
    try:
        return "utf-8" if "x".encode(reply.encoding or "") != b"x" else str(reply.encoding)
    except LookupError:
        return "utf-8"


def answer(config: Config, body: str) -> Answer:
    """The value that `jsonPath` picks from a body. Raises Misconfigured or Refused."""
    path = _path(config.json_path)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        if path:
            raise Refused(f"{_WHO} at {config.url} did not answer with JSON: {body[:100]!r}") from error
        document = body
    found = _picked(document, path) if path else document
    return Answer(result=found, value=shown(found))


def check_path(text: str) -> None:
    """Whether `jsonPath` can be read. Raises Misconfigured."""
    import jsonpath  # here: 4 MB that most controllers never need

    path = _path(text)
    try:
        jsonpath.compile(path)
    except (jsonpath.JSONPathError, RecursionError) as error:
        raise _unusable(path, error) from error


def _path(text: str | None) -> str:
    path = (text or "").strip()
    return path[1:-1].strip() if path.startswith("{") and path.endswith("}") else path


def _unusable(path: str, error: Exception) -> Misconfigured:
    return Misconfigured(f"web jsonPath {path!r} cannot be used: {str(error).splitlines()[0]}")


def _picked(document: Any, path: str) -> Any:
    import jsonpath

    try:
        found = jsonpath.findall(path, document)
    except (jsonpath.JSONPathError, RecursionError) as error:
        raise _unusable(path, error) from error
    if not found:
        raise Refused(f"web jsonPath {path!r} finds nothing in the answer: {json.dumps(document)[:200]}")
    return found[0]
