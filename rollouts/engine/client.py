"""The one connection to the API server: credentials, TLS, five verbs, and a count of every request.

kopf watches through the same session (`Api.session`), so its requests are counted too. Bodies and answers are plain
dictionaries. Only reads, patches and deletions are repeated by themselves (429, 5xx, lost connections): they may be
sent twice without harm. A conflict never is: it means a new plan.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
import orjson
import tenacity

from rollouts.api.kinds import Kind
from rollouts.engine.errors import ApiError, TooManyRequestsError, UnavailableError, from_response

JSON = Mapping[str, Any]

MERGE: Final = "application/merge-patch+json"
JSON_PATCH: Final = "application/json-patch+json"
APPLY: Final = "application/apply-patch+yaml"
FIELD_MANAGER: Final = "rollouts"
_TIMEOUT: Final = aiohttp.ClientTimeout(total=30, connect=10)
_PATIENCE: Final = 10.0
_KEPT: Final = 30.0
"""Seconds an idle connection is kept, below the 90 of an API server and the 35 of usual load balancers: a TLS handshake
costs as much as several requests."""
_REPEATABLE: Final = frozenset({"GET", "PATCH", "DELETE"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request, prepared but not sent. `path` as `Kind.path` gives it."""

    method: str
    path: str
    body: JSON | Sequence[JSON] | None = None
    content_type: str = "application/json"
    params: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Api:
    """Verbs on kinds. Every method raises `ApiError` when the server says no."""

    def __init__(self, *, session: aiohttp.ClientSession, server: str) -> None:
        self.session = session
        self.server = server
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self.headers: Mapping[str, str] = {}

    def acting_as(self, user: str) -> Api:
        """The same connection with the rights of another user, which we must be allowed to impersonate."""
        if not user:
            raise ValueError("impersonating nobody would mean acting with our own rights")
        other = Api(session=self.session, server=self.server)
        other.requests = self.requests
        other.headers = {"Impersonate-User": user}
        return other

    def accepting(self, media_type: str) -> Api:
        """The same connection, with answers in another form, such as metadata alone."""
        other = Api(session=self.session, server=self.server)
        other.requests = self.requests
        other.headers = {**self.headers, "Accept": media_type}
        return other

    async def get(self, kind: Kind, namespace: str | None, name: str) -> dict[str, Any]:
        """One object."""
        return await self.send(Request(method="GET", path=kind.path(namespace, name)))

    async def list(
        self, kind: Kind, namespace: str | None = None, *, selector: str = "", limit: int = 0
    ) -> dict[str, Any]:
        """A list: `items`, and `metadata.resourceVersion`. Items get their apiVersion and kind. `limit`: the first so
        many are enough; 0: all."""
        params = {"labelSelector": selector} if selector else {}
        params |= {"limit": str(limit)} if limit else {}
        found = await self.send(Request(method="GET", path=kind.path(namespace), params=params))
        for item in found.get("items") or ():
            item.setdefault("apiVersion", kind.api_version)
            item.setdefault("kind", kind.kind)
        return found

    async def create(self, kind: Kind, namespace: str | None, body: JSON) -> dict[str, Any]:
        """Create; `AlreadyExistsError` when the name is taken."""
        return await self.send(Request(method="POST", path=kind.path(namespace), body=body))

    async def patch(
        self, kind: Kind, namespace: str | None, name: str, body: JSON, *, subresource: str | None = None
    ) -> dict[str, Any]:
        """A JSON merge patch."""
        path = kind.path(namespace, name, subresource)
        return await self.send(Request(method="PATCH", path=path, body=body, content_type=MERGE))

    async def json_patch(
        self, kind: Kind, namespace: str | None, name: str, operations: Sequence[JSON]
    ) -> dict[str, Any]:
        """A JSON patch. One that sets `/metadata/resourceVersion` is a `ConflictError` when the object is newer."""
        path = kind.path(namespace, name)
        return await self.send(Request(method="PATCH", path=path, body=operations, content_type=JSON_PATCH))

    async def apply(
        self, kind: Kind, namespace: str | None, name: str, body: JSON, *, manager: str, force: bool, dry_run: bool
    ) -> dict[str, Any]:
        """Server-side apply."""
        params = {"fieldManager": manager, "force": str(force).lower(), **({"dryRun": "All"} if dry_run else {})}
        path = kind.path(namespace, name)
        return await self.send(Request(method="PATCH", path=path, body=body, content_type=APPLY, params=params))

    async def delete(
        self, kind: Kind, namespace: str | None, name: str, *, uid: str | None = None, propagation: str = "Background"
    ) -> None:
        """Delete, dependents in the background unless asked otherwise; of exactly this uid when given."""
        body: dict[str, Any] = {"propagationPolicy": propagation}
        if uid:
            body["preconditions"] = {"uid": uid}
        await self.send(Request(method="DELETE", path=kind.path(namespace, name), body=body))

    async def evict(self, namespace: str, name: str, *, uid: str) -> None:
        """Evict a pod; `TooManyRequestsError` when a PodDisruptionBudget forbids it."""
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": namespace},
            "deleteOptions": {"preconditions": {"uid": uid}},
        }
        path = f"/api/v1/namespaces/{namespace}/pods/{name}/eviction"
        await self.send(Request(method="POST", path=path, body=body))

    async def send(self, request: Request) -> dict[str, Any]:
        """Send, repeat where that is harmless, decode."""
        try:
            return await self._once(request)
        except (TooManyRequestsError, UnavailableError) as error:
            if request.method not in _REPEATABLE:
                raise
            failure = error
        return await self._again(request, failure)

    async def _again(self, request: Request, failure: ApiError) -> dict[str, Any]:
        """Repeat what has failed once. Only then: `tenacity` costs a third of what a request does."""
        failures = [failure]
        async for attempt in tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(4),
            wait=_wait,
            retry=tenacity.retry_if_exception_type((TooManyRequestsError, UnavailableError)),
            reraise=True,
        ):
            with attempt:
                if failures:
                    raise failures.pop()
                return await self._once(request)
        raise AssertionError("tenacity either returns or raises")

    async def _once(self, request: Request) -> dict[str, Any]:
        try:
            async with self.session.request(
                request.method,
                self.server + request.path,
                data=None if request.body is None else orjson.dumps(request.body),
                params=request.params or None,
                headers={"Content-Type": request.content_type, "Accept": "application/json", **self.headers},
                timeout=_TIMEOUT,
            ) as response:
                content = await response.read()
                retry_after = response.headers.get("Retry-After")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise UnavailableError(f"{request}: the API server did not answer: {_in_words(error)}") from error
        try:
            body = orjson.loads(content) if content else {}
        except orjson.JSONDecodeError:
            body = {"message": content.decode(errors="replace")}
        if response.status >= 400:
            raise from_response(response.status, body, request=str(request), retry_after=retry_after)
        return dict(body)


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, ApiError) else None
    return (
        min(asked, _PATIENCE) if asked is not None else tenacity.wait_random_exponential(multiplier=0.1, max=5)(state)
    )


