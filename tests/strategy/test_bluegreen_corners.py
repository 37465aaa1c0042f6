"""Blue/green where things meet: nothing to serve with, a person who holds it, a second try, pods that are not there."""

import pytest

from rollouts.plan import Create
from tests.strategy.test_bluegreen import ANALYSIS, REVISION, blue_green, deployed, updated
from tests.strategy.world import CrashedError, World, image


def test_deployed_at_nothing_it_is_healthy_and_takes_the_service_over_with_its_first_pods() -> None:
    world = blue_green(0)
    world.settle()
    assert (world.status["phase"], world.selected("active")) == ("Healthy", "")
    world.edit(replicas=3)
    world.settle()
    assert (world.status["phase"], world.selected("active")) == ("Healthy", "app:1")


def test_an_update_at_nothing_goes_all_the_way() -> None:
    world = deployed(autoPromotionEnabled=False)
    world.edit(replicas=0)
    world.image("app:2")
    world.settle()
    assert (world.status["message"], world.selected("active")) == ("BlueGreenPause", "app:1")
    world.command(pauseConditions=None)
    world.settle()
    world.advance(700)
    world.settle()
    assert (world.status["phase"], world.selected("active")) == ("Healthy", "app:2")
    world.edit(replicas=3)
    world.settle()
    assert world.replicas == {"app:1": 0, "app:2": 3}


def test_users_never_get_a_preview_because_nobody_was_there_when_it_was_paused() -> None:
    world = blue_green(0)
    world.settle()
    world.edit(paused=True, replicas=3)
    world.image("app:2")
    world.settle()
    assert (world.status["message"], world.selected("active")) == ("manually paused", "app:1")
    world.edit(paused=False)
    world.settle()
    assert (world.status["phase"], world.selected("active")) == ("Healthy", "app:2")


def test_the_stable_one_comes_back_while_a_person_holds_it_though_the_preview_came_first() -> None:
    world = blue_green(0, previewReplicaCount=2)
    world.settle()
    world.image("app:2")
    world.edit(replicas=3)
    plan = world.plan()
    with pytest.raises(CrashedError):
        world.apply(plan, die_after=1 + next(i for i, write in enumerate(plan.writes) if isinstance(write, Create)))
    world.edit(paused=True)
    world.settle()
    assert world.replicas == {"app:1": 3, "app:2": 2}
    assert (world.status["message"], world.selected("active")) == ("manually paused", "app:1")


def test_a_first_version_that_never_comes_up_is_replaced_without_asking() -> None:
    world = blue_green(autoPromotionEnabled=False, prePromotionAnalysis=ANALYSIS)
    world.reconcile()
    world.broken |= set(world.sets)
    world.settle()
    world.advance(700)
    world.settle()
    assert (world.status["phase"], world.selected("active")) == ("Degraded", "")
    world.image("app:2")
    world.settle()
    assert (world.status["phase"], world.selected("active"), world.runs) == ("Healthy", "app:2", {})
    assert world.status["duration"]["completionStatus"] == "Promoted"
    world.advance(31)
    world.settle()
    assert world.replicas == {"app:1": 0, "app:2": 3}


def test_a_promotion_while_a_person_holds_it_is_not_lost() -> None:
    world = updated(autoPromotionEnabled=False)
    world.edit(paused=True)
    world.settle()
    world.command(pauseConditions=None)
    world.settle()
    assert (world.status["message"], world.selected("active")) == ("manually paused", "app:1")
    world.edit(paused=False)
    world.settle()
    assert (world.status["phase"], world.selected("active")) == ("Healthy", "app:2")


def test_a_failed_analysis_takes_users_back_while_a_person_holds_it() -> None:
    world = updated(postPromotionAnalysis=ANALYSIS)
    world.edit(paused=True)
    world.settle()
    assert (world.status["message"], world.selected("active")) == ("manually paused", "app:2")
    world.finish(next(iter(world.runs)), "Failed")
    world.settle()
    assert (world.status["phase"], world.selected("active")) == ("Degraded", "app:1")


