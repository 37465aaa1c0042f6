"""The client over real HTTP: what is sent, what is repeated, what errors say, and that every request is counted."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from rollouts.api import kinds
from rollouts.engine.client import Api, authorizing, counting, resource_of
from rollouts.engine.errors import (
    AlreadyExistsError,
    ApiError,
    ConflictError,
    ForbiddenError,
    GoneError,
    InvalidError,
    NotFoundError,
    TooManyRequestsError,
    UnavailableError,
)

Answer = Callable[[], web.Response]


class Server:
    """Answers with what is queued, then with `{}`; keeps what it was sent."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.seen: list[tuple[web.Request, Any]] = []

    def will(self, *answers: Answer) -> None:
        """Answer the next requests so."""
        self.answers += answers

    async def handle(self, request: web.Request) -> web.Response:
        content = await request.read()
        self.seen.append((request, orjson.loads(content) if content else None))
        answer = self.answers.pop(0) if self.answers else dict
        if answer is cut:
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({}) if answer is dict else answer()


def status(code: int, *, reason: str = "", headers: dict[str, str] | None = None) -> Answer:
    body = {"kind": "Status", "message": f"because of {code}", "reason": reason}
    return lambda: web.json_response(body, status=code, headers=headers)


def cut() -> web.Response:
    """In place of an answer, the connection ends."""
    return web.Response()


@contextlib.asynccontextmanager
async def served(server: Server) -> AsyncIterator[Api]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.handle)
    counter: Counter[tuple[str, str, int]] = Counter()
    tokens = iter(f"Bearer {number}" for number in range(100))

    async def token() -> str:
        return next(tokens)

    async with (
        TestServer(app) as running,
        aiohttp.ClientSession(middlewares=(counting(counter), authorizing(token))) as session,
    ):
        api = Api(session=session, server=str(running.make_url("")).rstrip("/"))
        api.requests = counter
        yield api


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def api(server: Server) -> AsyncIterator[Api]:
    async with served(server) as connected:
        yield connected


async def test_verbs_send_what_kubernetes_expects(api: Api, server: Server) -> None:
    body = {"metadata": {"name": "web"}}
    await api.get(kinds.ROLLOUT, "ns", "web")
    await api.create(kinds.ROLLOUT, "ns", body)
    await api.patch(kinds.ROLLOUT, "ns", "web", {"status": {}}, subresource="status")
    await api.apply(kinds.ROLLOUT, "ns", "web", body, manager="sync", force=True, dry_run=True)
    await api.delete(kinds.ROLLOUT, "ns", "web", uid="u")
    await api.evict("ns", "web-1", uid="u")
    base = "/apis/argoproj.io/v1alpha1/namespaces/ns/rollouts"
    assert [(request.method, request.path, request.content_type) for request, _ in server.seen] == [
        ("GET", f"{base}/web", "application/json"),
        ("POST", base, "application/json"),
        ("PATCH", f"{base}/web/status", "application/merge-patch+json"),
        ("PATCH", f"{base}/web", "application/apply-patch+yaml"),
        ("DELETE", f"{base}/web", "application/json"),
        ("POST", "/api/v1/namespaces/ns/pods/web-1/eviction", "application/json"),
    ]
    assert dict(server.seen[3][0].query) == {"fieldManager": "sync", "force": "true", "dryRun": "All"}
    assert server.seen[4][1] == {"propagationPolicy": "Background", "preconditions": {"uid": "u"}}
    assert server.seen[5][1]["deleteOptions"] == {"preconditions": {"uid": "u"}}


