"""R38: a webhook that can't work says so on its GitSync: what is wrong with its Secret, and what to do."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import pytest

from rollouts.engine.errors import ForbiddenError, NotFoundError, UnavailableError
from rollouts.gitops.gitsync import hooksecret
from rollouts.gitops.gitsync.decide import decide
from rollouts.gitops.gitsync.values import Facts, Mandate
from tests.gitops.gitsync.world import after, at, condition, finding, quiet, settled, stored, sync

HOOKED = {"webhook": {"secretRef": {"name": "hook"}}}
TOKEN = "hunter22"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def read(answer: Mapping[str, Any] | Exception) -> hooksecret.Token:
    async def secret(namespace: str, name: str) -> Mapping[str, Any]:
        assert (namespace, name) == ("team", "hook")
        if isinstance(answer, Exception):
            raise answer
        return answer

    return await hooksecret.read(secret, namespace="team", name="hook")


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (NotFoundError("no", status=404), ("there is no Secret hook", "kubectl -n team create secret generic hook")),
        (ForbiddenError("no", status=403), ("may not read the Secret hook", "Role")),
        ({}, ("has no key `token`", "it is empty")),
        ({"data": {"secret": encoded(TOKEN), "a": ""}}, ("has no key `token`", "it has a, secret")),
        ({"data": {"token": "%%%"}}, ("is not base64",)),
        ({"data": {"token": None}}, ("is blank",)),
        ({"data": {"token": encoded(" \n")}}, ("is blank", "fill it")),
    ],
)
async def test_what_is_wrong_with_it(answer: Any, says: tuple[str, ...]) -> None:
    found = await read(answer)
    assert found.fault is not None
    assert [word for word in (*says, "polling") if word not in found.fault] == []
    assert found.value.strip() == b""
    assert TOKEN not in found.fault


async def test_a_good_one() -> None:
    assert await read({"data": {"token": encoded(TOKEN)}}) == hooksecret.Token(value=TOKEN.encode(), fault="")


@pytest.mark.parametrize("error", [UnavailableError("gone", status=503), RuntimeError("unheard of")])
async def test_an_api_server_that_does_not_answer_is_no_fault(error: Exception) -> None:
    """Nothing new is known, and the request proves nothing."""
    assert await read(error) == hooksecret.Token(value=b"", fault=None)


@pytest.mark.parametrize(
    ("obj", "name"),
    [(sync(), None), (sync(**HOOKED), "hook"), ({}, None), (sync(webhook={}), "None")],
)
def test_which_secret(obj: dict[str, Any], name: str | None) -> None:
    assert hooksecret.name_of(obj) == name


@pytest.mark.parametrize(
    ("row", "mandate", "asked"),
    [
        ({}, Mandate(), True),
        ({"status": "False"}, Mandate(), True),
        ({"status": "True"}, Mandate(), False),
        ({"status": "True"}, Mandate(explicit=True), True),
        ({"status": "True"}, Mandate(thorough=True), True),
    ],
)
def test_at_rest_nobody_asks(row: dict[str, str], mandate: Mandate, asked: bool) -> None:
    """A poll of a webhook that works costs no request more."""
    rows = [{"type": "WebhookReady", **row}] if row else []
    assert hooksecret.due({"conditions": rows}, mandate) is asked


def test_the_condition_comes_stays_and_goes() -> None:
    obj = after(finding(), obj=sync(**HOOKED), webhook="there is no Secret hook")
    assert condition(obj, "WebhookReady") == ("False", "WebhookFailed")
    assert condition(obj, "Ready")[0] == "True"
    restarted = after(quiet(at=at(5)), obj=obj)
    assert condition(restarted, "WebhookReady") == ("False", "WebhookFailed")
    mended, _ = settled(restarted, Facts(looked_at=at(6), webhook=""), now=at(6))
    assert condition(mended, "WebhookReady") == ("True", "SecretFound")
    mended["spec"].pop("webhook")
    unhooked, _ = settled(mended, Facts(looked_at=at(7)), now=at(7))
    assert condition(unhooked, "WebhookReady") == ("", "")


def test_people_are_told_once() -> None:
    """However often somebody calls."""
    obj, facts = after(finding(), obj=sync(**HOOKED)), Facts(looked_at=at(1), webhook="there is no Secret hook")
    decision = decide(obj, facts, at(2))
    assert [(event.type, event.reason) for event in decision.plan.events] == [("Warning", "WebhookFailed")]
    again = decide(stored(obj, decision), facts, at(3))
    assert (again.plan.events, again.plan.status) == ((), {})
