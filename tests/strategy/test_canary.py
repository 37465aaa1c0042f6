"""A canary without a traffic router, from the first deploy to every way it can end, on the cluster in memory."""

from typing import Any

import pytest

from tests.strategy.world import World, image, rollout

STEPS = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {"duration": 2}}]


@pytest.fixture
def world() -> World:
    """Five pods of app:1, healthy."""
    world = World(rollout(steps=STEPS))
    world.settle()
    world.events.clear()
    world.log.clear()
    return world


@pytest.fixture
def paused(world: World) -> World:
    """app:2 at its first, indefinite pause: one canary, four stable pods."""
    world.image("app:2")
    world.settle()
    return world


def conditions(world: World) -> dict[str, tuple[str, str]]:
    return {c["type"]: (c["status"], c["reason"]) for c in world.status["conditions"]}


def test_first_deploy_ignores_steps() -> None:
    world = World(rollout(steps=STEPS))
    world.settle()
    assert world.replicas == {"app:1": 5}
    assert (world.status["phase"], world.status["currentStepIndex"]) == ("Healthy", 4)
    assert world.status["stableRS"] == world.status["currentPodHash"]
    assert world.events == [
        "RolloutAddedToInformer",
        "RolloutUpdated",
        "NewReplicaSetCreated",
        "RolloutNotCompleted",
        "ScalingReplicaSet",
        "RolloutCompleted",
    ]


def test_missing_replicas_are_written_as_one() -> None:
    world = World(rollout(replicas=None))
    world.settle()
    assert world.rollout["spec"]["replicas"] == 1
    assert world.status["observedGeneration"] == str(world.rollout["metadata"]["generation"])


def test_an_update_stops_at_its_pause(paused: World) -> None:
    assert paused.replicas == {"app:1": 4, "app:2": 1}
    assert (paused.status["phase"], paused.status["message"]) == ("Paused", "CanaryPauseStep")
    assert paused.status["controllerPause"] is True
    assert conditions(paused)["Paused"] == ("True", "RolloutPaused")
    assert conditions(paused)["Progressing"] == ("Unknown", "RolloutPaused")
    assert paused.events[:4] == ["RolloutUpdated", "NewReplicaSetCreated", "RolloutNotCompleted", "ScalingReplicaSet"]
    assert paused.events[-2:] == ["RolloutStepCompleted", "RolloutPaused"]


def test_promote_goes_through_the_timed_pause_to_the_end(paused: World) -> None:
    paused.command(pauseConditions=None)
    paused.settle()
    assert paused.replicas == {"app:1": 0, "app:2": 5}
    assert paused.status["phase"] == "Healthy"
    assert paused.status["duration"]["completionStatus"] == "Promoted"
    assert "controllerPause" not in paused.status


def test_timed_pause_says_when_to_look_again(paused: World) -> None:
    paused.command(pauseConditions=None)
    for _ in range(6):
        paused.reconcile()
        paused.pods()
    assert paused.status["currentStepIndex"] == 3
    assert paused.plan().requeue_after == 2.0


def test_skipping_a_step_by_its_index(paused: World) -> None:
    paused.command(pauseConditions=None, controllerPause=False, currentStepIndex=3)
    paused.reconcile()
    assert paused.status["currentStepIndex"] == 3
    assert [p["reason"] for p in paused.status["pauseConditions"]] == ["CanaryPauseStep"]


def test_abort_goes_back_to_stable_and_says_so(paused: World) -> None:
    paused.events.clear()
    paused.command(abort=True)
    paused.settle()
    assert paused.replicas == {"app:1": 5, "app:2": 0}
    assert paused.status["phase"] == "Degraded"
    assert paused.status["message"] == "RolloutAborted: Rollout aborted update to revision 2"
    assert paused.status["currentStepIndex"] == 0
    assert paused.status["abortedAt"]
    assert paused.events == ["ScalingReplicaSet", "RolloutAborted", "ScalingReplicaSet"]


def test_retry_starts_again_at_the_first_step(paused: World) -> None:
    paused.command(abort=True)
    paused.settle()
    paused.command(abort=False)
    paused.reconcile()
    assert conditions(paused)["Progressing"] == ("Unknown", "RolloutRetry")
    paused.settle()
    assert (paused.status["phase"], paused.status["currentStepIndex"]) == ("Paused", 1)
    assert "abortedAt" not in paused.status