def counting(counter: Counter[tuple[str, str, int]]) -> aiohttp.ClientMiddlewareType:
    """A middleware that counts (verb, resource, status) of every request on the session."""

    async def middleware(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        try:
            response = await handler(request)
        except (aiohttp.ClientError, OSError):
            counter[(request.method, resource_of(request.url.path), 0)] += 1
            raise
        counter[(request.method, resource_of(request.url.path), response.status)] += 1
        return response

    return middleware


def resource_of(path: str) -> str:
    """`rollouts/status` for `/apis/argoproj.io/v1alpha1/namespaces/ns/rollouts/web/status`."""
    parts = path.strip("/").split("/")
    parts = parts[3:] if parts[0] == "apis" else parts[2:]
    if parts[:1] == ["namespaces"] and len(parts) > 2:
        parts = parts[2:]
    return "/".join([*parts[:1], *parts[2:3]]) or "discovery"


def authorizing(token: Callable[[], Any]) -> aiohttp.ClientMiddlewareType:
    """A middleware that sets the Authorization header, asking anew each time (tokens are renewed)."""

    async def middleware(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        value = await token()
        if value:
            request.headers["Authorization"] = value
        return await handler(request)

    return middleware


def _in_words(error: Exception) -> str:
    """Many have no text at all (a timeout), others one that is no more than their fields."""
    reason = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    return str(reason) or type(error).__name__


@contextlib.asynccontextmanager
async def connect(*, kubeconfig: str | None = None, context: str | None = None) -> AsyncIterator[Api]:
    """An `Api` from a kubeconfig (given, or KUBECONFIG, or the default file) or from inside a pod."""
    from kubernetes.aio import client, config

    configuration = client.Configuration()
    path = kubeconfig or os.environ.get("KUBECONFIG") or None  # the library reads the variable once, on import
    if path is None and "KUBERNETES_SERVICE_HOST" in os.environ:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    else:
        await config.load_kube_config(config_file=path, context=context, client_configuration=configuration)  # type: ignore[no-untyped-call]
    counter: Counter[tuple[str, str, int]] = Counter()

    async def token() -> str | None:
        found: str | None = await configuration.get_api_key_with_prefix("BearerToken")
        return found

    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=_tls(configuration), limit=0, keepalive_timeout=_KEPT),
        cookie_jar=aiohttp.DummyCookieJar(),
        middlewares=(counting(counter), authorizing(token)),
        json_serialize=lambda value: orjson.dumps(value).decode(),
    )
    api = Api(session=session, server=configuration.host.rstrip("/"))
    api.requests = counter
    try:
        yield api
    finally:
        await session.close()
        await asyncio.sleep(0)


def _tls(configuration: Any) -> Any:
    import ssl

    if not configuration.verify_ssl:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    else:
        context = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    return context
