"""Pushes heard of at once: `POST /hook/<namespace>/<name>` from GitHub, GitLab, Gitea, Forgejo, Bitbucket or anybody.

A webhook is a hint and nothing else (R38): it makes a pass begin sooner, and what the pass finds is asked of the
repository itself. No address of a payload is ever called. Still every request must prove that it knows the secret of
this GitSync: a signature over the raw bytes, or a token, compared in constant time. Whoever can't gets the same answer,
whether the GitSync exists or not. Bodies are bounded, repeated deliveries are heard once, and there are ten a second at
most. Polling goes on as before (R39).
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import structlog
from aiohttp import web

from rollouts.gitops.gitsync import hooksecret
from rollouts.gitops.objects import JSON

log = structlog.get_logger(__name__)

LARGEST = 1024 * 1024
PER_SECOND = 10.0
REMEMBERED = 1000

Proof = Callable[[str, bytes, bytes], bool]
"""Header, secret, body: whether the header proves that its sender knows the secret."""


def _signed(header: str, secret: bytes, body: bytes) -> bool:
    """`sha256=<hex>`, as GitHub and Bitbucket write it, or the bare hex of Gitea and Forgejo."""
    wanted = hmac.new(secret, body, hashlib.sha256).hexdigest()
    return _same(header.removeprefix("sha256="), wanted)


def _token(header: str, secret: bytes, body: bytes) -> bool:
    return _same(header.removeprefix("Bearer "), secret.decode("utf-8", errors="replace"))


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", errors="replace"), wanted.encode())


PROOFS: Mapping[str, Proof] = {
    "X-Forgejo-Signature": _signed,
    "X-Gitea-Signature": _signed,
    "X-Hub-Signature-256": _signed,
    "X-Hub-Signature": _signed,
    "X-Gitlab-Token": _token,
    "X-Signature-256": _signed,
    "Authorization": _token,
}
"""In order of precedence; the first header that is there decides alone."""

DELIVERIES = ("X-GitHub-Delivery", "X-Forgejo-Delivery", "X-Gitea-Delivery", "X-Gitlab-Event-UUID", "X-Request-UUID")


def proven(headers: Mapping[str, str], secret: bytes, body: bytes) -> bool:
    """Whether a request knows the secret. An empty secret proves nothing."""
    if not secret.strip():
        return False
    found = next(((headers[name], proof) for name, proof in PROOFS.items() if name in headers), None)
    return found is not None and found[1](found[0], secret.strip(), body)


def refs(body: bytes) -> frozenset[str] | None:
    """The refs a payload speaks of; empty when it names none, None when it is no payload at all.

    Any JSON is taken, also as the field `payload` of a form (what GitHub sends unless told otherwise), and only text at
    the few known places is looked at.
    """
    if not body.strip():
        return frozenset()
    try:
        payload = json.loads(_unpacked(body))
    except (ValueError, RecursionError):
        return None
    return frozenset(_refs(payload)) if isinstance(payload, Mapping) else None


def _unpacked(body: bytes) -> bytes:
    return parse_qs(body).get(b"payload", [b""])[0] if body.startswith(b"payload=") else body


def _refs(payload: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(payload.get("ref"), str):
        yield payload["ref"]
    push = payload.get("push")
    changes = push.get("changes") if isinstance(push, Mapping) else None
    for change in changes if isinstance(changes, list) else ():
        new = change.get("new") if isinstance(change, Mapping) else None
        if isinstance(new, Mapping) and isinstance(new.get("name"), str):
            yield new["name"]


def concerns(named: frozenset[str], revision: str) -> bool:
    """Whether a push to these refs may move the revision. HEAD and ranges may mean any of them."""
    plain = {ref.removeprefix("refs/heads/").removeprefix("refs/tags/") for ref in named}
    return not named or revision in ("", "HEAD") or revision in plain or not revision.replace("/", "").isidentifier()


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """What the server needs. `find`: the GitSync; `secret`: a Secret; `hint`: look soon; `answered`: told the status of
    each answer; `secret_seen`: told the GitSync, and what is wrong with its Secret, empty for nothing.
    `largest`: bytes of a body; `per_second`: so many are answered."""

    find: Callable[[str, str], JSON | None]
    secret: Callable[[str, str], Awaitable[JSON]]
    hint: Callable[[str, str], Awaitable[None]]
    answered: Callable[[int], None] = lambda code: None
    secret_seen: Callable[[JSON, str], None] = lambda found, fault: None
    largest: int = LARGEST
    per_second: float = PER_SECOND


class Webhooks:
    """Answers requests."""

    def __init__(self, door: Door, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._door = door
        self._clock = clock
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._allowance, self._at = door.per_second, clock()

    async def answer(self, request: web.Request) -> web.Response:
        """Answer, and have it counted."""
        try:
            response = await self._answer(request)
        except web.HTTPRequestEntityTooLarge as refused:
            self._door.answered(refused.status)
            raise
        self._door.answered(response.status)
        return response

    async def _answer(self, request: web.Request) -> web.Response:
        """202: heard. 200: heard before, or not about this revision. 404 for whoever proves nothing."""
        if not self._allowed():
            return web.Response(status=429, headers={"Retry-After": "1"})
        namespace, name = request.match_info["namespace"], request.match_info["name"]
        body = await request.read()
        found = self._door.find(namespace, name)
        secret = await self._secret(found, namespace)
        if found is None or not proven(request.headers, secret, body):
            log.info("a webhook proved nothing", gitsync=f"{namespace}/{name}")
            return web.Response(status=404)
        named = refs(body)
        if named is None:
            return web.Response(status=400, text="the body is no JSON object\n")
        revision = str(found["spec"]["source"].get("targetRevision") or "HEAD")
        if self._heard(request, name=f"{namespace}/{name}") or not concerns(named, revision):
            return web.Response(status=200)
        await self._door.hint(namespace, name)
        return web.Response(status=202)

    async def _secret(self, found: JSON | None, namespace: str) -> bytes:
        name = None if found is None else hooksecret.name_of(found)
        if found is None or name is None:
            return b""
        token = await hooksecret.read(self._door.secret, namespace=namespace, name=name)
        if token.fault is not None:
            self._door.secret_seen(found, token.fault)
        return token.value

    def _allowed(self) -> bool:
        now = self._clock()
        most = self._door.per_second
        self._allowance = min(most, self._allowance + (now - self._at) * most)
        self._at = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True

    def _heard(self, request: web.Request, *, name: str) -> bool:
        """Whether the sender delivered exactly this before (it repeats what it thinks was lost)."""
        delivery = next((request.headers[key] for key in DELIVERIES if key in request.headers), "")
        if not delivery:
            return False
        known = (name, delivery[:200]) in self._seen
        self._seen[name, delivery[:200]] = None
        while len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        return known


@contextlib.asynccontextmanager
async def serving(door: Door, *, port: int, host: str | None = None) -> AsyncIterator[int]:
    """Serve while the context lasts, on a port of its own; the port taken. 0: any free one of 127.0.0.1."""
    app = web.Application(client_max_size=door.largest)
    app.router.add_post("/hook/{namespace}/{name}", Webhooks(door).answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host=host if port else host or "127.0.0.1", port=port).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