def test_promote_full_skips_everything(paused: World) -> None:
    paused.command(promoteFull=True)
    paused.settle()
    assert paused.replicas == {"app:1": 0, "app:2": 5}
    assert paused.status["phase"] == "Healthy"
    assert paused.status["duration"]["completionStatus"] == "FastPromoted"
    assert "promoteFull" not in paused.status


def test_promote_full_after_an_abort_takes_the_abort_back(paused: World) -> None:
    paused.command(abort=True)
    paused.settle()
    paused.command(promoteFull=True)
    paused.settle()
    assert paused.replicas == {"app:1": 0, "app:2": 5}
    assert "abort" not in paused.status


def test_a_version_that_arrives_before_the_last_was_through_does_not_become_incomplete_again(paused: World) -> None:
    assert paused.events.count("RolloutNotCompleted") == 1
    paused.image("app:3")
    paused.settle()
    paused.command(abort=True)
    paused.settle()
    paused.image("app:4")
    paused.settle()
    assert (paused.events.count("RolloutUpdated"), paused.events.count("RolloutNotCompleted")) == (3, 1)
    paused.command(promoteFull=True)
    paused.settle()
    paused.image("app:5")
    paused.settle()
    assert paused.events.count("RolloutNotCompleted") == 2


def test_going_back_to_the_stable_template_skips_the_steps(paused: World) -> None:
    paused.events.clear()
    paused.image("app:1")
    paused.settle()
    assert paused.replicas == {"app:1": 5, "app:2": 0}
    assert (paused.status["phase"], paused.status["currentStepIndex"]) == ("Healthy", 4)
    assert "SkipSteps" in paused.events
    assert "RolloutNotCompleted" not in paused.events
    assert paused.rollout["metadata"]["annotations"]["rollout.argoproj.io/revision"] == "3"


def test_a_third_version_arrives_at_twenty_percent(paused: World) -> None:
    paused.image("app:3")
    paused.settle()
    assert paused.replicas == {"app:1": 4, "app:2": 0, "app:3": 1}
    assert (paused.status["phase"], paused.status["currentStepIndex"]) == ("Paused", 1)


def test_changed_steps_start_over_with_the_same_pods(paused: World) -> None:
    steps = [{"setWeight": 40}, {"pause": {}}]
    paused.edit(strategy={"canary": {"maxSurge": 1, "maxUnavailable": 0, "steps": steps}})
    paused.settle()
    assert paused.replicas == {"app:1": 3, "app:2": 2}
    assert len(paused.sets) == 2
    assert paused.status["currentStepIndex"] == 1


def test_scaling_in_the_middle_keeps_the_weight(paused: World) -> None:
    paused.edit(replicas=10)
    paused.settle()
    assert paused.replicas == {"app:1": 8, "app:2": 2}
    assert paused.status["phase"] == "Paused"
    paused.edit(replicas=5)
    paused.settle()
    assert paused.replicas == {"app:1": 4, "app:2": 1}


def test_a_person_can_freeze_it(world: World) -> None:
    world.edit(paused=True)
    world.image("app:2")
    world.settle()
    assert world.replicas == {"app:1": 5, "app:2": 0}
    assert (world.status["phase"], world.status["message"]) == ("Paused", "manually paused")
    world.edit(paused=False)
    world.settle()
    assert world.replicas == {"app:1": 4, "app:2": 1}


def test_progress_deadline(world: World) -> None:
    world.edit(progressDeadlineSeconds=20)
    world.settle()
    world.image("app:broken")
    world.reconcile()
    world.broken.add(next(name for name, rs in world.sets.items() if "broken" in str(rs)))
    world.settle()
    wait = world.plan().requeue_after
    assert wait is not None
    world.advance(wait)
    world.settle()
    assert world.status["phase"] == "Degraded"
    assert world.status["message"].startswith("ProgressDeadlineExceeded: ReplicaSet")
    assert world.replicas["app:1"] >= 4
    world.image("app:1")
    world.settle()
    assert world.status["phase"] == "Healthy"


def test_progress_deadline_may_abort(world: World) -> None:
    world.edit(progressDeadlineSeconds=20, progressDeadlineAbort=True)
    world.image("app:broken")
    world.reconcile()
    world.broken.add(next(name for name, rs in world.sets.items() if "broken" in str(rs)))
    world.settle()
    world.advance(25)
    world.settle()
    assert world.status["abort"] is True
    assert world.replicas == {"app:1": 5, "app:broken": 0}


