"""Conditions of a GitSync: how each way to fail is told, and when it is tried again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from rollouts.gitops.gitsync.decide import decide
from rollouts.gitops.gitsync.values import Facts, Mandate
from rollouts.gitops.health import Health, Part, Status
from rollouts.gitops.objects import Ref
from tests.gitops.gitsync.world import NOW, A, B, C, after, at, condition, finding, settled, sync


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


def test_ready_and_stalled_are_never_true_together() -> None:
    """kstatus."""
    denied = finding(compared=False, attempted=False, errors=("no",), step="fetch", denied=True, at=at(2))
    for obj in (after(finding()), after(finding(), denied), after(denied, finding(at=at(3)))):
        states = {row["type"]: row["status"] for row in obj["status"]["conditions"]}
        assert not (states["Ready"] == "True" and ("Stalled" in states or "Reconciling" in states))


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
        ({"step": "revision", "denied": True}, "Stalled", ("True", "RevisionNotFound")),
        ({"step": "revision", "denied": True}, "Ready", ("False", "RevisionNotFound")),
        ({"step": "revision", "denied": True}, "SourceReady", ("False", "RevisionNotFound")),
        ({"step": "revision", "denied": True}, "Synced", ("Unknown", "NotCompared")),
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
        ({"step": "validate"}, "Ready", ("False", "ValidateFailed")),
        ({"step": "validate"}, "Synced", ("Unknown", "ValidateFailed")),
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


def test_a_condition_keeps_its_time_until_its_status_changes() -> None:
    def ready(obj: Any) -> tuple[str, int]:
        (row,) = (row for row in obj["status"]["conditions"] if row["type"] == "Ready")
        return row["lastTransitionTime"], row["observedGeneration"]

    first = after(finding())
    same = after(finding(B, at=at(60)), obj=first)
    assert ready(same) == ready(first) == ("2026-01-02T03:04:06Z", 1)
    bad = after(finding(C, compared=False, attempted=False, errors=("no",), step="render", at=at(99)), obj=same)
    assert ready(bad)[0] == "2026-01-02T03:05:44Z"
