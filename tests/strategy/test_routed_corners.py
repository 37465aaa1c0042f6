"""Corners of a canary behind a router: what paces it and what does not, and how it ends in a hurry or badly."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.strategy.test_routed import STEPS, break_, resume, routed, updated, weights
from tests.strategy.world import World, image

HALF = {"type": "Percent", "value": 50}


def deadlines(world: World) -> bool:
    return "scale-down-deadline" in repr(world.sets)


def replica_set(world: World, of: str) -> dict[str, Any]:
    return next(rs for rs in world.sets.values() if image(rs) == of)


def test_surge_and_unavailable_pace_nothing_behind_a_router() -> None:
    world = routed([{"setWeight": 60}, {"pause": {}}], maxSurge=1, maxUnavailable=0)
    world.image("app:2")
    world.reconcile()
    assert world.replicas == {"app:1": 10, "app:2": 6}


def test_no_step_waits_for_stable_pods_that_go_after_their_traffic() -> None:
    """They take their time to end: told to be 8, there are 10 yet when the next weight is due."""
    world = updated(dynamicStableScale=True)
    slow = replica_set(world, "app:1")
    assert (weights(world)["canary"], slow["spec"]["replicas"]) == (20, 8)
    slow["status"]["replicas"] = 10
    world.command(pauseConditions=None)
    world.reconcile()
    new = replica_set(world, "app:2")
    new["status"] |= dict.fromkeys(("replicas", "readyReplicas", "availableReplicas"), 6)
    new["status"]["observedGeneration"] = new["metadata"]["generation"]
    world.reconcile()
    assert (weights(world)["canary"], world.status["currentStepIndex"], slow["status"]["replicas"]) == (60, 3, 10)


def test_the_stable_follows_its_traffic_while_the_canary_has_a_size_of_its_own() -> None:
    world = updated([{"setCanaryScale": {"replicas": 3}}, {"setWeight": 50}, {"pause": {}}], dynamicStableScale=True)
    assert (weights(world)["canary"], world.replicas) == (50, {"app:1": 5, "app:2": 3})


def test_in_a_hurry_traffic_follows_the_pods_when_the_stable_shrinks() -> None:
    world = updated(dynamicStableScale=True)
    world.command(promoteFull=True)
    world.reconcile()
    assert (weights(world)["canary"], world.replicas["app:2"]) == (20, 10)
    world.pods(available=3)
    world.reconcile()
    assert (weights(world)["canary"], world.replicas["app:1"]) == (50, 8)
    world.reconcile()
    assert world.replicas["app:1"] == 5
    world.settle()
    assert (weights(world), world.status["phase"]) == ({"canary": 0, "stable": 100}, "Healthy")


def test_in_a_hurry_managed_routes_go_at_once() -> None:
    match = [{"headerName": "x", "headerValue": {"exact": "y"}}]
    steps = [{"setWeight": 10}, {"setHeaderRoute": {"name": "beta", "match": match}}, {"pause": {}}]
    world = updated(steps, routing={"managedRoutes": [{"name": "beta"}]})
    assert json.loads(world.routes["routes"]["data"]["split"])["routes"] == ["beta"]
    world.command(promoteFull=True)
    world.reconcile()
    assert json.loads(world.routes["routes"]["data"]["split"])["routes"] == []
    assert weights(world)["canary"] == 10


def test_with_a_delay_of_its_own_an_aborted_canary_keeps_its_pods_until_the_traffic_is_back() -> None:
    world = updated(dynamicStableScale=True, abortScaleDownDelaySeconds=100)
    resume(world)
    world.command(abort=True)
    while weights(world)["canary"]:
        world.reconcile()
        assert world.replicas["app:2"] == 6
        assert not (deadlines(world) and weights(world)["canary"])
        world.pods(available=2)
    world.settle()
    assert deadlines(world)
    assert world.replicas == {"app:1": 10, "app:2": 6}
    world.advance(101)
    world.settle()
    assert world.replicas == {"app:1": 10, "app:2": 0}


@pytest.mark.parametrize(("threshold", "told"), [(HALF, 60), (None, 20)])
def test_the_threshold_counts_for_what_the_stable_can_bear(threshold: Any, told: int) -> None:
    """At 60 the stable needs 4 of its 10 pods; half of these are enough for the threshold, and there are 2."""
    world = updated(STEPS, replicaProgressThreshold=threshold)
    world.command(pauseConditions=None)
    world.reconcile()
    world.pods()
    break_(world, 1, available=2)
    world.reconcile()
    assert weights(world)["canary"] == told


def test_a_weight_that_is_not_served_yet_is_looked_at_again() -> None:
    """What serves it may be nothing that can be watched (a load balancer of a cloud)."""
    world = updated([{"setWeight": 20}, {"setWeight": 40}], verify=True)
    assert world.status["canary"]["weights"]["verified"] is False
    assert world.plan().requeue_after == 10


def test_past_the_last_step_traffic_waits_for_the_pods_too() -> None:
    world = updated([{"setWeight": 20}, {"pause": {}}])
    world.command(pauseConditions=None)
    world.reconcile()
    assert (world.replicas["app:2"], weights(world)["canary"], world.status["currentStepIndex"]) == (10, 20, 2)
    world.pods(available=7)
    world.reconcile()
    assert weights(world)["canary"] == 20
    world.pods()
    world.reconcile()
    assert weights(world)["canary"] == 100


def serve(world: World) -> None:
    """The data plane does as the router was told."""
    data = world.routes["routes"]["data"]
    data["serves"] = data["split"]
    world.settle()


def test_the_end_waits_for_a_router_that_does_not_serve_all_of_it_yet() -> None:
    world = updated([{"setWeight": 20}, {"pause": {}}], verify=True)
    serve(world)
    resume(world)
    assert (weights(world)["canary"], world.status["currentStepIndex"]) == (100, 2)
    assert (world.selected("stable"), world.status["phase"]) == ("app:1", "Progressing")
    serve(world)
    assert world.selected("stable") == "app:2"


def test_a_step_waits_until_all_stable_pods_are_there_again() -> None:
    world = routed()
    world.image("app:2")
    world.reconcile()
    world.pods()
    replica_set(world, "app:1")["status"]["replicas"] = 9
    world.reconcile()
    assert (weights(world)["canary"], world.status["currentStepIndex"]) == (0, 0)
    world.settle()
    assert (weights(world)["canary"], world.status["currentStepIndex"]) == (20, 1)


def test_a_canary_without_pods_loses_its_traffic_even_when_a_stable_pod_is_missing() -> None:
    world = updated()
    break_(world, 2)
    break_(world, 1, available=9)
    world.reconcile()
    assert weights(world) == {"canary": 0, "stable": 100}


def test_a_header_route_without_match_takes_it_away() -> None:
    match = [{"headerName": "x", "headerValue": {"exact": "y"}}]
    steps = [
        {"setHeaderRoute": {"name": "beta", "match": match}},
        {"setWeight": 10},
        {"pause": {}},
        {"setHeaderRoute": {"name": "beta"}},
        {"pause": {}},
    ]
    world = updated(steps, routing={"managedRoutes": [{"name": "beta"}]})
    assert json.loads(world.routes["routes"]["data"]["split"])["routes"] == ["beta"]
    resume(world)
    assert json.loads(world.routes["routes"]["data"]["split"])["routes"] == []
    assert (weights(world)["canary"], world.status["currentStepIndex"]) == (10, 4)


def bears_its_share(world: World) -> bool:
    """Whether the stable pods that can answer are enough for the traffic they get: ten percent each."""
    available = replica_set(world, "app:1")["status"]["availableReplicas"]
    return bool(available * 10 >= 100 - weights(world)["canary"])


@pytest.mark.parametrize("ended", ["abort", "app:1", "app:3"])
def test_a_shrunken_stable_gets_traffic_only_as_its_pods_come(ended: str) -> None:
    """Whether it is aborted, taken back or replaced: the canary Service stays with its pods while they have traffic."""
    world = updated(dynamicStableScale=True)
    resume(world)
    assert (weights(world)["canary"], world.replicas["app:1"]) == (60, 4)
    world.command(abort=True) if ended == "abort" else world.image(ended)
    for _ in range(15):
        world.reconcile()
        assert bears_its_share(world)
        told = world.status["canary"]["weights"]["canary"]
        assert not told["weight"] or told["podTemplateHash"] == selected_hash(world)
        world.pods(available=1)
    world.settle()
    assert weights(world)["canary"] == (20 if ended == "app:3" else 0)


def selected_hash(world: World) -> str:
    found: str = world.services["canary"]["spec"]["selector"]["rollouts-pod-template-hash"]
    return found
