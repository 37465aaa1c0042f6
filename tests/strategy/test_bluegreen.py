"""Blue/green in memory: from the first deploy to every way it can end."""

from typing import Any

import pytest

from tests.strategy.world import World, rollout

TEMPLATE = {
    "smoke": {
        "metadata": {"name": "smoke"},
        "spec": {"metrics": [{"name": "ok", "provider": {"web": {"url": "http://x", "jsonPath": "{$}"}}}]},
    }
}
ANALYSIS = {"templates": [{"templateName": "smoke"}]}


def blue_green(replicas: int = 3, **fields: Any) -> World:
    spec = rollout(replicas=replicas)
    block = {"activeService": "active", "previewService": "preview", **fields}
    spec["spec"]["strategy"] = {"blueGreen": block}
    return World(spec, services=("active", "preview"), templates=TEMPLATE)


def deployed(**fields: Any) -> World:
    world = blue_green(**fields)
    world.settle()
    world.events.clear()
    world.log.clear()
    return world


def updated(**fields: Any) -> World:
    world = deployed(**fields)
    world.advance(10)
    world.image("app:2")
    world.settle()
    return world


def test_first_deploy() -> None:
    world = blue_green()
    world.settle()
    assert world.events == [
        "RolloutAddedToInformer",
        "RolloutUpdated",
        "NewReplicaSetCreated",
        "SwitchService",
        "ScalingReplicaSet",
        "RolloutCompleted",
        "SwitchService",
    ]
    assert (world.selected("active"), world.selected("preview")) == ("app:1", "app:1")
    assert world.status["phase"] == "Healthy"
    assert world.status["blueGreen"]["activeSelector"] == world.status["stableRS"]
    assert world.status["selector"] == f"app=app,rollouts-pod-template-hash={world.status['stableRS']}"
    assert world.services["active"]["metadata"]["annotations"] == {
        "argo-rollouts.argoproj.io/managed-by-rollouts": "app"
    }


def test_the_active_service_waits_for_all_pods() -> None:
    world = blue_green()
    world.reconcile()
    world.pods(available=2)
    world.advance(3)
    world.reconcile()
    assert world.selected("active") == ""
    assert world.status["message"] == "updated replicas are still becoming available"


def test_an_update_switches_by_itself_and_keeps_the_old_pods_for_a_while() -> None:
    world = updated()
    assert (world.selected("active"), world.selected("preview")) == ("app:2", "app:2")
    assert world.replicas == {"app:1": 3, "app:2": 3}
    assert world.status["phase"] == "Healthy"
    assert world.events == [
        "RolloutUpdated",
        "NewReplicaSetCreated",
        "SwitchService",
        "RolloutNotCompleted",
        "ScalingReplicaSet",
        "SwitchService",
        "RolloutCompleted",
    ]
    assert world.last.requeue_after == pytest.approx(30, abs=3)
    world.advance(31)
    world.settle()
    assert world.replicas == {"app:1": 0, "app:2": 3}


def test_a_person_promotes() -> None:
    world = updated(autoPromotionEnabled=False)
    assert (world.selected("active"), world.selected("preview")) == ("app:1", "app:2")
    assert (world.status["phase"], world.status["message"]) == ("Paused", "BlueGreenPause")
    assert world.status["availableReplicas"] == 3
    world.advance(10_000)
    world.settle()
    assert world.selected("active") == "app:1"
    world.command(pauseConditions=None)
    world.settle()
    assert world.selected("active") == "app:2"
    assert world.status["phase"] == "Healthy"
    assert "scaleUpPreviewCheckPoint" not in world.status["blueGreen"]


def test_auto_promotion_seconds() -> None:
    world = updated(autoPromotionSeconds=60)
    assert world.status["phase"] == "Paused"
    assert world.last.requeue_after == pytest.approx(60, abs=3)
    world.advance(61)
    world.settle()
    assert world.selected("active") == "app:2"


def test_preview_replica_count() -> None:
    world = updated(autoPromotionEnabled=False, previewReplicaCount=1)
    assert world.replicas == {"app:1": 3, "app:2": 1}
    world.command(pauseConditions=None)
    world.reconcile()
    assert world.replicas["app:2"] == 3
    assert world.status["blueGreen"]["scaleUpPreviewCheckPoint"] is True
    assert world.selected("active") == "app:1"
    world.settle()
    assert world.selected("active") == "app:2"


def test_preview_replica_count_without_a_pause() -> None:
    world = deployed(previewReplicaCount=1)
    world.image("app:2")
    world.reconcile()
    assert world.replicas["app:2"] == 1
    world.settle()
    assert (world.selected("active"), world.replicas["app:2"]) == ("app:2", 3)


