"""A thin, synchronous client of the API server: one kept connection, JSON in and out, watches, and nothing else.

Over `http.client`, whose import is a fifth of an HTTP library's; a command line sends a handful of requests and ends.
Several lists at once go over connections of their own (`gather`), so a far cluster costs two round trips, not seven.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urlsplit

from rollouts.api.kinds import Kind
from rollouts.cli.errors import ApiError, CliError, UnreachableError
from rollouts.cli.kubeconfig import Access
from rollouts.cli.tls import context_of

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
USER_AGENT = "kubectl-rollouts"
_BUSY = (429, 503)
_BUSY_PAUSES = (0.2, 0.5, 1.0)
Headers = Mapping[str, str]
_LOST = (http.client.HTTPException, ConnectionError, TimeoutError)


class Client:
    """Verbs on kinds. Every method raises ApiError for a refusal and UnreachableError without a connection.

    `timeout`: seconds for one request; watches have none.
    """

    def __init__(self, *, access: Access, timeout: float = 30.0) -> None:
        self.access = access
        self.timeout = timeout
        self._local = threading.local()
        self._open: list[http.client.HTTPConnection] = []
        self._tls = context_of(access) if access.server.startswith("https") else None

    def close(self) -> None:
        """Close every connection; a watch in another thread ends."""
        while self._open:
            _shut(self._open.pop())

    def get(self, kind: Kind, namespace: str | None, name: str) -> dict[str, Any]:
        """One object."""
        return self.request("GET", kind.path(namespace, name))

    def list(self, kind: Kind, namespace: str | None = None, *, labels: str = "", fields: str = "") -> dict[str, Any]:
        """A List object. `labels`, `fields`: selectors; empty for all."""
        return self.request("GET", kind.path(namespace), params=_selectors(labels=labels, fields=fields))

    def patch(self, path: str, body: Any, *, content_type: str = MERGE) -> dict[str, Any]:
        """A patch of the object at `path`: a merge patch unless another type is asked for."""
        return self.request("PATCH", path, body=body, content_type=content_type)

    def create(self, kind: Kind, namespace: str | None, body: Mapping[str, Any]) -> dict[str, Any]:
        """A new object."""
        return self.request("POST", kind.path(namespace), body=body)

    def request(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        content_type: str = "application/json",
        params: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """One request, the decoded answer. A server that is busy or starting is asked again, a few times."""
        target = f"{path}?{urlencode(params)}" if params else path
        data = None if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json", **({"Content-Type": content_type} if data else {})}
        for pause in (*_BUSY_PAUSES, None):
            with self._translated():
                answer = self._exchange(method, target, data, headers)
                if pause is None or answer.status not in _BUSY:
                    return _decoded(answer, request=f"{method} {path}")
                answer.read()
            time.sleep(pause)
        raise AssertionError("the last pause is None")

    def _exchange(self, method: str, target: str, data: bytes | None, headers: Headers) -> http.client.HTTPResponse:
        """Send on the kept connection; on a new one when the server has closed it meanwhile."""
        connection, kept = self._connection()
        try:
            return self._send(connection, method, target, data, headers)
        except _LOST:
            self._drop(connection)
            if not kept:
                raise
        return self._send(self._connection()[0], method, target, data, headers)

    def gather(self, *calls: Callable[[], Any]) -> Sequence[Any]:
        """The results of several calls made at once, in order; the first error is raised."""
        results: list[Any] = [None] * len(calls)
        threads = [threading.Thread(target=_collect, args=(results, at, call)) for at, call in enumerate(calls)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for result in results:
            if isinstance(result, Exception):
                raise result
        return results

    def watch(
        self, kind: Kind, namespace: str | None, *, version: str, labels: str = "", fields: str = ""
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Events (type, object) after `version` until the server ends the watch. ApiError 410: list again."""
        params = _selectors(labels=labels, fields=fields)
        params |= {"watch": "true", "resourceVersion": version, "allowWatchBookmarks": "true"}
        path = kind.path(namespace)
        with self._translated():
            connection = self._connect(timeout=None)
            try:
                answer = self._send(
                    connection, "GET", f"{path}?{urlencode(params)}", None, {"Accept": "application/json"}
                )
                if answer.status != 200:
                    _decoded(answer, request=f"watch {path}")
                yield from _events(answer, request=f"watch {path}")
            finally:
                self._drop(connection)

    def _connection(self) -> tuple[http.client.HTTPConnection, bool]:
        """This thread's connection, and whether it was used before."""
        found = getattr(self._local, "connection", None)
        if found is not None and found in self._open:
            return found, True
        self._local.connection = self._connect(timeout=self.timeout)
        return self._local.connection, False

    def _connect(self, *, timeout: float | None) -> http.client.HTTPConnection:
        url = urlsplit(self.access.proxy or self.access.server)
        target = urlsplit(self.access.server)
        connection = _connection(url.hostname or "", url.port or _port(url.scheme), timeout=timeout, tls=self._tls)
        if self.access.proxy:
            connection.set_tunnel(target.hostname or "", target.port or _port(target.scheme))
        self._open.append(connection)
        return connection

    def _drop(self, connection: http.client.HTTPConnection) -> None:
        with contextlib.suppress(ValueError):
            self._open.remove(connection)
        connection.close()

    def _send(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        data: bytes | None,
        headers: Headers,
    ) -> http.client.HTTPResponse:
        prefix = urlsplit(self.access.server).path.rstrip("/")
        connection.putrequest(method, prefix + target)
        for name, value in {"User-Agent": USER_AGENT, **self.access.headers, **headers}.items():
            for item in (value,) if isinstance(value, str) else value:
                connection.putheader(name, item)
        if data is not None:
            connection.putheader("Content-Length", str(len(data)))
        connection.endheaders(data)
        return connection.getresponse()

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except ssl.SSLError as error:
            raise UnreachableError(
                f"no trusted connection to {self.access.server}: {error.reason or error}",
                hint="Is the kubeconfig of this cluster? Its certificate-authority must match the server.",
            ) from None
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(
                f"can't reach the API server at {self.access.server}: {_reason(error)}",
                hint="Is the cluster up, and is this the right context? `kubectl config current-context` shows it.",
            ) from None