def test_revision_history_keeps_the_newest(world: World) -> None:
    world.edit(revisionHistoryLimit=2, strategy={"canary": {"steps": []}})
    for version in range(2, 7):
        world.image(f"app:{version}")
        world.settle()
    assert sorted(world.replicas) == ["app:4", "app:5", "app:6"]


def test_an_older_replica_set_is_used_again(world: World) -> None:
    world.edit(strategy={"canary": {"steps": []}})
    for version in ("app:2", "app:1"):
        world.image(version)
        world.settle()
    assert len(world.sets) == 2
    again = next(rs for rs in world.sets.values() if "app:1" in str(rs["spec"]))
    assert again["metadata"]["annotations"]["rollout.argoproj.io/revision"] == "3"
    assert again["metadata"]["annotations"]["rollout.argoproj.io/revision-history"] == "1"


def test_annotations_of_the_rollout_are_those_of_the_revision_it_makes_or_uses_again(world: World) -> None:
    """`kubernetes.io/change-cause`, say: why there is this revision."""
    cause = "kubernetes.io/change-cause"
    for number, why in ((2, "try 2"), (1, "2 was slow")):
        world.rollout["metadata"]["annotations"] |= {cause: why, "notified.notifications.argoproj.io": "{}"}
        world.image(f"app:{number}")
        world.reconcile()
        newest = next(rs for rs in world.sets.values() if image(rs) == f"app:{number}")
        assert newest["metadata"]["annotations"][cause] == why
        assert "notified.notifications.argoproj.io" not in newest["metadata"]["annotations"]


def test_a_name_taken_by_somebody_else_is_avoided(world: World) -> None:
    probe = World(world.rollout)
    probe.sets = dict(world.sets)
    probe.image("app:2")
    probe.reconcile()
    taken = next(rs for name, rs in probe.sets.items() if name not in world.sets)
    world.foreign = [{"metadata": {"name": taken["metadata"]["name"]}}]
    world.image("app:2")
    world.settle()
    assert taken["metadata"]["name"] not in world.sets
    assert world.status["collisionCount"] == 1
    assert world.replicas == {"app:1": 4, "app:2": 1}


def test_an_abort_that_arrives_with_a_new_template_is_not_lost(world: World) -> None:
    world.image("app:2")
    world.command(abort=True)
    world.settle()
    assert world.replicas == {"app:1": 5, "app:2": 0}
    assert world.status["phase"] == "Degraded"


def test_unknown_status_keys_survive(world: World) -> None:
    world.command(albs=[{"ingress": "x"}], mine={"a": 1})
    world.image("app:2")
    world.settle()
    assert world.status["albs"] == [{"ingress": "x"}]
    assert world.status["mine"] == {"a": 1}


@pytest.mark.parametrize("steps", [[], STEPS])
def test_planning_again_after_applying_yields_nothing(steps: list[Any]) -> None:
    world = World(rollout(steps=steps))
    for version in ("app:1", "app:2", "app:3"):
        world.image(version)
        for _ in range(20):
            world.reconcile()
            assert world.plan().empty, world.last
            world.pods(available=1)