def test_scaling_while_paused_keeps_the_preview_small() -> None:
    world = updated(autoPromotionEnabled=False, previewReplicaCount=1)
    world.edit(replicas=5)
    world.settle()
    assert world.replicas == {"app:1": 5, "app:2": 1}
    assert world.status["phase"] == "Paused"
    world.command(pauseConditions=None)
    world.settle()
    assert (world.selected("active"), world.replicas["app:2"]) == ("app:2", 5)


def test_pods_lost_between_promotion_and_switch_do_not_lose_the_promotion() -> None:
    world = updated(autoPromotionEnabled=False)
    (name,) = [name for name, rs in world.sets.items() if rs["metadata"]["annotations"][REVISION] == "2"]
    world.sets[name]["status"] |= {"availableReplicas": 1, "readyReplicas": 1}
    world.command(pauseConditions=None)
    world.reconcile()
    assert world.selected("active") == "app:1"
    world.settle()
    assert world.selected("active") == "app:2"


REVISION = "rollout.argoproj.io/revision"


def test_abort_before_the_switch() -> None:
    world = updated(autoPromotionEnabled=False, previewReplicaCount=1)
    world.command(abort=True)
    world.settle()
    assert (world.selected("active"), world.selected("preview")) == ("app:1", "app:2")
    assert world.replicas == {"app:1": 3, "app:2": 1}
    assert world.status["phase"] == "Degraded"
    assert world.events[-1] == "RolloutAborted"
    assert world.last.requeue_after == pytest.approx(30, abs=3)
    world.advance(31)
    world.settle()
    assert world.replicas == {"app:1": 3, "app:2": 0}


def test_abort_scale_down_delay_of_zero_keeps_the_preview_for_ever() -> None:
    world = updated(autoPromotionEnabled=False, abortScaleDownDelaySeconds=0)
    world.command(abort=True)
    world.settle()
    world.advance(100_000)
    world.settle()
    assert world.replicas == {"app:1": 3, "app:2": 3}


def test_retry_begins_again() -> None:
    world = updated(autoPromotionEnabled=False)
    world.command(abort=True)
    world.settle()
    world.advance(31)
    world.settle()
    world.command(abort=False)
    world.settle()
    assert (world.status["phase"], world.replicas) == ("Paused", {"app:1": 3, "app:2": 3})
    assert not any("scale-down-deadline" in rs["metadata"]["annotations"] for rs in world.sets.values())
    world.command(pauseConditions=None)
    world.settle()
    assert world.selected("active") == "app:2"


def test_promote_full_skips_pause_and_analysis() -> None:
    world = updated(autoPromotionEnabled=False, prePromotionAnalysis=ANALYSIS, postPromotionAnalysis=ANALYSIS)
    world.command(promoteFull=True)
    world.settle()
    assert world.selected("active") == "app:2"
    assert world.status["phase"] == "Healthy"
    assert world.status["duration"]["completionStatus"] == "FastPromoted"
    assert all(run["spec"].get("terminate") for run in world.runs.values())


def test_fast_rollback_inside_the_delay() -> None:
    world = updated(prePromotionAnalysis=ANALYSIS)
    world.finish(next(iter(world.runs)))
    world.settle()
    assert world.selected("active") == "app:2"
    runs = set(world.runs)
    world.events.clear()
    world.image("app:1")
    world.reconcile()
    assert world.selected("active") == "app:1"
    world.settle()
    assert set(world.runs) == runs
    assert (world.status["phase"], world.status["duration"]["completionStatus"]) == ("Healthy", "FastRolledBack")
    assert "RolloutCompleted" in world.events


def test_fast_rollback_of_versions_born_within_one_second() -> None:
    world = deployed()
    world.image("app:2")
    world.settle()
    world.image("app:1")
    world.reconcile()
    assert world.selected("active") == "app:1"
    world.image("app:2")
    world.settle()
    assert world.status["duration"]["completionStatus"] == "Promoted"


def test_a_fast_rollback_stays_one_while_it_grows() -> None:
    world = updated(autoPromotionSeconds=20)
    world.advance(21)
    world.settle()
    world.edit(replicas=5)
    world.image("app:1")
    world.reconcile()
    assert (world.selected("active"), world.replicas["app:1"]) == ("app:2", 5)
    world.settle()
    assert (world.selected("active"), world.status["phase"]) == ("app:1", "Healthy")
    assert world.status["duration"]["completionStatus"] == "FastRolledBack"


