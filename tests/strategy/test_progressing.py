"""The condition Progressing: which reason wins, and what the first words on a ReplicaSet cost (nothing)."""

from datetime import timedelta
from typing import Any

import pytest

from rollouts.strategy import progressing
from rollouts.strategy.recorded import recall
from tests.strategy.world import START, World, rollout

STEPS = [{"setWeight": 20}, {"pause": {}}]
OLD = "2025-12-31T00:00:00Z"


def facts(before: str = "", *, timed_pause: bool = False, **given: Any) -> progressing.Facts:
    """`timed_pause`: what makes the pause is still written, so it is time that ended it."""
    condition = {"type": "Progressing", "reason": before, "lastUpdateTime": OLD}
    pauses = [{"reason": "CanaryPauseStep", "startTime": OLD}] if timed_pause else []
    plain: dict[str, Any] = {
        **dict.fromkeys(("created", "paused", "retry", "complete", "progressed", "short_of_pods", "waiting"), False),
        "abort": None,
    }
    return progressing.Facts(
        recorded=recall(
            {
                "metadata": {"name": "app", "generation": 1},
                "status": {"conditions": [condition] if before else [], "pauseConditions": pauses},
            }
        ),
        replica_set="app-5f6c",
        deadline=600,
        now=START,
        **(plain | given),
    )


def said(made: progressing.Facts) -> tuple[str, str, str] | None:
    condition = progressing.condition(made)
    return None if condition is None else (condition.status, condition.reason, condition.message)


CREATED = ("True", "NewReplicaSetCreated", 'Created new replica set "app-5f6c"')
FOUND = ("True", "FoundNewReplicaSet", 'Found new replica set "app-5f6c"')
UPDATED = ("True", "ReplicaSetUpdated", 'ReplicaSet "app-5f6c" is progressing.')
AVAILABLE = ("True", "NewReplicaSetAvailable", 'ReplicaSet "app-5f6c" has successfully progressed.')
SHORT = ("True", "ReplicaSetNotAvailable", "Rollout does not have minimum availability")
PAUSED = ("Unknown", "RolloutPaused", "Rollout is paused")
RESUMED = ("Unknown", "RolloutResumed", "Rollout is resumed")
RETRY = ("Unknown", "RolloutRetry", "Retrying Rollout after abort")
ABORTED = ("False", "RolloutAborted", "why")
LATE = ("False", "ProgressDeadlineExceeded", 'ReplicaSet "app-5f6c" has timed out progressing.')
LONG_AGO = ("ReplicaSetUpdated", "NewReplicaSetCreated", "FoundNewReplicaSet", "ReplicaSetNotAvailable")


@pytest.mark.parametrize(
    ("made", "wanted"),
    [
        (facts(created=True, progressed=True), CREATED),
        (facts("NewReplicaSetAvailable", created=True, progressed=True), CREATED),
        (facts("ReplicaSetCreateError", created=True, progressed=True), CREATED),
        (facts("ReplicaSetCreateError"), UPDATED),
        (facts(progressed=True), FOUND),
        (facts(), FOUND),
        (facts("NewReplicaSetAvailable", progressed=True), UPDATED),
        (facts("NewReplicaSetCreated", progressed=True), UPDATED),
        (facts("FoundNewReplicaSet", progressed=True), UPDATED),
        (facts("NewReplicaSetCreated", waiting=True), None),
        (facts("ReplicaSetUpdated", waiting=True), None),
        (facts(complete=True, progressed=True), AVAILABLE),
        (facts("NewReplicaSetAvailable", short_of_pods=True), SHORT),
        (facts("NewReplicaSetAvailable"), UPDATED),
        (facts(created=True, paused=True), PAUSED),
        (facts("RolloutPaused", waiting=True), RESUMED),
        (facts("RolloutPaused", progressed=True), RESUMED),
        (facts("RolloutPaused", progressed=True, waiting=True), UPDATED),
        (facts("RolloutPaused", progressed=True, timed_pause=True), UPDATED),
        (facts("RolloutPaused", progressed=True, complete=True), AVAILABLE),
        (facts("RolloutPaused", progressed=True, paused=True), PAUSED),
        (facts("RolloutResumed", progressed=True), UPDATED),
        (facts("RolloutResumed", waiting=True), None),
        (facts("RolloutResumed"), LATE),
        (facts("NewReplicaSetAvailable", paused=True, promoted=True, short_of_pods=True), None),
        (facts("NewReplicaSetAvailable", paused=True), PAUSED),
        (facts("RolloutAborted", retry=True, progressed=True), RETRY),
        (facts("RolloutAborted", retry=True, paused=True), PAUSED),
        (facts("ReplicaSetUpdated", abort="why"), ABORTED),
        (facts("ProgressDeadlineExceeded"), LATE),
        *((facts(reason), LATE) for reason in LONG_AGO),
    ],
)
def test_the_first_row_that_applies(made: progressing.Facts, wanted: tuple[str, str, str] | None) -> None:
    assert said(made) == wanted