def _connection(
    host: str, port: int, *, timeout: float | None, tls: ssl.SSLContext | None
) -> http.client.HTTPConnection:
    if tls is None:
        return http.client.HTTPConnection(host, port, timeout=timeout)
    return http.client.HTTPSConnection(host, port, timeout=timeout, context=tls)


def _port(scheme: str) -> int:
    return {"http": 80}.get(scheme, 443)


def _selectors(*, labels: str, fields: str) -> dict[str, str]:
    given = {"labelSelector": labels, "fieldSelector": fields}
    return {name: value for name, value in given.items() if value}


def _decoded(answer: http.client.HTTPResponse, *, request: str) -> dict[str, Any]:
    data = answer.read()
    try:
        body = json.loads(data) if data else {}
    except ValueError:
        body = {"message": data[:200].decode(errors="replace").strip()}
    if answer.status >= 400:
        raise ApiError(status=answer.status, body=body if isinstance(body, dict) else {}, request=request)
    if not isinstance(body, dict):
        raise CliError(f"{request}: the answer is no object", hint="Is this the address of a Kubernetes API server?")
    return body


def _events(answer: http.client.HTTPResponse, *, request: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for line in answer:
        event = json.loads(line)
        if event.get("type") == "ERROR":
            body = event.get("object") or {}
            raise ApiError(status=int(body.get("code") or 500), body=body, request=request)
        yield str(event.get("type")), event.get("object") or {}


def _collect(results: list[Any], at: int, call: Callable[[], Any]) -> None:
    try:
        results[at] = call()
    except Exception as error:
        results[at] = error


def _shut(connection: http.client.HTTPConnection) -> None:
    """Close for good: a thread that reads from the socket wakes up."""
    import socket

    with contextlib.suppress(OSError):
        if connection.sock is not None:
            connection.sock.shutdown(socket.SHUT_RDWR)
    connection.close()


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(getattr(error, "strerror", None) or error or type(error).__name__)