async def test_listed_items_say_what_they_are(api: Api, server: Server) -> None:
    server.will(lambda: web.json_response({"metadata": {"resourceVersion": "7"}, "items": [{"metadata": {}}]}))
    found = await api.list(kinds.REPLICA_SET, selector="hash")
    assert found["items"] == [{"metadata": {}, "apiVersion": "apps/v1", "kind": "ReplicaSet"}]
    assert (server.seen[0][0].path, dict(server.seen[0][0].query)) == (
        "/apis/apps/v1/replicasets",
        {"labelSelector": "hash"},
    )


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (400, "", InvalidError),
        (401, "", ForbiddenError),
        (403, "", ForbiddenError),
        (404, "", NotFoundError),
        (409, "Conflict", ConflictError),
        (409, "AlreadyExists", AlreadyExistsError),
        (410, "", GoneError),
        (418, "", ApiError),
        (422, "", InvalidError),
    ],
)
async def test_errors_have_a_type_and_say_what_was_asked_and_why_not(
    api: Api, server: Server, code: int, reason: str, kind: type[ApiError]
) -> None:
    server.will(status(code, reason=reason))
    with pytest.raises(kind, match=f"^GET /apis/argoproj.io/.*/web: because of {code}$") as raised:
        await api.get(kinds.ROLLOUT, "ns", "web")
    assert type(raised.value) is kind
    assert len(server.seen) == 1


@pytest.mark.parametrize("trouble", [status(500), status(503), status(429, headers={"Retry-After": "0"}), cut])
async def test_what_may_be_repeated_is(api: Api, server: Server, trouble: Answer) -> None:
    server.will(trouble, trouble, lambda: web.json_response({"ok": True}))
    assert await api.patch(kinds.ROLLOUT, "ns", "web", {}) == {"ok": True}
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    ("trouble", "kind"), [(status(500), UnavailableError), (status(429), TooManyRequestsError), (cut, UnavailableError)]
)
async def test_a_creation_is_sent_once(api: Api, server: Server, trouble: Answer, kind: type[ApiError]) -> None:
    server.will(trouble)
    with pytest.raises(kind):
        await api.create(kinds.ROLLOUT, "ns", {"metadata": {"name": "web"}})
    assert len(server.seen) == 1


async def test_repeating_ends(api: Api, server: Server) -> None:
    server.will(*[status(503, headers={"Retry-After": "0"})] * 9)
    with pytest.raises(UnavailableError, match="because of 503"):
        await api.get(kinds.ROLLOUT, "ns", "web")
    assert len(server.seen) == 4


async def test_an_answer_that_is_not_json_is_quoted(api: Api, server: Server) -> None:
    server.will(lambda: web.Response(status=404, text="404 page not found"))
    with pytest.raises(NotFoundError, match="404 page not found"):
        await api.get(kinds.ROLLOUT, "ns", "web")


async def test_a_server_that_is_not_there_is_unavailable(server: Server) -> None:
    async with served(server) as api:
        api.server = "http://127.0.0.1:1"
        with pytest.raises(UnavailableError, match=r"did not answer: \[Errno 111\] Connect call failed"):
            await api.create(kinds.ROLLOUT, "ns", {})
        assert api.requests == {("POST", "rollouts", 0): 1}


async def test_every_attempt_is_counted_and_authorized_anew(api: Api, server: Server) -> None:
    server.will(status(503, headers={"Retry-After": "0"}))
    await api.patch(kinds.ROLLOUT, "ns", "web", {}, subresource="status")
    assert api.requests == {("PATCH", "rollouts/status", 503): 1, ("PATCH", "rollouts/status", 200): 1}
    assert [request.headers["Authorization"] for request, _ in server.seen] == ["Bearer 0", "Bearer 1"]


async def test_requests_of_others_on_the_session_are_counted_too(api: Api) -> None:
    async with api.session.get(f"{api.server}/apis/apps/v1/replicasets", params={"watch": "true"}):
        pass
    assert api.requests == {("GET", "replicasets", 200): 1}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/apis/argoproj.io/v1alpha1/namespaces/ns/rollouts/web/status", "rollouts/status"),
        ("/apis/argoproj.io/v1alpha1/rollouts", "rollouts"),
        ("/api/v1/namespaces/ns/pods/p/eviction", "pods/eviction"),
        ("/api/v1/namespaces/ns", "namespaces"),
        ("/apis/coordination.k8s.io/v1/namespaces/ns/leases/l", "leases"),
        ("/apis", "discovery"),
        ("/version", "discovery"),
    ],
)
def test_names_of_objects_do_not_become_labels(path: str, expected: str) -> None:
    assert resource_of(path) == expected