def test_rollback_after_the_delay_goes_the_whole_way() -> None:
    world = updated()
    world.advance(31)
    world.settle()
    world.edit(
        strategy={"blueGreen": {**world.rollout["spec"]["strategy"]["blueGreen"], "autoPromotionEnabled": False}}
    )
    world.image("app:1")
    world.settle()
    assert (world.status["phase"], world.selected("active")) == ("Paused", "app:2")
    world.command(pauseConditions=None)
    world.settle()
    assert (world.selected("active"), world.status["duration"]["completionStatus"]) == ("app:1", "RolledBack")


def test_going_back_before_the_switch_needs_nothing() -> None:
    world = updated(autoPromotionEnabled=False)
    world.image("app:1")
    world.settle()
    assert (world.selected("active"), world.selected("preview")) == ("app:1", "app:1")
    assert world.status["phase"] == "Healthy"
    world.advance(31)
    world.settle()
    assert world.replicas == {"app:1": 3, "app:2": 0}


def test_pre_promotion_analysis() -> None:
    world = updated(prePromotionAnalysis=ANALYSIS)
    ((name, run),) = world.runs.items()
    assert name.endswith("-2-pre")
    assert run["metadata"]["labels"]["rollout-type"] == "PrePromotion"
    assert world.status["blueGreen"]["prePromotionAnalysisRunStatus"]["name"] == name
    assert (world.status["phase"], world.selected("active")) == ("Progressing", "app:1")
    world.finish(name)
    world.settle()
    assert (world.status["phase"], world.selected("active")) == ("Healthy", "app:2")


def test_pre_promotion_analysis_comes_before_the_pause() -> None:
    world = updated(prePromotionAnalysis=ANALYSIS, autoPromotionEnabled=False)
    assert "pauseConditions" not in world.status
    world.finish(next(iter(world.runs)))
    world.settle()
    assert world.status["message"] == "BlueGreenPause"


@pytest.mark.parametrize("phase", ["Failed", "Error"])
def test_failed_pre_promotion_analysis_aborts(phase: str) -> None:
    world = updated(prePromotionAnalysis=ANALYSIS)
    world.finish(next(iter(world.runs)), phase, "metric ok failed")
    world.settle()
    assert (world.status["phase"], world.selected("active")) == ("Degraded", "app:1")
    assert world.status["message"] == (
        "RolloutAborted: Rollout aborted update to revision 2: "
        "Blue/green pre-promotion analysis phase error/failed: metric ok failed"
    )


def test_inconclusive_pre_promotion_analysis_pauses_and_is_repeated_when_resumed() -> None:
    world = updated(prePromotionAnalysis=ANALYSIS, autoPromotionEnabled=False)
    world.finish(next(iter(world.runs)), "Inconclusive")
    world.settle()
    assert world.status["message"] == "InconclusiveAnalysisRun"
    world.command(pauseConditions=None)
    world.settle()
    assert len(world.runs) == 2
    assert world.selected("active") == "app:1"
    world.finish(sorted(world.runs)[-1])
    world.settle()
    assert world.status["message"] == "BlueGreenPause"


def test_failed_post_promotion_analysis_switches_back() -> None:
    world = updated(postPromotionAnalysis=ANALYSIS)
    assert (world.selected("active"), world.status["phase"]) == ("app:2", "Progressing")
    assert world.status["message"] == "waiting for analysis to complete"
    ((name, _),) = world.runs.items()
    assert name.endswith("-2-post")
    assert world.replicas == {"app:1": 3, "app:2": 3}
    world.finish(name, "Failed")
    world.settle()
    assert (world.selected("active"), world.status["phase"]) == ("app:1", "Degraded")
    assert world.replicas["app:1"] == 3


def test_post_promotion_analysis_makes_it_stable() -> None:
    world = updated(postPromotionAnalysis=ANALYSIS)
    assert "scale-down-deadline" not in repr(world.sets)
    world.finish(next(iter(world.runs)))
    world.settle()
    assert world.status["phase"] == "Healthy"
    assert "scale-down-deadline" in repr(world.sets)


def test_scale_down_delay_revision_limit() -> None:
    world = updated(scaleDownDelayRevisionLimit=1)
    world.image("app:3")
    world.settle()
    assert world.replicas == {"app:1": 0, "app:2": 3, "app:3": 3}


def test_pods_that_wait_follow_the_size() -> None:
    world = updated()
    world.edit(replicas=5)
    world.settle()
    assert world.replicas == {"app:1": 5, "app:2": 5}


