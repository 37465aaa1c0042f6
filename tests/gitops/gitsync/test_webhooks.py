"""Webhooks (R38, R39; §2.5 E, G): who proves nothing is not heard, what is hostile does no harm."""

from __future__ import annotations

import base64
import hashlib
import hmac
import io
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote_plus

import aiohttp
import pytest

from rollouts.gitops.gitsync import webhooks
from rollouts.gitops.gitsync.webhooks import Door, concerns, refs, serving

SECRET = b"a-secret"
PUSH = json.dumps({"ref": "refs/heads/main", "repository": {"clone_url": "https://evil.example/x"}}).encode()
FORM = b"payload=" + quote_plus(PUSH.decode()).encode()
BITBUCKET = json.dumps({"push": {"changes": [{"new": {"name": "main"}}]}}).encode()


def signature(body: bytes, secret: bytes = SECRET) -> str:
    return hmac.new(secret, body, hashlib.sha256).hexdigest()


class Hooks:
    """A server, what it heard, and requests to it."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.token = SECRET
        self.faults: list[str] = []
        self.port = 0

    def find(self, namespace: str, name: str) -> dict[str, Any] | None:
        webhook = {} if name == "deaf" else {"webhook": {"secretRef": {"name": "hook"}}}
        return {"spec": {"source": {"targetRevision": "main"}, **webhook}} if name in ("shop", "deaf") else None

    async def secret(self, namespace: str, name: str) -> dict[str, Any]:
        return {"data": {"token": base64.b64encode(self.token).decode()}}

    async def hint(self, namespace: str, name: str) -> None:
        self.heard.append(f"{namespace}/{name}")

    async def post(self, body: bytes, headers: dict[str, str], name: str = "shop") -> int:
        url = f"http://127.0.0.1:{self.port}/hook/team/{name}"
        async with (
            aiohttp.ClientSession() as session,
            session.post(url, data=io.BytesIO(body), headers=headers) as answer,
        ):
            return answer.status


@pytest.fixture
async def hooks() -> AsyncIterator[Hooks]:
    made = Hooks()
    seen = lambda found, fault: made.faults.append(fault)  # noqa: E731
    async with serving(Door(find=made.find, secret=made.secret, hint=made.hint, secret_seen=seen), port=0) as port:
        made.port = port
        yield made


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (PUSH, {"X-Hub-Signature-256": f"sha256={signature(PUSH)}", "X-GitHub-Delivery": "1"}),
        (FORM, {"X-Hub-Signature-256": f"sha256={signature(FORM)}", "X-GitHub-Event": "push"}),
        (BITBUCKET, {"X-Hub-Signature": f"sha256={signature(BITBUCKET)}"}),
        (PUSH, {"X-Gitea-Signature": signature(PUSH)}),
        (PUSH, {"X-Forgejo-Signature": signature(PUSH), "X-Gitea-Signature": "also sent"}),
        (PUSH, {"X-Gitlab-Token": SECRET.decode()}),
        (b"", {"Authorization": f"Bearer {SECRET.decode()}"}),
        (b"{}", {"X-Signature-256": f"sha256={signature(b'{}')}"}),
    ],
    ids=["GitHub", "GitHub, as a form", "Bitbucket", "Gitea", "Forgejo", "GitLab", "a token", "a signature"],
)
async def test_each_forge_is_heard(hooks: Hooks, body: bytes, headers: dict[str, str]) -> None:
    assert await hooks.post(body, headers) == 202
    assert hooks.heard == ["team/shop"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Hub-Signature-256": f"sha256={signature(PUSH, b'other')}"},
        {"X-Hub-Signature-256": f"sha256={signature(b'another body')}"},
        {"X-Hub-Signature-256": "sha256="},
        {"X-Hub-Signature-256": "sha1=abc", "X-Gitlab-Token": SECRET.decode()},
        {"X-Gitlab-Token": "a-secre"},
        {"Authorization": "Bearer "},
        {"X-Gitlab-Token": "ä"},
    ],
)
async def test_a_forgery_is_not_heard_and_learns_nothing(hooks: Hooks, headers: dict[str, str]) -> None:
    answers = [await hooks.post(PUSH, headers, name) for name in ("shop", "deaf", "nobody")]
    assert answers == [404, 404, 404]
    assert hooks.heard == []


async def test_an_empty_secret_opens_nothing(hooks: Hooks) -> None:
    hooks.token = b" \n"
    assert await hooks.post(PUSH, {"X-Gitlab-Token": ""}) == 404
    assert await hooks.post(PUSH, {"X-Hub-Signature-256": f"sha256={signature(PUSH, b'')}"}) == 404
    assert ["is blank" in fault for fault in hooks.faults] == [True, True]


async def test_whose_secret_it_was_is_told_to_the_people_and_not_to_the_sender(hooks: Hooks) -> None:
    """Only of a GitSync that has a webhook: nobody else's Secret is looked at."""
    headers = {"X-Gitlab-Token": SECRET.decode()}
    assert [await hooks.post(PUSH, headers, name) for name in ("shop", "deaf", "nobody")] == [202, 404, 404]
    assert hooks.faults == [""]


