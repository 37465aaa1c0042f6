"""What is held back: after a rollback, after an abort; until another commit comes or a person lets go."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from rollouts.gitops.gitsync.decide import decide
from rollouts.gitops.gitsync.values import Facts, Mandate
from tests.gitops.gitsync.world import NOW, A, B, C, after, at, condition, finding, quiet, settled, sync

LOOKED = Facts(looked_at=NOW)


def rolled_back(**values: Any) -> dict[str, Any]:
    """A applied, then B, then rolled back to A by command."""
    obj = after(finding(A), finding(B, at=at(2)))
    mandate = Mandate(operation={"sync": {"historyID": 1}, "initiatedBy": {"username": "ann"}}, explicit=True)
    return after(finding(A, resolved=B, mandate=replace(mandate, generation=1), at=at(3), **values), obj=obj)


ABORTED = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Rollout",
    "metadata": {"name": "web", "namespace": "team", "generation": 2},
    "spec": {"template": {"spec": {"containers": [{"image": "web@sha256:ab"}]}}},
    "status": {
        "phase": "Degraded",
        "abort": True,
        "abortedAt": "2026-01-02T04:00:00Z",
        "message": "analysis failed",
        "observedGeneration": "2",
    },
}


def test_a_rollback_holds_what_the_branch_means_now() -> None:
    """R30."""
    status = rolled_back()["status"]
    assert (status["hold"]["revision"], status["hold"]["reason"], status["hold"]["by"]) == (B, "Rollback", "ann")
    assert [row["revision"] for row in status["history"]] == [A, B, A]


def test_a_rollback_with_nothing_to_do_holds_too() -> None:
    """The commits may differ in a comment, or somebody had set the objects back by hand: what comes next counts."""
    status = rolled_back(attempted=False, changed=False)["status"]
    assert (status["hold"]["revision"], status["hold"]["reason"]) == (B, "Rollback")


def test_what_was_only_tried_out_holds_nothing() -> None:
    assert "hold" not in rolled_back(attempted=False, changed=False, waiting="this was a dry run")["status"]


def test_a_rollback_that_failed_holds_nothing() -> None:
    assert "hold" not in rolled_back(errors=("no",), step="apply")["status"]


@pytest.mark.parametrize(("resolved", "held"), [(B, True), (C, False)])
def test_a_hold_ends_with_a_different_commit(resolved: str, held: bool) -> None:
    """R30. R30."""
    commit = A if held else C
    obj = after(quiet(commit, resolved=resolved, at=at(9)), obj=rolled_back())
    assert ("hold" in obj["status"]) is held


def test_an_aborted_rollout_rejects_commit_and_image() -> None:
    """R36."""
    obj = after(finding(A), finding(B, at=at(2)))
    obj, _ = settled(obj, Facts(looked_at=at(2), rollouts=(ABORTED,)), now=at(9))
    assert obj["status"]["hold"]["revision"] == B
    assert [(row.get("revision"), row.get("image")) for row in obj["status"]["rejected"]] == [
        (B, None),
        (None, "web@sha256:ab"),
    ]
    assert condition(obj, "Held") == ("True", "RolloutAborted")


def test_an_abort_from_before_the_commit_is_not_its_fault() -> None:
    """R36."""
    obj = after(finding(A, at=at(7200)))
    obj, _ = settled(obj, Facts(looked_at=at(7200), rollouts=(ABORTED,)), now=at(7300))
    assert "hold" not in obj["status"]


def test_an_abort_in_the_second_of_the_commit_is_judged_when_the_rollout_had_time_to_answer() -> None:
    """Times are whole seconds, and what is known of the Rollout may be from just before."""
    obj = after(finding(A), finding(B, at=at(2)))
    deployed = obj["status"]["history"][-1]["deployedAt"]
    same = {**ABORTED, "status": {**ABORTED["status"], "abortedAt": deployed}}
    facts, came = Facts(looked_at=at(2), rollouts=(same,)), datetime.fromisoformat(deployed)
    obj, decision = settled(obj, facts, now=came + timedelta(seconds=0.5))
    assert "hold" not in obj["status"]
    assert decision.plan.requeue_after == 1.5
    obj, _ = settled(obj, facts, now=came + timedelta(seconds=2))
    assert obj["status"]["hold"]["revision"] == B


def test_an_abort_of_a_spec_that_has_changed_since_is_nobody_s_fault() -> None:
    obj = after(finding(A), finding(B, at=at(2)))
    changed = {**ABORTED, "metadata": {**ABORTED["metadata"], "generation": 3}}
    obj, _ = settled(obj, Facts(looked_at=at(2), rollouts=(changed,)), now=at(9))
    assert "hold" not in obj["status"]


def test_a_released_commit_is_not_held_again_for_the_same_abort() -> None:
    obj = after(finding(A), finding(B, at=at(2)))
    obj, _ = settled(obj, Facts(looked_at=at(2), rollouts=(ABORTED,)), now=at(9))
    obj["operation"] = {"release": True}
    obj, _ = settled(obj, Facts(looked_at=at(2), rollouts=(ABORTED,)), now=at(10))
    assert "hold" not in obj["status"]


def test_reverting_applies_the_last_commit_that_was_not_rejected() -> None:
    obj = sync(syncPolicy={"automated": {}, "rollouts": {"onAbort": "Revert"}})
    obj = after(finding(A), finding(B, at=at(2)), obj=obj)
    obj, decision = settled(obj, Facts(looked_at=at(2), rollouts=(ABORTED,)), now=at(9))
    assert decision.start is not None
    assert decision.start.sync == {"historyID": 1}


def test_ignoring_an_abort_holds_nothing() -> None:
    obj = sync(syncPolicy={"automated": {}, "rollouts": {"onAbort": "Ignore"}})
    obj = after(finding(A), finding(B, at=at(2)), obj=obj)
    obj, _ = settled(obj, Facts(looked_at=at(2), rollouts=(ABORTED,)), now=at(9))
    assert "hold" not in obj["status"]


def test_who_releases_a_hold_and_who_suspends_is_told() -> None:
    """R40."""
    obj = after(finding())
    obj["status"] = {**obj["status"], "hold": {"revision": B, "reason": "Rollback"}}
    obj, _ = settled(obj, LOOKED)
    obj["operation"] = {"release": True, "initiatedBy": {"username": "ann"}}
    decision = decide(obj, LOOKED, at(5))
    assert [event.message for event in decision.plan.events] == [f"{B[:8]} is held no more: released by ann"]
    obj = after(finding(), obj=sync(suspend=True))
    obj["metadata"] = {**obj["metadata"], "annotations": {"gitops.rollouts.dev/suspended-by": "ann"}}
    obj, _ = settled(obj, LOOKED)
    ready = next(row for row in obj["status"]["conditions"] if row["type"] == "Ready")
    assert ready["message"] == "suspended by ann: nothing is compared or applied"