def test_a_template_kubernetes_can_not_read_is_invalid_and_stops_nothing() -> None:
    world = World(rollout())
    world.rollout["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] = "soon"
    world.settle()
    assert world.status["phase"] == "Degraded"
    assert "spec.template.spec.terminationGracePeriodSeconds" in world.status["message"]
    assert not world.sets


def test_skipping_a_pause_ends_that_pause_only() -> None:
    """Argo CD's `skip-current-step` clears the pause and moves the index; the next step may be a pause as well."""
    world = World(rollout(steps=[{"pause": {}}, {"pause": {}}, {"setWeight": 40}, {"pause": {}}]))
    world.settle()
    world.image("app:2")
    world.settle()
    for index in (0, 1):
        assert (world.status["phase"], world.status["currentStepIndex"]) == ("Paused", index)
        world.command(pauseConditions=None, currentStepIndex=index + 1)
        world.settle()
    assert (world.status["phase"], world.status["currentStepIndex"]) == ("Paused", 3)
    world.command(pauseConditions=None)
    world.settle()
    assert world.status["phase"] == "Healthy"
    assert "pausedStepIndex" not in world.status.get("canary", {})


def test_other_steps_are_no_rollback() -> None:
    world = World(rollout(steps=[{"setWeight": 20}, {"pause": {}}]))
    world.settle()
    before = world.status["duration"]
    world.events.clear()
    world.edit(strategy={"canary": {"steps": [{"setWeight": 50}]}})
    world.settle()
    assert (world.events, world.status["duration"], world.status["currentStepIndex"]) == ([], before, 1)


@pytest.mark.parametrize("unavailable", [0, 2])
def test_available_says_what_progressing_says(unavailable: int) -> None:
    world = World(rollout(canary={"maxUnavailable": unavailable}))
    world.settle()
    (rs,) = world.sets.values()
    rs["status"] |= {"availableReplicas": 4, "readyReplicas": 4}
    world.reconcile()
    said = {c["type"]: (c["status"], c["message"]) for c in world.status["conditions"]}
    assert said["Available"] == ("False", "Rollout does not have minimum availability")
    assert said["Progressing"] == ("True", "Rollout does not have minimum availability")


def test_pods_that_never_come_back_are_reported_after_the_deadline_and_abort_nothing() -> None:
    world = World(rollout(progressDeadlineAbort=True))
    world.settle()
    (rs,) = world.sets.values()
    rs["status"] |= {"availableReplicas": 4, "readyReplicas": 4}
    world.reconcile()
    assert world.last.requeue_after == pytest.approx(601)
    world.advance(601)
    world.reconcile()
    assert (world.status["phase"], "abort" in world.status) == ("Degraded", False)
    assert world.status["message"].startswith("ProgressDeadlineExceeded: ")
    world.settle()
    assert world.status["phase"] == "Healthy"


def test_what_is_invalid_is_not_healthy_until_it_is_mended() -> None:
    world = World(rollout())
    world.settle()
    world.edit(replicas=-1)
    world.reconcile()
    said = {c["type"]: c["status"] for c in world.status["conditions"]}
    assert (said["InvalidSpec"], said["Healthy"], world.status["phase"]) == ("True", "False", "Degraded")
    assert world.plan().empty
    world.edit(replicas=5)
    world.settle()
    said = {c["type"]: c["status"] for c in world.status["conditions"]}
    assert ("InvalidSpec" in said, said["Healthy"], world.status["phase"]) == (False, "True", "Healthy")


def test_a_promotion_while_a_person_holds_it_is_not_lost(paused: World) -> None:
    paused.edit(paused=True)
    paused.settle()
    paused.command(pauseConditions=None)
    paused.settle()
    assert (paused.status["message"], paused.status["currentStepIndex"]) == ("manually paused", 1)
    paused.edit(paused=False)
    paused.reconcile()
    assert paused.status["currentStepIndex"] == 2
    paused.settle()
    assert "controllerPause" not in paused.status or paused.status["pauseConditions"]


def test_skipping_while_a_person_holds_it_skips_one_pause_only() -> None:
    world = World(rollout(steps=[{"pause": {}}, {"pause": {}}]))
    world.settle()
    world.image("app:2")
    world.settle()
    world.edit(paused=True)
    world.settle()
    world.command(pauseConditions=None)
    world.settle()
    world.command(currentStepIndex=1)
    world.edit(paused=False)
    world.settle()
    assert (world.status["currentStepIndex"], world.status["message"]) == (1, "CanaryPauseStep")


def test_what_only_a_router_gives_a_meaning_has_none_without_one() -> None:
    block = {"abortScaleDownDelaySeconds": 600, "minPodsPerReplicaSet": 5, "scaleDownDelayRevisionLimit": 1}
    world = World(rollout(replicas=10, steps=[{"setWeight": 20}, {"pause": {}}], canary=block))
    world.settle()
    world.image("app:2")
    world.settle()
    assert world.replicas == {"app:1": 8, "app:2": 2}
    world.command(abort=True)
    world.settle()
    assert world.replicas == {"app:1": 10, "app:2": 0}
    assert "scale-down-deadline" not in repr(world.sets)


def test_a_new_replica_set_waits_as_long_as_its_pods_must_be_ready_from_the_beginning() -> None:
    world = World(rollout(replicas=1, minReadySeconds=7))
    world.reconcile()
    (made,) = world.sets.values()
    assert made["spec"]["minReadySeconds"] == 7
    assert [line for line in world.log if "ReplicaSet" in line] == ["POST ReplicaSet"]
