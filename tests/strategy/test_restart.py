"""Restart by eviction: one after another, oldest first, never below what must be available."""

from datetime import timedelta
from typing import Any

from rollouts.strategy.times import text
from tests.strategy.world import World, image, rollout


def deployed(replicas: int = 3, *, made: dict[str, Any] | None = None, **options: Any) -> World:
    world = World(made or rollout(replicas=replicas), **options)
    world.settle()
    (rs,) = world.sets.values()
    for number in range(replicas):
        world.pods_[f"pod-{number}"] = pod(f"pod-{number}", rs, world)
    world.advance(60)
    return world


def pod(name: str, rs: dict[str, Any], world: World, *, ready: str = "True") -> dict[str, Any]:
    owner = {"uid": rs["metadata"]["uid"], "controller": True}
    born = text(world.now)
    return {
        "metadata": {
            "name": name,
            "namespace": "ns",
            "uid": f"uid-{name}",
            "creationTimestamp": born,
            "ownerReferences": [owner],
        },
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
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


def test_pods_that_are_gone_count_before_their_replica_set_says_so() -> None:
    """Its status lags behind, and comes in parts: what it still counts as available is gone, or not ready yet."""
    strategy = {"blueGreen": {"activeService": "active", "maxUnavailable": "50%"}}
    world = deployed(4, made=rollout(replicas=4, strategy=strategy), services=["active"])
    (rs,) = world.sets.values()
    world.edit(restartAt=text(world.now))
    world.reconcile()
    for said in (4, 3):
        rs["status"]["availableReplicas"] = said
        world.reconcile()
        assert (world.log.count("EVICT"), len(world.pods_)) == (2, 2)
    for number in range(2):
        world.pods_[f"young-{number}"] = pod(f"young-{number}", rs, world, ready="False")
    rs["status"]["availableReplicas"] = 4
    world.reconcile()
    assert world.log.count("EVICT") == 2
    world.pods_ |= {name: pod(name, rs, world) for name in ("young-0", "young-1")}
    world.reconcile()
    assert (world.log.count("EVICT"), sorted(world.pods_)) == (4, ["young-0", "young-1"])


def test_pods_count_once_they_were_ready_for_as_long_as_is_asked() -> None:
    world = deployed(2, made=rollout(replicas=2, minReadySeconds=30))
    (rs,) = world.sets.values()
    world.edit(restartAt=text(world.now))
    world.reconcile()
    young = pod("young-0", rs, world)
    young["status"]["conditions"][0]["lastTransitionTime"] = text(world.now)
    world.pods_["young-0"] = young
    world.advance(29)
    world.reconcile()
    assert world.log.count("EVICT") == 1
    world.advance(2)
    world.reconcile()
    assert world.log.count("EVICT") == 2


def test_a_pod_that_takes_its_time_to_end_holds_nobody_up() -> None:
    world = deployed()
    (rs,) = world.sets.values()
    world.edit(restartAt=text(world.now))
    world.pods_["pod-0"]["metadata"]["deletionTimestamp"] = text(world.now)
    world.pods_["young-0"] = pod("young-0", rs, world)
    world.reconcile()
    assert sorted(world.pods_) == ["pod-0", "pod-2", "young-0"]


def test_stable_pods_are_restarted_before_new_ones() -> None:
    world = deployed(4, made=rollout(replicas=4, steps=[{"setWeight": 50}, {"pause": {}}]))
    world.image("app:2")
    world.settle()
    new = next(rs for rs in world.sets.values() if image(rs) == "app:2")
    # The new one's are the older ones here, and yet it is not their turn.
    world.pods_ = dict(sorted(world.pods_.items())[:2])
    young = {name: pod(name, new, world) for name in ("new-0", "new-1")}
    for each in young.values():
        each["metadata"]["creationTimestamp"] = text(world.now - timedelta(seconds=600))
    world.pods_ |= young
    world.edit(restartAt=text(world.now + timedelta(seconds=1)))
    world.advance(2)
    world.reconcile()
    assert sorted(world.pods_) == ["new-0", "new-1", "pod-1"]
