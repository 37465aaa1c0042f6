"""Decisions about a GitSync, on plans: commands are not lost, nothing is said twice, history and holds are right."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from analysis.spec.base import write_time
from rollouts.gitops.gitsync.decide import FINALIZER, decide
from rollouts.gitops.gitsync.values import Facts, Mandate, Row, Task
from rollouts.gitops.health import Health, Part, Status
from rollouts.gitops.objects import Ref
from tests.gitops.gitsync.world import NOW, A, B, C, after, at, condition, finding, quiet, settled, stored, sync

LOOKED = Facts(looked_at=NOW)


def test_a_new_sync_is_looked_at_at_once() -> None:
    _, decision = settled(sync())
    assert decision.start is not None
    assert (decision.start.task, decision.start.explicit) == (Task.SYNC, False)


def test_what_a_pass_found_is_stored_and_then_it_rests() -> None:
    obj, decision = settled(sync(), Facts(finding=finding(), looked_at=at(1)))
    status = obj["status"]
    assert (status["sync"]["status"], status["sync"]["revision"]) == ("Synced", A)
    assert [row["revision"] for row in status["history"]] == [A]
    assert status["operationState"]["phase"] == "Succeeded"
    assert condition(obj, "Ready") == ("True", "Synced")
    assert decision.start is None
    assert 0 < decision.plan.requeue_after <= 120


def test_a_pass_that_found_nothing_new_writes_nothing() -> None:
    """R25."""
    obj = after(finding())
    decision = decide(obj, Facts(finding=quiet(at=at(60)), looked_at=at(60)), at(60))
    assert (decision.plan.status, decision.plan.writes, decision.settled) == ({}, (), True)


def test_a_remark_is_told_when_it_arises_and_not_again() -> None:
    """R8: whatever process looks. It goes when it is true no more."""
    facts = Facts(finding=finding(remarks=("x: remove it",)), looked_at=at(1))
    first = decide(sync(), facts, at(1))
    assert [(row.reason, row.message) for row in first.plan.events if row.reason == "Remark"] == [
        ("Remark", "x: remove it")
    ]
    obj = stored(sync(), first)
    more = decide(obj, replace(facts, finding=finding(B, remarks=("x: remove it", "y: that too"))), at(9))
    assert [row.message for row in more.plan.events if row.reason == "Remark"] == ["y: that too"]
    gone = stored(obj, decide(stored(obj, more), replace(facts, finding=finding(C)), at(10)))
    assert "remarks" not in gone["status"]


def test_a_status_stays_small_whatever_there_is() -> None:
    """R23: five thousand objects with long names and longer troubles."""
    refs = [
        Ref(group="apps.example.com", kind="Deployment", namespace="n" * 63, name=f"{number}-{'x' * 240}")
        for number in range(5000)
    ]
    trouble = Health(status=Status.DEGRADED, message="m" * 5000)
    found = finding(
        rows=tuple(Row(ref=ref, version="v1", message="d" * 5000) for ref in refs),
        parts=tuple(Part(ref=ref, health=trouble) for ref in refs),
        images=tuple(f"registry.example.com/{'i' * 200}:{number}" for number in range(5000)),
        protected=tuple(f"{'p' * 300}{number}" for number in range(5000)),
    )
    status = after(found)["status"]
    assert len(json.dumps(status)) < 300_000
    assert len(status["resources"]) >= 50
    assert after(found, found)["status"] == status


def test_a_long_history_is_cut_when_it_is_too_long() -> None:
    """R23: whatever limit the spec gives; the last entries stay."""
    obj = after(finding(), obj=sync(revisionHistoryLimit=100_000))
    entry = obj["status"]["history"][0]
    old = [{**entry, "id": number, "result": "x" * 100} for number in range(2000)]
    obj["status"] = {**obj["status"], "history": old}
    status = after(finding(B), obj=obj)["status"]
    assert len(json.dumps(status)) < 300_000
    assert [row["revision"] for row in status["history"][-2:]] == [A, B]


def test_the_summary_says_what_there_is_to_look_at() -> None:
    summary = after(finding(images=("web:1",), addresses=("https://a.example",), objects=3))["status"]["summary"]
    assert (summary["images"], summary["externalURLs"]) == (["web:1"], ["https://a.example"])
    assert (summary["shortRevision"], summary["objects"]) == ("main@aaaaaaa", 3)


def test_planning_again_on_the_stored_status_gives_nothing_more() -> None:
    obj = stored(sync(), decide(sync(), Facts(finding=finding(), looked_at=at(1)), at(1)))
    again = decide(obj, Facts(finding=finding(), looked_at=at(1)), at(9))
    assert again.plan.status == {}
    assert len(obj["status"]["history"]) == 1


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


def rolled_back(**values: Any) -> dict[str, Any]:
    """A applied, then B, then rolled back to A by command."""
    obj = after(finding(A), finding(B, at=at(2)))
    mandate = Mandate(operation={"sync": {"historyID": 1}, "initiatedBy": {"username": "ann"}}, explicit=True)
    return after(finding(A, resolved=B, mandate=replace(mandate, generation=1), at=at(3), **values), obj=obj)


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


def test_a_self_heal_writes_no_history() -> None:
    obj = after(finding(A), finding(A, at=at(2)))
    assert len(obj["status"]["history"]) == 1


def test_the_history_is_bounded() -> None:
    obj = sync(revisionHistoryLimit=2)
    obj = after(*(finding(letter * 40, at=at(n)) for n, letter in enumerate("abcd")), obj=obj)
    assert [row["id"] for row in obj["status"]["history"]] == [3, 4]


def test_a_failed_comparison_is_unknown_and_keeps_what_was_known() -> None:
    """R13: never OutOfSync with everything missing."""
    obj = after(finding(), finding(B, compared=False, attempted=False, errors=("x:1: no",), step="render", at=at(2)))
    status = obj["status"]
    assert (status["sync"]["status"], status["sync"]["revision"]) == ("Unknown", A)
    assert status["history"][-1]["revision"] == A
    assert condition(obj, "Ready") == ("False", "RenderFailed")
    assert obj["status"]["resources"]


def test_failing_the_same_way_again_is_not_told_again() -> None:
    """R6, R25."""
    bad = finding(B, compared=False, attempted=False, errors=("no",), step="render", at=at(2))
    obj = after(finding(), bad)
    again = decide(obj, Facts(finding=replace(bad, at=at(500)), looked_at=at(500)), at(500))
    assert again.plan.status == {}


@pytest.mark.parametrize("waits", [{"errors": ("away",)}, {"waiting": "wave 1", "unfinished": True}])
def test_a_retry_without_a_commit_waits_its_turn(waits: dict[str, Any]) -> None:
    """R6: a repository that is away is asked after pauses that double, not again and again in one second."""
    away = finding(commit="", resolved="", compared=False, attempted=False, step="fetch", errors=("away",))
    obj, _ = settled(sync(), Facts(finding=replace(away, mandate=Mandate(explicit=True, generation=1)), looked_at=NOW))
    assert obj["status"]["operationState"]["phase"] == "Error"
    away = replace(away, **{"errors": (), **waits})
    facts, now, begun = Facts(looked_at=NOW, compared_at=NOW), NOW, []
    for _ in range(12):
        obj, decision = settled(obj, facts, now=now)
        if decision.start is None:
            now += timedelta(seconds=decision.plan.requeue_after)
            continue
        begun.append(now)
        facts = Facts(finding=replace(away, mandate=decision.start, began=now, at=now), looked_at=now, compared_at=now)
    pauses = [(after - before).total_seconds() for before, after in pairwise([NOW, *begun])]
    assert len(pauses) >= 5
    assert min(pauses) >= 5


def test_retries_that_find_no_commit_are_counted() -> None:
    away = finding(commit="", resolved="", compared=False, attempted=False, step="fetch", errors=("away",))
    obj, _ = settled(sync(), Facts(finding=replace(away, mandate=Mandate(explicit=True, generation=1)), looked_at=NOW))
    retried = replace(away, mandate=Mandate(attempt=1), at=at(5))
    obj, _ = settled(obj, Facts(finding=retried, looked_at=at(5), compared_at=at(5)), now=at(5))
    assert obj["status"]["operationState"]["retryCount"] == 1


def test_access_denied_is_stalled_until_it_works() -> None:
    denied = finding(commit="", resolved="", compared=False, attempted=False, errors=("no",), step="fetch", denied=True)
    obj = after(denied)
    assert condition(obj, "Stalled") == ("True", "AccessDenied")
    obj = after(finding(at=at(9)), obj=obj)
    assert condition(obj, "Stalled") == ("", "")
    assert condition(obj, "Ready") == ("True", "Synced")


def test_an_invalid_spec_is_stalled_and_stops_everything() -> None:
    obj, decision = settled(sync(interval="soon"))
    assert condition(obj, "Stalled") == ("True", "InvalidSpec")
    assert (decision.start, decision.cancel) == (None, True)


@pytest.mark.parametrize(
    ("policy", "finalizers", "wanted"),
    [
        ("Delete", [], [FINALIZER]),
        ("Orphan", [FINALIZER, "other"], ["other"]),
        (None, [], None),
        ("WaitForTermination", [FINALIZER], None),
    ],
)
def test_the_finalizer_is_there_exactly_when_objects_go_too(policy: str | None, finalizers: Any, wanted: Any) -> None:
    """R16."""
    obj = sync(deletionPolicy=policy)
    obj["metadata"]["finalizers"] = finalizers
    writes = decide(obj, Facts(), NOW).plan.writes
    assert ([write.body for write in writes] or [None])[0] == (  # type: ignore[union-attr]
        None if wanted is None else {"metadata": {"finalizers": wanted}}
    )


def deleted(policy: str) -> dict[str, Any]:
    obj = sync(deletionPolicy=policy)
    obj["metadata"] |= {"finalizers": [FINALIZER], "deletionTimestamp": "2026-01-01T00:00:00Z"}
    return obj


def test_deleting_tears_down_before_it_lets_go() -> None:
    """R16."""
    begun = decide(deleted("Delete"), Facts(), NOW)
    assert begun.start is not None
    assert begun.start.task is Task.TEARDOWN
    failed = finding(mandate=begun.start, errors=("no",), step="prune")
    assert decide(deleted("Delete"), Facts(finding=failed), at(2)).plan.writes == ()
    done = replace(failed, errors=())
    assert decide(deleted("Delete"), Facts(finding=done), at(2)).plan.writes != ()
    waiting = replace(done, waiting="waiting until 1 objects are gone")
    assert decide(deleted("WaitForTermination"), Facts(finding=waiting), at(2)).plan.writes == ()


def test_a_deletion_that_hangs_can_be_let_go_by_orphaning() -> None:
    writes = decide(deleted("Orphan"), Facts(), NOW).plan.writes
    assert [write.body for write in writes] == [{"metadata": {"finalizers": []}}]  # type: ignore[union-attr]


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


def test_ready_and_stalled_are_never_true_together() -> None:
    """kstatus."""
    denied = finding(compared=False, attempted=False, errors=("no",), step="fetch", denied=True, at=at(2))
    for obj in (after(finding()), after(finding(), denied), after(denied, finding(at=at(3)))):
        states = {row["type"]: row["status"] for row in obj["status"]["conditions"]}
        assert not (states["Ready"] == "True" and ("Stalled" in states or "Reconciling" in states))


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


def test_deletions_that_wait_for_a_person_are_said_to_wait() -> None:
    """R13: the plan names what a confirmation has to name, and says that it waits for one."""
    obj = after(finding(protected=("x: kept",), digest="sha256:p", deletions="sha256:d", asking=1))
    plan = obj["status"]["plan"]
    assert plan["digest"] == "sha256:d"
    assert "1 objects are deleted once that is confirmed" in plan["waitingFor"]
    assert obj["status"]["history"][0]["planDigest"] == "sha256:p"
    never = after(finding(protected=("x: pruning is off",), deletions="sha256:d"))["status"]["plan"]
    assert "waitingFor" not in never


def test_a_confirmation_of_another_plan_is_refused_and_said() -> None:
    """R13."""
    mandate = Mandate(explicit=True, operation={"sync": {"confirmPlan": "sha256:y"}})
    obj = after(finding(), finding(mandate=mandate, attempted=False, changed=False, waiting="not what was confirmed"))
    state = obj["status"]["operationState"]
    assert (state["phase"], state["message"]) == ("Failed", "not what was confirmed")
    assert len(obj["status"]["history"]) == 1


@pytest.mark.parametrize("spec", [{}, {"webhook": {"secretRef": {"name": "hook"}}}])
def test_a_webhook_does_not_end_the_polls(spec: dict[str, Any]) -> None:
    """R39."""
    obj = after(finding(), obj=sync(interval="5m", **spec))
    facts = replace(LOOKED, looked_at=at(1), compared_at=at(1))
    assert decide(obj, facts, at(300)).plan.requeue_after == pytest.approx(1)
    assert decide(obj, facts, at(301)).start is not None


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


def test_the_history_keeps_one_entry_at_least() -> None:
    """What was applied last must be known: rollbacks and self-heal depend on it."""
    obj = after(finding(A), finding(B, at=at(2)), obj=sync(revisionHistoryLimit=0))
    assert [row["revision"] for row in obj["status"]["history"]] == [B]


@pytest.mark.parametrize(
    ("wait", "health", "ready"),
    [
        ("Applied", Status.PROGRESSING, ("True", "RolloutInProgress")),
        ("Applied", Status.SUSPENDED, ("True", "RolloutInProgress")),
        ("Applied", Status.DEGRADED, ("True", "Synced")),
        ("Healthy", Status.HEALTHY, ("True", "Synced")),
        ("Healthy", Status.SUSPENDED, ("False", "Suspended")),
        ("Healthy", Status.DEGRADED, ("False", "Degraded")),
    ],
)
def test_when_a_sync_is_ready(wait: str, health: Status, ready: tuple[str, str]) -> None:
    """R35."""
    part = Part(ref=Ref(group="apps", kind="Deployment", namespace="team", name="web"), health=Health(status=health))
    obj = sync(syncPolicy={"automated": {}, "rollouts": {"wait": wait}})
    assert condition(after(finding(parts=(part,)), obj=obj), "Ready") == ready


@pytest.mark.parametrize(
    ("values", "known", "expected"),
    [
        ({"step": "fetch", "denied": True}, "Stalled", ("True", "AccessDenied")),
        ({"step": "verify", "denied": True}, "Stalled", ("True", "VerificationFailed")),
        ({"step": "diff", "denied": True}, "Stalled", ("True", "SharedResource")),
        ({"step": "fetch"}, "Stalled", ("", "")),
        ({"step": "fetch"}, "SourceReady", ("False", "FetchFailed")),
        ({"step": "verify", "denied": True}, "SourceReady", ("False", "VerifyFailed")),
        ({"step": "checkout"}, "SourceReady", ("False", "CheckoutFailed")),
        ({"step": "render"}, "SourceReady", ("True", "Fetched")),
        ({"step": "fetch"}, "Synced", ("Unknown", "NotCompared")),
        ({"step": "render"}, "Synced", ("Unknown", "RenderFailed")),
        ({"step": "apply", "compared": True, "attempted": True}, "Synced", ("False", "SyncFailed")),
        ({"step": "render"}, "Ready", ("False", "RenderFailed")),
        ({"step": "apply", "compared": True, "attempted": True}, "Ready", ("False", "ApplyFailed")),
    ],
)
def test_every_way_to_fail_has_its_reason(values: Any, known: str, expected: tuple[str, str]) -> None:
    bad = finding(B, **{"compared": False, "attempted": False, "errors": ("no",), "at": at(2), **values})
    assert condition(after(finding(), bad), known) == expected


def test_conditions_that_are_there_only_while_they_say_something() -> None:
    obj = after(finding())
    assert {row["type"] for row in obj["status"]["conditions"]} == {"Ready", "SourceReady", "Synced", "Healthy"}
    kept = finding(protected=("ConfigMap a: no",), at=at(2))
    waits = finding(B, attempted=False, waiting="a person applies it", counts={"update": 1}, at=at(3))
    assert condition(after(finding(), kept), "PruneBlocked") == ("True", "Kept")
    assert condition(after(finding(), kept, finding(at=at(3))), "PruneBlocked") == ("", "")
    assert condition(after(finding(), waits), "Synced") == ("False", "OutOfSync")
    assert condition(after(finding(), waits), "Ready") == ("False", "OutOfSync")


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


def test_what_is_remembered_of_a_pass() -> None:
    """Every field, with its value."""
    ref = Ref(group="apps", kind="Deployment", namespace="team", name="web")
    rows = (Row(ref=ref, version="v1", status="OutOfSync", prune=True, message="it stays"),)
    parts = (Part(ref=ref, health=Health(status=Status.DEGRADED, message="no pods")),)
    mandate = Mandate(generation=1, explicit=True, operation={"sync": {}, "initiatedBy": {"username": "ann"}})
    status = after(finding(rows=rows, parts=parts, mandate=mandate))["status"]
    assert status["sync"] == {"status": "Synced", "revision": A, "comparedTo": "sha256:x"}
    assert status["resources"] == [
        {
            "group": "apps",
            "version": "v1",
            "kind": "Deployment",
            "namespace": "team",
            "name": "web",
            "status": "OutOfSync",
            "requiresPruning": True,
            "message": "it stays",
            "health": {"status": "Degraded", "message": "no pods"},
        }
    ]
    assert status["health"] == {"status": "Degraded", "message": "Deployment team/web: no pods"}
    assert status["history"] == [
        {
            "id": 1,
            "revision": A,
            "inputsDigest": "sha256:x",
            "planDigest": "sha256:plan",
            "deployedAt": "2026-01-02T03:04:06Z",
            "initiatedBy": {"username": "ann"},
            "result": "Synced",
        }
    ]
    assert status["operationState"] == {
        "operation": mandate.operation,
        "phase": "Succeeded",
        "message": "applied",
        "startedAt": "2026-01-02T03:04:05Z",
        "finishedAt": "2026-01-02T03:04:06Z",
        "revision": A,
    }
    assert (status["reconciledAt"], status["sourceType"]) == ("2026-01-02T03:04:06Z", "Directory")


def test_a_condition_keeps_its_time_until_its_status_changes() -> None:
    def ready(obj: Any) -> tuple[str, int]:
        (row,) = (row for row in obj["status"]["conditions"] if row["type"] == "Ready")
        return row["lastTransitionTime"], row["observedGeneration"]

    first = after(finding())
    same = after(finding(B, at=at(60)), obj=first)
    assert ready(same) == ready(first) == ("2026-01-02T03:04:06Z", 1)
    bad = after(finding(C, compared=False, attempted=False, errors=("no",), step="render", at=at(99)), obj=same)
    assert ready(bad)[0] == "2026-01-02T03:05:44Z"


def test_a_plan_that_waits_is_shown_with_all_it_would_do() -> None:
    counts = {"create": 1, "update": 2, "prune": 3}
    waits = finding(attempted=False, waiting="a person applies it", counts=counts, protected=("ConfigMap a: no",))
    plan = {**counts, "digest": "sha256:plan", "protected": ["ConfigMap a: no"], "waitingFor": "a person applies it"}
    assert after(waits)["status"]["plan"] == plan


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


def test_since_when_a_wave_waits() -> None:
    """The time stays while the same wave of the same commit waits, whatever for."""

    def waits(obj: Any, wave: int, seconds: int, commit: str = A) -> dict[str, Any]:
        told = {"waiting": f"waiting for {seconds}", "wave": wave, "unfinished": True, "counts": {"create": 1}}
        return after(finding(commit, at=at(seconds), **told), obj=obj)

    def since(obj: Any) -> tuple[int, str]:
        return obj["status"]["plan"]["wave"], obj["status"]["plan"]["waitingSince"]

    first = waits(sync(), 1, 10)
    assert since(first) == since(waits(first, 1, 20)) == (1, write_time(at(10)))
    assert since(waits(first, 2, 20)) == (2, write_time(at(20)))
    assert since(waits(first, 1, 20, B)) == (1, write_time(at(20)))
    assert "plan" not in after(finding(at=at(30)), obj=first)["status"]
