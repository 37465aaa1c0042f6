"""What a pass may do, and when the next one is due: tables."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.api import kinds
from rollouts.api.parsing import parse
from rollouts.gitops.gitsync import contest, due, reading
from rollouts.gitops.gitsync.ignore import adjust_of, named, read
from rollouts.gitops.gitsync.values import Facts, Heal, Mandate, Task
from rollouts.gitops.gitsync.verdict import Case, heal_pause, verdict
from rollouts.gitops.objects import Ref
from tests.gitops.gitsync.world import CONFIG, NOW, A, B, at, sync

APPLIED = {"history": [{"id": 1, "revision": A, "inputsDigest": "x"}]}
FAILED = {"operationState": {"phase": "Failed", "revision": B, "finishedAt": "2026-01-02T03:04:05Z", "retryCount": 1}}
SPENT = {"operationState": {**FAILED["operationState"], "retryCount": 5}}
ENDED = {"operationState": {**FAILED["operationState"], "message": "terminated by a command"}}
BY_HAND = Mandate(explicit=True, operation={"sync": {}})


def case(commit: str = B, *, spec: Any = None, status: Any = None, **values: Any) -> Case:
    model = parse(kinds.GIT_SYNC, sync(**(spec or {}))).model
    known = {"mandate": Mandate(), "inputs": "x", "now": at(1), **values}
    return Case(spec=model.spec, status=status or APPLIED, commit=commit, **known)


def asked(**operation: Any) -> Mandate:
    return Mandate(explicit=True, operation={"sync": operation})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (case(), ""),
        (case(mandate=asked(dryRun=True)), "dry run"),
        (case(spec={"syncPolicy": {}}), "a person applies it"),
        (case(spec={"syncPolicy": {"automated": {"enabled": False}}}), "a person applies it"),
        (case(spec={"syncPolicy": {}}, mandate=BY_HAND), ""),
        (case(spec={"suspend": True}), "suspended"),
        (case(mandate=asked(confirmPlan="sha256:x"), deletions="sha256:x"), ""),
        (case(mandate=asked(confirmPlan="sha256:y"), deletions="sha256:x"), "what was confirmed is not"),
        (case(rewind=True), "went back"),
        (case(rewind=True, mandate=BY_HAND), "went back"),
        (case(rewind=True, mandate=asked(allowRewind=True)), ""),
        (case(rewind=True, mandate=asked(historyID=1)), ""),
        (case(blockers=("GitSync infra to be ready",)), "waiting for GitSync infra"),
        (case(blockers=("GitSync infra to be ready",), mandate=BY_HAND), "waiting for GitSync infra"),
        (case(status={"hold": {"revision": B, "reason": "Rollback"}}), "is held (Rollback)"),
        (case(status={"hold": {"revision": A, "reason": "Rollback"}}), ""),
        (case(status={"hold": {"revision": B, "reason": "Rollback"}}, mandate=BY_HAND), ""),
        (case(status=FAILED, mandate=Mandate(attempt=1)), "next attempt"),
        (case(status=FAILED, mandate=Mandate(attempt=1), now=at(11)), ""),
        (case(status=FAILED, mandate=Mandate(attempt=2)), ""),
        (case("d" * 40, status=FAILED), ""),
        (case(status=SPENT, mandate=Mandate(attempt=5), now=at(9999)), "given up after 6 attempts"),
        (case(status=ENDED), "was terminated: `sync now`"),
        (case(status=ENDED, mandate=BY_HAND), ""),
        (case("d" * 40, status=ENDED), ""),
        (case(A), ""),
        (case(A, inputs="other"), ""),
        (case(A, spec={"syncPolicy": {"automated": {}}}), "selfHeal is off"),
        (case(A, spec={"syncPolicy": {"automated": {}}}, inputs="other"), ""),
        (case(A, spec={"syncPolicy": {"automated": {}}}, prunes_only=True), ""),
        (case(A, spec={"syncPolicy": {}}, prunes_only=True), "a person applies it"),
        (case(A, heals=2, healed_at=NOW), "a little later"),
        (case(A, heals=2, healed_at=NOW, now=at(7)), ""),
    ],
)
def test_the_first_reason_counts(given: Case, words: str) -> None:
    """R5, R6, R30, R36."""
    said = verdict(given).waiting
    assert (words in said) if words else said == ""


def test_pauses_between_self_heals_grow_to_a_cap() -> None:
    """R6."""
    assert [heal_pause(count) for count in (0, 1, 2, 3, 9)] == [0, 2, 6, 18, 300]


def test_pauses_between_attempts_grow_to_a_cap() -> None:
    retry = reading.retry_of(parse(kinds.GIT_SYNC, sync()).model.spec, {})
    assert [reading.retry_pause(retry, attempt) for attempt in (0, 1, 2, 9)] == [5, 10, 20, 180]


STATUS = {"observedGeneration": 1}


@pytest.mark.parametrize(
    ("status", "facts", "seconds", "task"),
    [
        (STATUS, Facts(), 0, Task.SYNC),
        (STATUS, Facts(looked_at=NOW), 60, None),
        (STATUS, Facts(looked_at=NOW), 121, Task.SYNC),
        (STATUS, Facts(looked_at=NOW, stagger=1.0), 121, None),
        (STATUS, Facts(looked_at=NOW, stagger=1.0), 181, Task.SYNC),
        (STATUS, Facts(looked_at=NOW, hinted=True), 1, Task.SYNC),
        ({}, Facts(looked_at=NOW), 1, Task.SYNC),
        ({**STATUS, "health": {"status": "Progressing"}}, Facts(looked_at=NOW), 16, Task.LOOK),
        ({**STATUS, "health": {"status": "Suspended"}}, Facts(looked_at=NOW), 16, None),
        ({**STATUS, **FAILED}, Facts(looked_at=NOW), 9, None),
        ({**STATUS, **FAILED}, Facts(looked_at=NOW), 11, Task.SYNC),
        ({**STATUS, **SPENT}, Facts(looked_at=NOW), 100, None),
        (STATUS, Facts(looked_at=NOW, reported=at(30)), 30.9, None),
        (STATUS, Facts(looked_at=NOW, reported=at(30)), 31, Task.LOOK),
        (STATUS, Facts(looked_at=NOW, reported=at(0.5)), 4.9, None),
        (STATUS, Facts(looked_at=NOW, reported=at(0.5)), 5, Task.LOOK),
        (STATUS, Facts(looked_at=NOW, again=at(5)), 4, None),
        (STATUS, Facts(looked_at=NOW, again=at(5)), 6, Task.SYNC),
        (STATUS, Facts(looked_at=NOW, blocked=True, blockers=("x",)), 6, None),
        (STATUS, Facts(looked_at=NOW, blocked=True), 6, Task.SYNC),
        (STATUS, Facts(looked_at=NOW, moved=at(30)), 31.9, None),
        (STATUS, Facts(looked_at=NOW, moved=at(30)), 32, Task.SYNC),
        (STATUS, Facts(looked_at=NOW, stirred=at(30)), 30.9, None),
        (STATUS, Facts(looked_at=NOW, stirred=at(30)), 31, Task.SYNC),
        (STATUS, Facts(looked_at=NOW, stirred=at(0.5), restless=1), 1.9, None),
        (STATUS, Facts(looked_at=NOW, stirred=at(0.5), restless=1), 2, Task.SYNC),
        (STATUS, Facts(looked_at=NOW, stirred=at(0.5), restless=4), 15, None),
        (STATUS, Facts(looked_at=NOW, stirred=at(0.5), restless=4), 16, Task.SYNC),
        (STATUS, Facts(looked_at=NOW, stirred=at(0.5), restless=99), 119, None),
        (STATUS, Facts(looked_at=NOW, stirred=at(0.5), restless=99), 121, Task.SYNC),
    ],
)
def test_when_a_pass_is_due(status: Any, facts: Facts, seconds: float, task: Task | None) -> None:
    obj = sync(status=status)
    mandate, wait = due.next_pass(obj, parse(kinds.GIT_SYNC, obj).model, facts, at(seconds))
    assert (mandate.task if mandate else None) == task
    assert (mandate is None) == (wait is not None)


def test_suspended_only_commands_are_carried_out() -> None:
    obj = sync(suspend=True)
    model = parse(kinds.GIT_SYNC, obj).model
    assert due.next_pass(obj, model, Facts(), NOW) == (None, None)
    obj["status"] = {"operationState": {"phase": "Running", "operation": {"sync": {}}}}
    assert due.next_pass(obj, model, Facts(), NOW)[0] is not None


HEAL = Heal(ref=CONFIG, path="data.a", manager="them")


@pytest.mark.parametrize(
    ("moments", "found"), [((0, 60), 0), ((0, 60, 120), 1), ((0, 400, 700), 0), ((0, 100, 200, 300), 1)]
)
def test_the_third_time_within_ten_minutes_is_a_contest(moments: tuple[float, ...], found: int) -> None:
    """R7."""
    seen: contest.Seen = {}
    known: tuple[Any, ...] = ()
    for moment in moments:
        seen = contest.noticed(seen, [HEAL], at=at(moment))
        known = contest.contested(seen, [HEAL], at=at(moment), known=known)
    assert len(known) == found
    assert all((row["path"], row["manager"]) == ("data.a", "them") for row in known)
    assert all(row["since"] > "2026-01-02T03:04:05Z" for row in known)


LIVE = {
    "metadata": {
        "managedFields": [
            {"manager": "rollouts-gitops", "fieldsV1": {"f:spec": {"f:ports": {'k:{"name":"http"}': {"f:port": {}}}}}},
            {
                "manager": "early",
                "time": "2026-01-01T00:00:00Z",
                "fieldsV1": {"f:spec": {"f:ports": {'k:{"name":"http"}': {"f:port": {}}}}},
            },
            {"manager": "late", "time": "2026-01-02T00:00:00Z", "fieldsV1": {"f:spec": {"f:ports": {}}}},
            {"manager": "elsewhere", "time": "2026-01-03T00:00:00Z", "fieldsV1": {"f:spec": {"f:type": {}}}},
        ]
    },
    "spec": {"ports": [{"name": "dns", "port": 1}, {"name": "http", "port": 2}]},
}


@pytest.mark.parametrize(
    ("path", "manager"),
    [(("spec", "ports", 1, "port"), "late"), (("spec", "type"), "elsewhere"), (("spec", "other"), "")],
)
def test_whoever_wrote_a_field_last_is_named(path: Any, manager: str) -> None:
    """R7: lists by their key, a list owned as a whole, and nobody."""
    assert contest.manager_of(LIVE, path) == manager


def test_a_contested_field_is_found_again_in_another_order() -> None:
    path = named(("spec", "ports", 1, "port"), LIVE)
    from rollouts.api.fieldpaths import shown

    assert read(shown(path)) == path
    row = {"resource": str(Ref(group="", kind="Service", namespace="n", name="s")), "path": shown(path)}
    adjust = adjust_of((), [row])
    assert adjust is not None
    wanted = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s", "namespace": "n"},
        "spec": {"ports": [{"name": "http", "port": 80}, {"name": "dns", "port": 53}]},
    }
    assert adjust(wanted, LIVE)["spec"]["ports"] == [{"name": "http", "port": 2}, {"name": "dns", "port": 53}]
    other = {**wanted, "metadata": {"name": "t", "namespace": "n"}}
    assert adjust(other, LIVE) is other


FAST = {"limit": 1, "backoff": {"duration": "1s", "factor": 3, "maxDuration": "2s"}}


def test_pauses_and_attempts_are_those_of_the_spec() -> None:
    retry = reading.retry_of(parse(kinds.GIT_SYNC, sync(syncPolicy={"retry": FAST})).model.spec, {})
    assert [reading.retry_pause(retry, attempt) for attempt in (0, 1, 2)] == [1, 2, 2]
    assert [reading.retries_left(retry, attempt) for attempt in (0, 1)] == [True, False]
    endless = reading.retry_of(parse(kinds.GIT_SYNC, sync()).model.spec, {"retry": {"limit": -1}})
    assert reading.retries_left(endless, 999)


def failed(retry: Any, *, asked: Any = None, count: int = 0) -> dict[str, Any]:
    state = {"phase": "Failed", "revision": B, "finishedAt": "2026-01-02T03:04:05Z", "retryCount": count}
    policy = {"automated": {}, **({"retry": retry} if retry else {})}
    return sync(syncPolicy=policy, status={"operationState": {**state, "operation": asked or {}}})


@pytest.mark.parametrize(
    ("obj", "commit"),
    [
        (failed(None), ""),
        (failed({"refresh": True}), ""),
        (failed({"refresh": False}), B),
        (failed({"refresh": False, "limit": 2}, count=1), B),
        (failed({"refresh": False, "limit": 2}, count=2), ""),
        (failed(None, asked={"retry": {"refresh": False}}), B),
        (sync(syncPolicy={"retry": {"refresh": False}}), ""),
    ],
)
def test_which_commit_a_retry_keeps_to(obj: Any, commit: str) -> None:
    """Until its attempts are used up, if `refresh` is off; else the newest one is tried."""
    assert reading.kept_to(parse(kinds.GIT_SYNC, obj).model.spec, reading.status_of(obj)) == commit


def test_a_command_that_says_retry_is_tried_again_as_it_was_asked_for() -> None:
    """Also where nothing happens by itself; without it, a command is tried once."""
    status = {"observedGeneration": 1, **FAILED}
    status["operationState"] = {**FAILED["operationState"], "retryCount": 0}
    asked = {"sync": {"revision": "v1"}, "retry": FAST}
    for operation, again in ((asked, True), ({"sync": {"revision": "v1"}}, False)):
        status["operationState"]["operation"] = operation
        obj = sync(syncPolicy={}, status=status)
        mandate, _ = due.next_pass(obj, parse(kinds.GIT_SYNC, obj).model, Facts(looked_at=NOW), at(5))
        assert (mandate is not None) is again
        if mandate is not None:
            assert (mandate.operation, mandate.explicit, mandate.attempt) == (asked, True, 1)


@pytest.mark.parametrize(
    ("spec", "differs"),
    [
        ({"interval": "1h"}, False),
        ({"destination": {"namespace": "x"}}, True),
        ({"ignoreDifferences": [{"kind": "X", "jsonPointers": ["/a/b"]}]}, True),
        ({"syncPolicy": {"automated": {}, "syncOptions": ["CreateNamespace=true"]}}, True),
        ({"syncPolicy": {"managedNamespaceMetadata": {"labels": {"a": "b"}}}}, True),
    ],
)
def test_what_makes_it_another_sync_of_the_same_commit(spec: Any, differs: bool) -> None:
    """What goes into what is applied: a change of it is no drift (R1)."""
    before, after = (reading.inputs_digest(parse(kinds.GIT_SYNC, sync(**given)).model.spec) for given in ({}, spec))
    assert (before != after) is differs
