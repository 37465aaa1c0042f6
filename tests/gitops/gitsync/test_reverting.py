"""When a held commit is taken back in Git, and what is remembered of it; requests for a person to merge. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rollouts.api import kinds
from rollouts.api.parsing import parse
from rollouts.gitops.forges.values import Opened, Told
from rollouts.gitops.gitsync import reverting, telling
from rollouts.gitops.gitsync.decide import decide
from rollouts.gitops.gitsync.values import Facts, Mandate, Task
from rollouts.gitops.images.signing import SigningKey
from rollouts.gitops.reverts import Reverted
from tests.gitops.gitsync.world import A, B, C, after, at, condition, finding, settled, sync
from tests.gitops.keys import SshKey

AUTHOR = {"commit": {"author": {"email": "bot@example.com"}}}
HISTORY = [{"id": 1, "revision": A}, {"id": 2, "revision": B}]
HELD = {"revision": B, "reason": "RolloutAborted"}
REJECTED = [{"revision": B, "rollout": "team/web", "reason": "aborted: x"}, {"image": "x", "rollout": "team/web"}]
STATUS = {"history": HISTORY, "hold": HELD, "rejected": REJECTED}


def model(**revert: Any) -> Any:
    return parse(kinds.GIT_SYNC, sync(revert={"git": AUTHOR, **revert})).model


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({}, (B, A, "Rollout team/web: aborted: x")),
        ({"hold": None}, None),
        ({"hold": {"revision": B, "reason": "Rollback", "by": "ann"}, "rejected": []}, (B, A, "Rolled back by ann.")),
        ({"hold": {"revision": B, "reason": "Manual"}}, None),
        ({"revert": {"revision": B, "commit": C}}, None),
        ({"revert": {"revision": B, "overtaken": True}}, None),
        ({"revert": {"revision": B, "message": "no"}}, (B, A, "Rollout team/web: aborted: x")),
        ({"revert": {"revision": A, "commit": C}}, (B, A, "Rollout team/web: aborted: x")),
        ({"history": HISTORY[1:]}, (B, "", "Rollout team/web: aborted: x")),
        (
            {"history": [*HISTORY, {"id": 3, "revision": C}], "rejected": [*REJECTED, {"revision": C}]},
            (B, A, "Rollout team/web: aborted: x"),
        ),
    ],
)
def test_what_is_taken_back(changed: Mapping[str, Any], found: tuple[str, str, str] | None) -> None:
    """R31."""
    rejection = reverting.wanted(model(), {**STATUS, **changed})
    assert (None if rejection is None else (rejection.revision, rejection.good, rejection.reason)) == found


def test_only_after_what_the_spec_names_and_not_unless_it_is_asked_for() -> None:
    """R31."""
    assert reverting.wanted(model(reasons=["Rollback"]), STATUS) is None
    assert reverting.wanted(parse(kinds.GIT_SYNC, sync()).model, STATUS) is None


def held(**revert: Any) -> dict[str, Any]:
    """A GitSync whose newest commit is held."""
    obj = after(finding(A), obj=sync(revert={"git": AUTHOR, **revert}))
    obj = after(finding(B, mandate=Mandate(generation=1)), obj=obj)
    obj["status"] = {**obj["status"], "hold": HELD, "rejected": REJECTED}
    return obj


FACTS = Facts(looked_at=at(5), compared_at=at(5), images_at=at(5))


def test_it_is_due_at_once_and_then_each_interval_until_it_is_done() -> None:
    obj, decision = settled(held(), FACTS, now=at(6))
    assert decision.start is not None
    assert decision.start.task is Task.REVERT
    failed = finding(B, mandate=decision.start, revert={"revision": B, "message": "protected branch"})
    obj, decision = settled(obj, replace(FACTS, finding=failed, reverted_at=at(7)), now=at(8))
    assert decision.start is None
    assert condition(obj, "Reverted") == ("False", "RevertFailed")
    assert condition(obj, "Ready") == ("True", "Synced")
    looked = replace(FACTS, looked_at=at(60), compared_at=at(5), reverted_at=at(7))
    start = decide(obj, looked, at(61)).start
    assert start is None
    later = replace(FACTS, looked_at=at(90), compared_at=at(90), reverted_at=at(7))
    retried = decide(obj, later, at(90)).start
    assert retried is not None
    assert retried.task is Task.REVERT
    done = {"revision": B, "commit": C, "branch": "main", "base": "main", "subject": "s"}
    obj, decision = settled(obj, replace(later, finding=finding(B, mandate=retried, revert=done)), now=at(128))
    assert condition(obj, "Reverted") == ("True", "Pushed")
    assert obj["status"]["revert"] == done
    for seconds in (129.0, 240.0):
        start = decide(obj, replace(later, looked_at=at(seconds), compared_at=at(seconds)), at(seconds)).start
        assert start is None or start.task is not Task.REVERT
    obj, _ = settled(obj, replace(FACTS, finding=finding(C)), now=at(250))
    assert "hold" not in obj["status"]
    assert condition(obj, "Reverted") == ("", "")


def test_people_are_told_once() -> None:
    obj = held()
    done = {"revision": B, "commit": C, "branch": "main", "base": "main"}
    told = decide(obj, replace(FACTS, finding=finding(B, mandate=Mandate(task=Task.REVERT), revert=done)), at(6))
    assert ("Reverted", f"{B[:8]} is taken back by {C[:8]} on main") in [
        (event.reason, event.message) for event in told.plan.events
    ]


def test_a_suspended_sync_writes_nothing_to_git() -> None:
    obj = held()
    obj["spec"]["suspend"] = True
    _, decision = settled(obj, FACTS, now=at(6))
    assert decision.start is None


FORGE = {"provider": "github", "secretRef": {"name": "forge"}}
DONE = {"revision": B, "commit": C, "branch": "reverts/x", "base": "main", "subject": "new"}


def proposals(spec: dict[str, Any], status: dict[str, Any]) -> list[tuple[str, str, str]]:
    model = parse(kinds.GIT_SYNC, sync(forge=FORGE, **spec)).model
    return [(row.branch, row.base, row.title) for row in telling.due(model, status, ()).proposals]


def test_a_request_is_opened_for_a_branch_of_our_own() -> None:
    """R31."""
    asks = {"revert": {"git": AUTHOR, "pullRequest": {"enabled": True}}}
    status: dict[str, Any] = {**STATUS, "revert": DONE}
    assert proposals(asks, status) == [("reverts/x", "main", 'Revert "new"')]
    assert proposals({"revert": {"git": AUTHOR}}, status) == []
    assert proposals(asks, {**status, "hold": None}) == []
    assert proposals(asks, {**status, "revert": {**DONE, "branch": "main"}}) == []
    model = parse(kinds.GIT_SYNC, sync(forge=FORGE, **asks)).model
    opened = Told(proposals=(Opened(branch="reverts/x", revision=C, url="https://forge.example/1"),))
    state = telling.absorbed(model, status, opened)
    assert proposals(asks, {**status, "forge": state}) == []


def test_each_new_commit_with_images_is_asked_about() -> None:
    """The request before may have been merged or closed: the forge knows."""
    image = {"name": "web", "image": "ghcr.io/x/web", "policy": {"semver": {"range": "1.x"}}}
    asks = {"imageUpdate": {"git": AUTHOR, "images": [image], "pullRequest": {"enabled": True}}}
    last = {"revision": A, "branch": "image-updates/team-shop", "base": "main", "changes": ["web:1 -> web:2"]}
    status: dict[str, Any] = {"imageUpdate": {"lastCommit": last}}
    wanted = [("image-updates/team-shop", "main", "Update images of team/shop")]
    assert proposals(asks, status) == wanted
    model = parse(kinds.GIT_SYNC, sync(forge=FORGE, **asks)).model
    opened = Told(proposals=(Opened(branch=last["branch"], revision=A, url="https://forge.example/1"),))
    status["forge"] = telling.absorbed(model, status, opened)
    assert proposals(asks, status) == []
    status["imageUpdate"] = {"lastCommit": {**last, "revision": B}}
    assert proposals(asks, status) == wanted


def test_the_request_is_told() -> None:
    obj = held(pullRequest={"enabled": True})
    obj["spec"]["forge"] = FORGE
    opened = Told(proposals=(Opened(branch="reverts/x", revision=C, url="https://forge.example/1"),))
    events = decide(obj, replace(FACTS, told=opened), at(6)).plan.events
    assert ("ProposalOpened", "reverts/x: https://forge.example/1") in [(row.reason, row.message) for row in events]


async def test_which_secret_signs_and_what_the_push_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`git.commit.signingKey.{type,secretRef}` and `git.push.{branch,options}`."""
    works: list[Any] = []

    async def taken(work: Any, *, now: Any) -> Reverted:
        works.append(work)
        return Reverted()

    async def secrets(name: str, field: str) -> dict[str, bytes]:
        assert (name, field) == ("signing", "spec.revert.git.commit.signingKey.secretRef")
        return {"identity": key}

    key = SshKey(tmp_path, "bot").path.read_bytes()
    monkeypatch.setattr(reverting, "revert", taken)
    commit = {**AUTHOR["commit"], "signingKey": {"type": "ssh", "secretRef": {"name": "signing"}}}
    git = {"commit": commit, "push": {"branch": "mended", "options": {"topic": "x"}}}
    synced = parse(kinds.GIT_SYNC, sync(revert={"git": git})).model
    await reverting.attempt(synced, STATUS, repository=None, secrets=secrets, now=at(0))  # type: ignore[arg-type]
    (work,) = works
    assert (work.branch, work.options) == ("mended", {"topic": "x"})
    assert work.key == SigningKey.of("ssh", {"identity": key})
