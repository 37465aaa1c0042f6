"""Commands to a GitSync: moved into the status, carried out once, never lost; requests by annotation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rollouts.gitops.gitsync.decide import decide
from rollouts.gitops.gitsync.values import Facts, Mandate
from tests.gitops.gitsync.world import NOW, A, B, after, at, finding, quiet, settled, stored, sync

LOOKED = Facts(looked_at=NOW)


def test_a_command_is_stored_before_it_is_cleared() -> None:
    obj = after(finding())
    obj["operation"] = {"sync": {"revision": "v1"}, "initiatedBy": {"username": "ann"}}
    decision = decide(obj, LOOKED, at(5))
    first, second = decision.plan.writes
    assert first.body["status"]["operationState"]["operation"]["sync"] == {"revision": "v1"}  # type: ignore[union-attr]
    assert second.body == {"operation": None}  # type: ignore[union-attr]
    _, started = settled(stored(obj, decision), LOOKED)
    assert started.start is not None
    assert (started.start.explicit, started.start.by) == (True, "ann")


def test_a_command_that_was_taken_up_begins_again_after_a_crash() -> None:
    status = {"operationState": {"phase": "Running", "operation": {"sync": {"historyID": 1}}}}
    _, decision = settled(sync(status=status), Facts())
    assert decision.start is not None
    assert decision.start.sync == {"historyID": 1}


def test_a_pass_by_itself_does_not_end_a_command() -> None:
    obj = after(finding())
    obj["operation"] = {"sync": {}}
    obj = stored(obj, decide(obj, replace(LOOKED, running=Mandate()), at(5)))
    obj, _ = settled(obj, Facts(finding=quiet(at=at(6)), looked_at=at(6)), now=at(6))
    assert obj["status"]["operationState"]["phase"] == "Running"


def test_one_command_waits_for_the_other() -> None:
    obj = after(finding())
    obj["operation"] = {"sync": {}}
    decision = decide(obj, replace(LOOKED, running=Mandate(explicit=True)), at(5))
    assert decision.plan.writes == ()
    assert decision.plan.requeue_after is not None


def test_terminating_cancels_the_pass() -> None:
    """R40: and it is told who did it."""
    obj = after(finding())
    obj["operation"] = {"terminate": True, "initiatedBy": {"username": "ann"}}
    decision = decide(obj, replace(LOOKED, running=Mandate()), at(5))
    assert decision.cancel
    assert [event.message for event in decision.plan.events] == ["the sync under way is ended by ann"]


@pytest.mark.parametrize("running", [True, False], ids=["in the middle of a pass", "between two"])
def test_what_was_terminated_is_not_tried_again_by_itself(running: bool) -> None:
    obj = after(finding(A), finding(B, unfinished=True, waiting="wave 1", counts={"update": 1}, at=at(2)))
    obj["operation"] = {"sync": {}}
    obj = stored(obj, decide(obj, LOOKED, at(3)))
    mandate = Mandate(explicit=True, operation={"sync": {}}, generation=1)
    obj["operation"] = {"terminate": True}
    obj, _ = settled(obj, replace(LOOKED, running=mandate if running else None), now=at(4))
    facts = LOOKED
    if running:
        ended = finding(commit="", resolved="", compared=False, attempted=False, errors=("terminated",), step="sync")
        facts = replace(LOOKED, finding=replace(ended, mandate=mandate, at=at(5)))
    obj, decision = settled(obj, facts, now=at(5))
    state = obj["status"]["operationState"]
    assert (state["phase"], state["message"], state["revision"]) == ("Failed", "terminated by a command", B)
    assert decision.start is None
    assert decision.plan.requeue_after > 60


def test_a_finding_is_heard_before_the_next_command_replaces_it() -> None:
    obj = sync(operation={"sync": {}})
    first = decide(obj, Facts(finding=finding(), looked_at=at(1)), at(1))
    assert first.plan.writes == ()
    assert first.plan.status["history"]


@pytest.mark.parametrize(("said", "who"), [("sha256:d", "somebody (annotation)"), ("sha256:d ann", "ann (annotation)")])
def test_a_confirmation_by_annotation_is_a_command(said: str, who: str) -> None:
    """R13, R40: it is taken up once, with who that is as far as it is said, and cleared."""
    key = "gitops.rollouts.dev/confirm-plan"
    obj = after(finding(protected=("x: kept",), deletions="sha256:d", asking=1))
    obj["metadata"] = {**obj["metadata"], "annotations": {key: said}}
    obj = stored(obj, decide(obj, LOOKED, at(2)))
    state = obj["status"]["operationState"]
    assert (state["phase"], state["operation"]["sync"]) == ("Running", {"confirmPlan": "sha256:d"})
    assert state["operation"]["initiatedBy"] == {"username": who}
    assert key not in obj["metadata"]["annotations"]
    start = decide(obj, LOOKED, at(3)).start
    assert start is not None
    assert (start.explicit, start.sync) == (True, {"confirmPlan": "sha256:d"})


def test_a_confirmation_of_another_plan_is_refused_and_said() -> None:
    """R13."""
    mandate = Mandate(explicit=True, operation={"sync": {"confirmPlan": "sha256:y"}})
    obj = after(finding(), finding(mandate=mandate, attempted=False, changed=False, waiting="not what was confirmed"))
    state = obj["status"]["operationState"]
    assert (state["phase"], state["message"]) == ("Failed", "not what was confirmed")
    assert len(obj["status"]["history"]) == 1


def test_a_command_that_nobody_can_carry_out_ends_at_once_and_says_why() -> None:
    """It is cleared like any other, so the next one is heard."""
    obj = after(finding())
    obj["operation"] = {"sync": {"syncOptions": ["Repalce=true"]}, "initiatedBy": {"username": "ann"}}
    decision = decide(obj, LOOKED, at(5))
    obj = stored(obj, decision)
    state = obj["status"]["operationState"]
    assert (state["phase"], state["operation"]) == ("Error", {"initiatedBy": {"username": "ann"}})
    assert "operation.sync.syncOptions[0]" in state["message"]
    assert "operation" not in obj
    obj["operation"] = {"sync": {}, "retry": {"backoff": {"duration": "soon"}}}
    obj, decision = settled(obj, LOOKED, now=at(6))
    assert "operation.retry.backoff.duration" in obj["status"]["operationState"]["message"]


@pytest.mark.parametrize("key", ["gitops.rollouts.dev/requestedAt", "reconcile.fluxcd.io/requestedAt"])
def test_a_request_by_annotation_is_heard_once(key: str) -> None:
    """R3: ours and Flux's; everything is compared."""
    obj = after(finding())
    obj["metadata"] = {**obj["metadata"], "annotations": {key: "one"}}
    start = decide(obj, LOOKED, at(5)).start
    assert start is not None
    assert (start.fresh, start.thorough, start.requested) == (True, True, "one")
    obj, decision = settled(obj, Facts(finding=quiet(mandate=start, at=at(6)), looked_at=at(6)), now=at(6))
    assert obj["status"]["lastHandledReconcileAt"] == "one"
    assert decision.start is None