@pytest.mark.parametrize(
    ("command", "active"), [("abort", "app:1"), ("promoteFull", "app:2"), ("pauseConditions", "app:2")]
)
def test_an_inconclusive_post_promotion_analysis_waits_for_a_person(command: str, active: str) -> None:
    world = updated(postPromotionAnalysis=ANALYSIS)
    world.finish(next(iter(world.runs)), "Inconclusive")
    world.settle()
    assert (world.status["message"], world.selected("active")) == ("InconclusiveAnalysisRun", "app:2")
    world.command(**{command: None if command == "pauseConditions" else True})
    world.settle()
    assert (world.selected("active"), len(world.runs)) == (active, 2 if command == "pauseConditions" else 1)


def test_retry_after_a_failed_post_promotion_analysis_goes_the_whole_way() -> None:
    world = updated(postPromotionAnalysis=ANALYSIS, previewReplicaCount=1, autoPromotionEnabled=False)
    world.command(pauseConditions=None)
    world.settle()
    world.finish(next(iter(world.runs)), "Failed")
    world.settle()
    world.advance(31)
    world.settle()
    assert (world.replicas, world.selected("active")) == ({"app:1": 3, "app:2": 0}, "app:1")
    world.command(abort=False)
    world.settle()
    assert (world.replicas["app:2"], world.status["message"]) == (1, "BlueGreenPause")
    world.command(pauseConditions=None)
    world.settle()
    world.finish(sorted(world.runs)[-1])
    world.settle()
    assert (len(world.runs), world.status["phase"], world.selected("active")) == (2, "Healthy", "app:2")


def test_promote_full_grows_a_small_preview_before_the_switch() -> None:
    world = updated(autoPromotionEnabled=False, previewReplicaCount=1)
    world.command(promoteFull=True)
    world.reconcile()
    assert (world.replicas["app:2"], world.selected("active")) == (3, "app:1")
    world.settle()
    assert (world.selected("active"), "promoteFull" in world.status) == ("app:2", False)


def test_an_abort_waits_for_stable_pods_to_switch_back_to() -> None:
    world = updated(postPromotionAnalysis=ANALYSIS)
    (name,) = [name for name, rs in world.sets.items() if rs["metadata"]["annotations"][REVISION] == "1"]
    world.broken.add(name)
    world.pods()
    world.command(abort=True)
    world.settle()
    world.advance(60)
    world.settle()
    assert (world.selected("active"), world.replicas["app:2"]) == ("app:2", 3)
    world.broken.clear()
    world.settle()
    assert world.selected("active") == "app:1"
    world.advance(31)
    world.settle()
    assert world.replicas == {"app:1": 3, "app:2": 0}


def test_metadata_and_anti_affinity_of_both_roles() -> None:
    world = updated(
        previewMetadata={"labels": {"role": "preview"}},
        activeMetadata={"labels": {"role": "active"}},
        antiAffinity={"requiredDuringSchedulingIgnoredDuringExecution": {}},
        autoPromotionEnabled=False,
    )
    assert roles(world) == {"app:1": ("active", False), "app:2": ("preview", True)}
    world.command(pauseConditions=None)
    world.settle()
    assert roles(world) == {"app:1": (None, False), "app:2": ("active", True)}
    world.image("app:1")
    world.settle()
    assert roles(world) == {"app:1": ("active", False), "app:2": (None, True)}


def roles(world: World) -> dict[str, tuple[str | None, bool]]:
    """(label of the role, whether kept apart from other pods) of new pods, by image."""
    templates = {image(rs): rs["spec"]["template"] for rs in world.sets.values()}
    return {name: (t["metadata"]["labels"].get("role"), "affinity" in t["spec"]) for name, t in templates.items()}


def test_when_the_stable_one_was_deleted_at_nothing_the_new_one_takes_its_place_without_a_word_from_outside() -> None:
    world = deployed(autoPromotionEnabled=False)
    world.image("app:2")
    world.sets.clear()
    world.edit(replicas=0)
    while world.reconcile().requeue_after == 0:
        pass
    assert (world.selected("active"), world.status["phase"]) == ("app:2", "Healthy")
    assert world.plan().empty