def condition(world: World) -> dict[str, Any]:
    found: dict[str, Any] = next(c for c in world.status["conditions"] if c["type"] == "Progressing")
    return found


def test_created_is_in_the_patch_of_the_creation_and_costs_no_other() -> None:
    world = World(rollout(steps=STEPS))
    world.reconcile()
    assert condition(world)["reason"] == "NewReplicaSetCreated"
    assert world.plan().empty
    world.now += timedelta(milliseconds=200)
    world.pods(available=0)
    assert world.plan().empty  # pod counts alone, with the change to ReplicaSetUpdated, wait to be written
    world.pods()
    world.reconcile()
    assert condition(world)["reason"] == "NewReplicaSetAvailable"
    assert [line for line in world.log if "status" in line] == ["PATCH Rollout/status"] * 2
    world.image("app:2")
    world.reconcile()
    assert condition(world)["message"].startswith('Created new replica set "app-')


def test_a_first_replica_set_that_is_there_already_was_found() -> None:
    """The controller died between making it and saying so."""
    world = World(rollout(steps=STEPS))
    world.reconcile()
    del world.rollout["status"]
    world.reconcile()
    assert condition(world)["reason"] == "FoundNewReplicaSet"
    assert world.plan().empty


def test_the_deadline_counts_from_the_creation() -> None:
    world = World(rollout(steps=STEPS, progressDeadlineSeconds=20))
    world.reconcile()
    begun = condition(world)
    world.now += timedelta(seconds=22)
    world.reconcile()
    assert (begun["reason"], condition(world)["reason"]) == ("NewReplicaSetCreated", "ProgressDeadlineExceeded")


@pytest.mark.parametrize(("duration", "reason"), [({}, "RolloutResumed"), ({"duration": 10}, "ReplicaSetUpdated")])
def test_a_pause_that_a_person_ended_is_told_in_the_patch_of_the_step_and_costs_no_other(
    duration: dict[str, Any], reason: str
) -> None:
    world = World(rollout(replicas=5, steps=[{"setWeight": 20}, {"pause": duration}, {"setWeight": 60}, {"pause": {}}]))
    world.settle()
    world.image("app:2")
    world.settle()
    world.log.clear()
    if duration:
        world.advance(11)
    else:
        world.command(pauseConditions=None)
        world.log.clear()
    world.reconcile()
    assert (condition(world)["reason"], world.status["currentStepIndex"]) == (reason, 2)
    world.now += timedelta(milliseconds=200)
    world.pods(available=0)
    assert world.plan().empty or not world.plan().status  # pods move, and nothing is written for the word's sake
    world.settle()
    assert condition(world)["reason"] == "RolloutPaused"
    assert world.log.count("PATCH Rollout/status") == 2


def test_pods_lost_while_a_person_holds_a_promoted_rollout_leave_the_story_as_it_is() -> None:
    world = World(rollout(replicas=3, steps=STEPS))
    world.settle()
    before = condition(world)
    world.edit(paused=True)
    world.settle()
    world.broken = set(world.sets)
    world.pods()
    world.reconcile()
    assert (world.status["phase"], world.status.get("availableReplicas") or 0) == ("Paused", 0)
    assert condition(world) == before
