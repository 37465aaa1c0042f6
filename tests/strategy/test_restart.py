"""Restart by eviction: one after another, oldest first, never below what must be available."""

from typing import Any

from rollouts.strategy.times import text
from tests.strategy.world import World, rollout


def deployed(replicas: int = 3, *, made: dict[str, Any] | None = None, **options: Any) -> World:
    world = World(made or rollout(replicas=replicas), **options)
    world.settle()
    (rs,) = world.sets.values()
    for number in range(replicas):
        world.pods_[f"pod-{number}"] = pod(f"pod-{number}", rs, world)
    world.advance(60)
    return world


def pod(name: str, rs: dict[str, Any], world: World) -> dict[str, Any]:
    owner = {"uid": rs["metadata"]["uid"], "controller": True}
    born = text(world.now)
    return {
        "metadata": {
            "name": name,
            "namespace": "ns",
            "uid": f"uid-{name}",
            "creationTimestamp": born,
            "ownerReferences": [owner],
        }
    }


def test_pods_go_one_by_one_until_all_are_young() -> None:
    world = deployed()
    world.edit(restartAt=text(world.now))
    (rs,) = world.sets.values()
    for number in range(3):
        world.reconcile()
        assert sorted(world.pods_) == [f"pod-{n}" for n in range(number + 1, 3)] + [f"young-{n}" for n in range(number)]
        assert world.status["message"] == "rollout is restarting"
        rs["status"]["availableReplicas"] = 2
        world.reconcile()
        assert world.log.count("EVICT") == number + 1
        rs["status"]["availableReplicas"] = 3
        world.pods_[f"young-{number}"] = pod(f"young-{number}", rs, world)
    world.settle()
    assert world.status["restartedAt"] == world.rollout["spec"]["restartAt"]
    assert world.status["phase"] == "Healthy"


def test_a_restart_in_the_future_waits_for_its_time() -> None:
    world = deployed()
    world.advance(-30)
    later = world.now
    world.advance(-20)
    world.edit(restartAt=text(later))
    assert world.reconcile().requeue_after == 20
    assert "EVICT" not in world.log


def test_a_new_template_settles_a_restart() -> None:
    world = deployed()
    world.edit(restartAt=text(world.now))
    world.image("app:2")
    world.reconcile()
    assert world.status["restartedAt"] == world.rollout["spec"]["restartAt"]
    assert "EVICT" not in world.log


def test_blue_green_restarts_as_many_at_once_as_may_be_missing() -> None:
    strategy = {"blueGreen": {"activeService": "active", "maxUnavailable": "50%"}}
    world = deployed(4, made=rollout(replicas=4, strategy=strategy), services=["active"])
    world.edit(restartAt=text(world.now))
    world.reconcile()
    assert world.log.count("EVICT") == 2