def test_a_newer_version_replaces_the_preview() -> None:
    world = updated(autoPromotionEnabled=False)
    world.image("app:3")
    world.settle()
    assert (world.selected("active"), world.selected("preview")) == ("app:1", "app:3")
    world.advance(31)
    world.settle()
    assert world.replicas == {"app:1": 3, "app:2": 0, "app:3": 3}


def test_a_promotion_counts_for_one_version_only() -> None:
    world = updated(autoPromotionEnabled=False, previewReplicaCount=1)
    world.command(pauseConditions=None)
    world.reconcile()
    assert world.status["blueGreen"]["scaleUpPreviewCheckPoint"] is True
    world.image("app:3")
    world.settle()
    assert (world.status["message"], world.selected("active")) == ("BlueGreenPause", "app:1")
    assert world.replicas["app:3"] == 1


def test_user_pause_stops_the_switch() -> None:
    world = deployed()
    world.edit(paused=True)
    world.image("app:2")
    world.settle()
    assert (world.replicas, world.selected("active")) == ({"app:1": 3, "app:2": 0}, "app:1")
    assert (world.status["phase"], world.status["message"]) == ("Paused", "manually paused")
    world.edit(paused=False)
    world.settle()
    assert world.selected("active") == "app:2"


def test_crashing_pods_never_get_the_active_service() -> None:
    world = deployed()
    world.image("app:2")
    world.reconcile()
    world.broken |= {name for name, rs in world.sets.items() if rs["metadata"]["annotations"][REVISION] == "2"}
    world.settle()
    assert world.selected("active") == "app:1"
    world.advance(700)
    world.settle()
    assert (world.status["phase"], world.selected("active")) == ("Degraded", "app:1")


@pytest.mark.parametrize(("by", "resumed"), [("time", 1), ("promoteFull", 1), ("a person", 0), ("abort", 0)])
def test_a_pause_the_controller_ends_is_told(by: str, resumed: int) -> None:
    world = updated(autoPromotionSeconds=20)
    assert "RolloutPaused" in world.events
    commands: dict[str, Any] = {"promoteFull": {"promoteFull": True}, "a person": {"pauseConditions": None}}
    world.command(**commands.get(by, {"abort": True} if by == "abort" else {}))
    world.advance(21 if by == "time" else 1)
    world.settle()
    assert world.events.count("RolloutResumed") == resumed


def test_missing_services_make_it_invalid() -> None:
    world = blue_green()
    world.services.clear()
    world.reconcile()
    assert (world.events, world.status["phase"]) == (
        ["RolloutAddedToInformer", "InvalidSpec", *["ServiceReferenceError"] * 2],
        "Degraded",
    )
    assert (
        'spec.strategy.blueGreen.activeService: Invalid value: "active": service "active" not found'
        in (world.status["message"])
    )


def test_a_service_that_is_still_missing_is_not_told_of_again() -> None:
    world = blue_green()
    world.services.clear()
    world.reconcile()
    world.edit(minReadySeconds=-1)
    world.reconcile()
    assert world.events[-1] == "InvalidSpec"
    world.edit(minReadySeconds=1)
    world.reconcile()
    assert world.events[-1] == "InvalidSpec"
    assert world.events.count("ServiceReferenceError") == 2


def test_from_canary_to_blue_green_in_the_middle_of_an_update() -> None:
    world = World(rollout(replicas=4, steps=[{"setWeight": 25}, {"pause": {}}]), services=("active", "preview"))
    world.settle()
    world.image("app:2")
    world.settle()
    assert world.replicas == {"app:1": 3, "app:2": 1}
    world.edit(strategy={"blueGreen": {"activeService": "active", "previewService": "preview"}})
    world.reconcile()
    assert world.selected("active") == "app:1"
    world.settle()
    assert (world.selected("active"), world.replicas["app:2"]) == ("app:2", 4)
    assert world.status["phase"] == "Healthy"
    assert "currentStepIndex" not in world.status


def test_from_blue_green_to_canary_lets_the_services_go() -> None:
    world = updated(autoPromotionEnabled=False)
    world.edit(strategy={"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}})
    world.settle()
    assert (world.selected("active"), world.selected("preview")) == ("", "")
    assert "managed-by-rollouts" not in repr(world.services)
    assert world.status["phase"] == "Paused"
    assert "activeSelector" not in repr(world.status)
    world.command(pauseConditions=None)
    world.settle()
    assert world.status["phase"] == "Healthy"
    assert world.replicas == {"app:1": 0, "app:2": 3}