@pytest.mark.parametrize(
    "body",
    [
        b"[",
        b"[]",
        b'"x"',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"ref":' * 50_000,
        b"payload=%5B",
        b"payload=",
        b"payload=%FF",
        b"ref=x",
    ],
    ids=lambda body: repr(body[:8]),
)
async def test_a_hostile_body_is_a_bad_request(hooks: Hooks, body: bytes) -> None:
    assert await hooks.post(body, {"X-Gitea-Signature": signature(body)}) == 400


@pytest.mark.parametrize(
    "payload",
    [
        {"ref": None},
        {"ref": ["refs/heads/main"]},
        {"push": None},
        {"push": {"changes": None}},
        {"push": {"changes": [None, {"new": None}, {"new": {"name": 3}}]}},
    ],
)
def test_what_a_payload_lacks_is_no_error(payload: dict[str, Any]) -> None:
    """CVE-2025-59531 and its like: nil and wrong types where an array was expected."""
    assert refs(json.dumps(payload).encode()) == frozenset()


async def test_a_body_that_is_too_large_is_refused(hooks: Hooks) -> None:
    assert await hooks.post(b" " * (webhooks.LARGEST + 1), {"X-Gitlab-Token": SECRET.decode()}) == 413


async def test_a_delivery_is_heard_once(hooks: Hooks) -> None:
    headers = {"X-Hub-Signature-256": f"sha256={signature(PUSH)}", "X-GitHub-Delivery": "7"}
    assert [await hooks.post(PUSH, headers) for _ in range(2)] == [202, 200]
    assert hooks.heard == ["team/shop"]


async def test_a_flood_is_turned_away(hooks: Hooks) -> None:
    answers = [await hooks.post(b"", {}) for _ in range(30)]
    assert 429 in answers


@pytest.mark.parametrize(
    ("ref", "revision", "wanted"),
    [
        ("refs/heads/main", "main", True),
        ("refs/heads/other", "main", False),
        ("refs/tags/v1", "v1", True),
        ("refs/heads/other", "HEAD", True),
        ("refs/tags/v1.2.3", ">=1.0.0", True),
        ("refs/heads/a/b", "a/b", True),
    ],
)
def test_only_pushes_that_may_matter_are_passed_on(ref: str, revision: str, wanted: bool) -> None:
    assert concerns(frozenset({ref}), revision) is wanted


async def test_budgets_of_webhooks_can_be_set_and_what_is_too_much_is_counted() -> None:
    """§2.6."""
    made, codes = Hooks(), []
    door = Door(
        find=made.find, secret=made.secret, hint=made.hint, answered=codes.append, largest=len(PUSH), per_second=3
    )
    async with serving(door, port=0) as port:
        made.port = port
        signed = {"X-Hub-Signature-256": signature(PUSH)}
        answers = [await made.post(PUSH, signed), await made.post(PUSH + b" ", signed)]
        answers += [await made.post(PUSH, signed) for _ in range(10)]
    assert answers[:2] == [202, 413]
    assert 429 in answers
    assert codes == answers
