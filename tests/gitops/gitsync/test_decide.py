"""Decisions about a GitSync, on plans: commands are not lost, nothing is said twice, history and holds are right."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from analysis.spec.base import write_time
from rollouts.gitops.gitsync.decide import FINALIZER, decide
from rollouts.gitops.gitsync.values import Facts, Mandate, Row, Task
from rollouts.gitops.health import Health, Part, Status
from rollouts.gitops.objects import Ref
from tests.gitops.gitsync.world import NOW, A, B, C, after, at, condition, finding, quiet, settled, stored, sync

LOOKED = Facts(looked_at=NOW)


def deleted(policy: str) -> dict[str, Any]:
    obj = sync(deletionPolicy=policy)
    obj["metadata"] |= {"finalizers": [FINALIZER], "deletionTimestamp": "2026-01-01T00:00:00Z"}
    return obj


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


def test_a_self_heal_writes_no_history() -> None:
    obj = after(finding(A), finding(A, at=at(2)))
    assert len(obj["status"]["history"]) == 1


def test_the_history_is_bounded() -> None:
    obj = sync(revisionHistoryLimit=2)
    obj = after(*(finding(letter * 40, at=at(n)) for n, letter in enumerate("abcd")), obj=obj)
    assert [row["id"] for row in obj["status"]["history"]] == [3, 4]


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


def test_deletions_that_wait_for_a_person_are_said_to_wait() -> None:
    """R13: the plan names what a confirmation has to name, and says that it waits for one."""
    obj = after(finding(protected=("x: kept",), digest="sha256:p", deletions="sha256:d", asking=1))
    plan = obj["status"]["plan"]
    assert plan["digest"] == "sha256:d"
    assert "1 objects are deleted once that is confirmed" in plan["waitingFor"]
    assert obj["status"]["history"][0]["planDigest"] == "sha256:p"
    never = after(finding(protected=("x: pruning is off",), deletions="sha256:d"))["status"]["plan"]
    assert "waitingFor" not in never


@pytest.mark.parametrize("spec", [{}, {"webhook": {"secretRef": {"name": "hook"}}}])
def test_a_webhook_does_not_end_the_polls(spec: dict[str, Any]) -> None:
    """R39."""
    obj = after(finding(), obj=sync(interval="5m", **spec))
    facts = replace(LOOKED, looked_at=at(1), compared_at=at(1))
    assert decide(obj, facts, at(300)).plan.requeue_after == pytest.approx(1)
    assert decide(obj, facts, at(301)).start is not None


def test_the_history_keeps_one_entry_at_least() -> None:
    """What was applied last must be known: rollbacks and self-heal depend on it."""
    obj = after(finding(A), finding(B, at=at(2)), obj=sync(revisionHistoryLimit=0))
    assert [row["revision"] for row in obj["status"]["history"]] == [B]


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
            "contentDigest": "sha256:a",
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


def test_a_plan_that_waits_is_shown_with_all_it_would_do() -> None:
    counts = {"create": 1, "update": 2, "prune": 3}
    waits = finding(attempted=False, waiting="a person applies it", counts=counts, protected=("ConfigMap a: no",))
    plan = {**counts, "digest": "sha256:plan", "protected": ["ConfigMap a: no"], "waitingFor": "a person applies it"}
    assert after(waits)["status"]["plan"] == plan


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
