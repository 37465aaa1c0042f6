"""A canary whose traffic a router splits, in memory: pods before traffic, traffic before pods go."""

import json
from typing import Any

import pytest

from tests.strategy.router import ROUTER
from tests.strategy.world import World, rollout

STEPS = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {}}]
ROUTES = {"data": {}, "metadata": {"name": "routes", "namespace": "ns", "uid": "u", "resourceVersion": "1"}}


def routed(
    steps: list[Any] | None = None, *, replicas: int = 10, verify: bool = False, routing: Any = None, **fields: Any
) -> World:
    block = {"configMap": "routes", "verify": verify}
    canary = {
        "canaryService": "canary",
        "stableService": "stable",
        "trafficRouting": {"plugins": {"test/router": block}, **(routing or {})},
        **fields,
    }
    world = World(
        rollout(replicas=replicas, steps=STEPS if steps is None else steps, canary=canary),
        services=("canary", "stable", "ping", "pong"),
        routers=ROUTER,
    )
    world.routes["routes"] = json.loads(json.dumps(ROUTES))
    world.settle()
    world.events.clear()
    return world


def weights(world: World) -> dict[str, int]:
    """What the router was told, by Service."""
    text = world.routes["routes"]["data"].get("split")
    return {part["service"]: part["weight"] for part in json.loads(text)["destinations"]} if text else {}


def updated(*args: Any, **fields: Any) -> World:
    world = routed(*args, **fields)
    world.image("app:2")
    world.settle()
    return world


def resume(world: World) -> None:
    world.command(pauseConditions=None)
    world.settle()


def break_(world: World, revision: int, *, available: int = 0) -> None:
    for rs in world.sets.values():
        if rs["metadata"]["annotations"]["rollout.argoproj.io/revision"] == str(revision):
            rs["status"] |= {"availableReplicas": available, "readyReplicas": available}


def test_first_deploy_takes_the_services_over_when_all_pods_are_there() -> None:
    world = routed()
    assert (world.selected("stable"), world.selected("canary")) == ("app:1", "app:1")
    assert weights(world) == {"canary": 0, "stable": 100}
    told = world.status["canary"]["weights"]
    assert told["canary"] == {
        "weight": 0,
        "serviceName": "canary",
        "podTemplateHash": world.status["stableRS"],
    }
    assert world.status["phase"] == "Healthy"


def test_an_update_keeps_the_stable_pods_and_adds_the_canary() -> None:
    world = updated()
    assert world.replicas == {"app:1": 10, "app:2": 2}
    assert weights(world) == {"canary": 20, "stable": 80}
    assert (world.selected("stable"), world.selected("canary")) == ("app:1", "app:2")
    assert world.status["message"] == "CanaryPauseStep"
    assert world.events == [
        "RolloutUpdated",
        "NewReplicaSetCreated",
        "RolloutNotCompleted",
        "ScalingReplicaSet",
        "SwitchService",
        "TrafficWeightUpdated",
        "RolloutStepCompleted",
        "RolloutPaused",
    ]


def test_traffic_waits_for_pods() -> None:
    world = updated()
    world.command(pauseConditions=None)
    world.reconcile()
    assert world.replicas["app:2"] == 6
    assert weights(world)["canary"] == 20
    world.pods()
    world.reconcile()
    assert weights(world)["canary"] == 60


def test_promotion_waits_for_all_traffic_and_leaves_the_old_pods_for_a_while() -> None:
    world = updated()
    resume(world)
    world.command(pauseConditions=None)
    seen = []
    for _ in range(6):
        world.reconcile()
        world.pods()
        seen.append(weights(world))
    assert {"canary": 100, "stable": 0} in seen
    assert weights(world) == {"canary": 0, "stable": 100}
    assert (world.selected("stable"), world.selected("canary")) == ("app:2", "app:2")
    assert world.replicas == {"app:1": 10, "app:2": 10}
    assert world.status["phase"] == "Healthy"
    world.settle()
    world.advance(31)
    world.settle()
    assert world.replicas == {"app:1": 0, "app:2": 10}


def test_abort_takes_traffic_away_at_once_and_pods_later() -> None:
    world = updated()
    world.command(abort=True)
    world.reconcile()
    assert weights(world) == {"canary": 0, "stable": 100}
    assert world.selected("canary") == "app:1"
    assert world.replicas == {"app:1": 10, "app:2": 2}
    world.settle()
    world.advance(31)
    world.settle()
    assert world.replicas == {"app:1": 10, "app:2": 0}
    assert world.status["phase"] == "Degraded"


def test_abort_takes_traffic_away_even_when_a_stable_pod_is_missing() -> None:
    world = updated()
    break_(world, 1, available=9)
    world.command(abort=True)
    world.reconcile()
    assert weights(world) == {"canary": 0, "stable": 100}
    assert "scale-down-deadline" not in repr(world.sets)


def test_abort_scale_down_delay_zero_keeps_the_canary() -> None:
    world = updated(abortScaleDownDelaySeconds=0)
    world.command(abort=True)
    world.settle()
    world.advance(100_000)
    world.settle()
    assert world.replicas == {"app:1": 10, "app:2": 2}


def test_retry_removes_the_deadline() -> None:
    world = updated()
    world.command(abort=True)
    world.settle()
    assert "scale-down-deadline" in repr(world.sets)
    world.command(abort=False)
    world.settle()
    assert "scale-down-deadline" not in repr(world.sets)
    assert (weights(world)["canary"], world.status["message"]) == (20, "CanaryPauseStep")


def test_no_traffic_without_a_canary_pod() -> None:
    world = updated()
    break_(world, 2)
    world.reconcile()
    assert weights(world) == {"canary": 0, "stable": 100}
    world.settle()
    assert weights(world) == {"canary": 20, "stable": 80}


def test_a_newer_version_takes_over_the_abandoned_one() -> None:
    world = updated()
    world.image("app:3")
    world.reconcile()
    assert weights(world)["canary"] == 0
    assert (world.selected("canary"), world.replicas["app:2"]) == ("app:1", 0)
    world.settle()
    assert world.replicas == {"app:1": 10, "app:2": 0, "app:3": 2}
    assert (world.selected("canary"), weights(world)["canary"]) == ("app:3", 20)


def test_going_back_to_stable() -> None:
    world = updated()
    world.image("app:1")
    world.reconcile()
    assert weights(world) == {"canary": 0, "stable": 100}
    assert world.selected("canary") == "app:1"
    world.settle()
    assert world.status["phase"] == "Healthy"
    world.advance(31)
    world.settle()
    assert world.replicas == {"app:1": 10, "app:2": 0}


def test_promote_full_keeps_the_weight_until_all_pods_are_there() -> None:
    world = updated()
    world.command(promoteFull=True)
    world.reconcile()
    assert (world.replicas["app:2"], weights(world)["canary"]) == (10, 20)
    world.settle()
    assert (world.selected("stable"), world.status["phase"]) == ("app:2", "Healthy")
    assert world.status["duration"]["completionStatus"] == "FastPromoted"


@pytest.mark.parametrize(
    ("scale", "pods"),
    [({"weight": 50}, 5), ({"replicas": 7}, 7), ({"replicas": 0}, 0), ({"matchTrafficWeight": True}, 2)],
)
def test_set_canary_scale(scale: dict[str, Any], pods: int) -> None:
    world = updated([{"setWeight": 20}, {"setCanaryScale": scale}, {"pause": {}}])
    assert world.replicas["app:2"] == pods
    assert world.status["currentStepIndex"] == 2
    assert weights(world)["canary"] == (20 if pods else 0)


def test_set_canary_scale_before_traffic() -> None:
    world = updated([{"setCanaryScale": {"replicas": 3}}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}])
    assert (world.replicas["app:2"], weights(world)["canary"]) == (3, 0)
    resume(world)
    assert (world.replicas["app:2"], weights(world)["canary"]) == (3, 50)


def test_min_pods_per_replica_set() -> None:
    world = updated(minPodsPerReplicaSet=4)
    assert world.replicas["app:2"] == 4
    assert updated(replicas=2, minPodsPerReplicaSet=4).replicas["app:2"] == 2


def test_dynamic_stable_scale_goes_up_and_down_with_the_traffic() -> None:
    world = updated(dynamicStableScale=True)
    assert (world.replicas, weights(world)["canary"]) == ({"app:1": 8, "app:2": 2}, 20)
    resume(world)
    assert (world.replicas, weights(world)["canary"]) == ({"app:1": 4, "app:2": 6}, 60)
    resume(world)
    assert (world.replicas, weights(world)) == ({"app:1": 0, "app:2": 10}, {"canary": 0, "stable": 100})
    assert world.status["phase"] == "Healthy"


def test_dynamic_stable_scale_aborts_step_by_step() -> None:
    world = updated(dynamicStableScale=True)
    resume(world)
    world.command(abort=True)
    told: list[int] = []
    for _ in range(12):
        world.reconcile()
        told += [weights(world)["canary"]] if told[-1:] != [weights(world)["canary"]] else []
        world.pods(available=2)
    assert told == [60, 20, 0]
    world.settle()
    assert world.replicas == {"app:1": 10, "app:2": 0}
    assert world.selected("canary") == "app:1"


def test_dynamic_stable_scale_rolls_back_without_an_outage() -> None:
    world = updated(dynamicStableScale=True)
    resume(world)
    world.image("app:1")
    for _ in range(12):
        world.reconcile()
        canary, stable = weights(world)["canary"], world.replicas["app:1"]
        assert world.replicas["app:2"] * 10 >= canary
        assert stable == 10
        world.pods(available=1)
    world.settle()
    assert world.replicas == {"app:1": 10, "app:2": 0}
    assert weights(world) == {"canary": 0, "stable": 100}
    assert world.status["phase"] == "Healthy"


def test_dynamic_stable_scale_keeps_an_abandoned_canary_until_the_next_can_take_over() -> None:
    world = updated(dynamicStableScale=True)
    resume(world)
    assert weights(world)["canary"] == 60
    world.image("app:3")
    for _ in range(20):
        world.reconcile()
        served = world.replicas.get(world.selected("canary"), 0)
        assert served * 10 >= weights(world)["canary"] or weights(world)["canary"] == 0
        world.pods(available=1)
    world.settle()
    assert (world.selected("canary"), weights(world)["canary"]) == ("app:3", 20)
    assert world.replicas == {"app:1": 8, "app:2": 0, "app:3": 2}


def test_an_abandoned_canary_leaves_also_when_the_next_is_asked_to_be_small() -> None:
    world = updated([{"setCanaryScale": {"replicas": 1}}, {"setWeight": 20}, {"pause": {}}], dynamicStableScale=True)
    assert (weights(world)["canary"], world.replicas) == (20, {"app:1": 8, "app:2": 1})
    world.image("app:3")
    world.settle()
    assert (world.selected("canary"), weights(world)["canary"]) == ("app:3", 20)
    assert world.replicas == {"app:1": 8, "app:2": 0, "app:3": 1}


def test_max_traffic_weight() -> None:
    world = updated([{"setWeight": 200}, {"pause": {}}], routing={"maxTrafficWeight": 1000})
    assert weights(world) == {"canary": 200, "stable": 800}
    assert world.replicas["app:2"] == 2


def test_max_traffic_weight_is_what_all_of_the_pods_are_to_set_canary_scale_too() -> None:
    """As with the peer: 500 of 1000 is half of them."""
    world = updated([{"setCanaryScale": {"weight": 500}}, {"pause": {}}], routing={"maxTrafficWeight": 1000})
    assert world.replicas["app:2"] == 5


def test_a_router_that_verifies_holds_the_step_until_it_serves() -> None:
    world = updated(verify=True)
    assert weights(world)["canary"] == 20
    assert (world.status["currentStepIndex"], world.status["canary"]["weights"]["verified"]) == (0, False)
    world.routes["routes"]["data"]["serves"] = world.routes["routes"]["data"]["split"]
    world.settle()
    assert (world.status["currentStepIndex"], world.status["canary"]["weights"]["verified"]) == (1, True)


def test_a_missing_route_holds_the_step_and_says_so() -> None:
    world = routed()
    world.image("app:2")
    world.routes.clear()
    world.settle()
    assert world.status["currentStepIndex"] == 0
    assert (world.status["phase"], world.status["message"]) == ("Progressing", "ConfigMap routes not found")


def test_ping_pong_services_take_turns() -> None:
    turns = {"pingService": "ping", "pongService": "pong"}
    world = routed([{"setWeight": 50}, {"pause": {}}], pingPong=turns, canaryService=None, stableService=None)
    assert (world.selected("ping"), world.status["canary"]["stablePingPong"]) == ("app:1", "ping")
    world.image("app:2")
    world.settle()
    assert (world.selected("ping"), world.selected("pong")) == ("app:1", "app:2")
    assert weights(world) == {"pong": 50, "ping": 50}
    resume(world)
    assert world.status["canary"]["stablePingPong"] == "pong"
    assert (world.selected("pong"), weights(world)) == ("app:2", {"ping": 0, "pong": 100})
    world.image("app:3")
    world.settle()
    assert (world.selected("ping"), world.selected("pong")) == ("app:3", "app:2")
    assert weights(world) == {"ping": 50, "pong": 50}


def test_ping_pong_keeps_the_version_before_for_the_delay_and_no_longer() -> None:
    """The Service without traffic goes on selecting it until the next canary; that is no reason to keep its pods."""
    turns = {"pingService": "ping", "pongService": "pong"}
    world = routed([{"setWeight": 50}, {"pause": {}}], pingPong=turns, canaryService=None, stableService=None)
    world.image("app:2")
    world.settle()
    resume(world)
    assert (world.selected("ping"), weights(world)) == ("app:1", {"ping": 0, "pong": 100})
    assert world.replicas == {"app:1": 10, "app:2": 10}
    world.advance(31)
    world.settle()
    assert world.replicas == {"app:1": 0, "app:2": 10}


def test_header_routes_are_in_force_until_the_end() -> None:
    match = [{"headerName": "x", "headerValue": {"exact": "y"}}]
    world = updated(
        [{"setWeight": 10}, {"setHeaderRoute": {"name": "beta", "match": match}}, {"pause": {}}],
        routing={"managedRoutes": [{"name": "beta"}]},
    )
    assert json.loads(world.routes["routes"]["data"]["split"])["routes"] == ["beta"]
    resume(world)
    assert json.loads(world.routes["routes"]["data"]["split"])["routes"] == []


def test_replica_progress_threshold() -> None:
    world = routed([{"setWeight": 50}, {"pause": {}}], replicaProgressThreshold={"type": "Percent", "value": 60})
    world.image("app:2")
    world.reconcile()
    world.pods(available=2)
    world.reconcile()
    assert world.status["currentStepIndex"] == 0
    world.pods(available=1)
    world.reconcile()
    assert world.status["currentStepIndex"] == 1


def test_scale_down_delay_revision_limit() -> None:
    world = updated([], scaleDownDelayRevisionLimit=1)
    world.image("app:3")
    world.settle()
    assert world.replicas == {"app:1": 0, "app:2": 10, "app:3": 10}


@pytest.mark.parametrize("dynamic", [False, True])
def test_scaled_to_nothing_in_the_middle_it_still_ends(dynamic: bool) -> None:
    world = updated(dynamicStableScale=dynamic)
    world.edit(replicas=0)
    world.settle()
    assert (weights(world), world.status["message"]) == ({"canary": 0, "stable": 100}, "CanaryPauseStep")
    resume(world)
    resume(world)
    world.advance(700)
    world.settle()
    assert (world.status["phase"], world.replicas) == ("Healthy", {"app:1": 0, "app:2": 0})
    world.edit(replicas=4)
    world.settle()
    assert (world.replicas, world.selected("stable")) == ({"app:1": 0, "app:2": 4}, "app:2")


def test_back_from_nothing_the_weight_is_that_of_the_step() -> None:
    world = updated()
    world.edit(replicas=0)
    world.settle()
    world.edit(replicas=5)
    world.settle()
    assert (weights(world)["canary"], world.replicas) == (20, {"app:1": 5, "app:2": 1})


@pytest.mark.parametrize("phase", ["Failed", "Error"])
def test_a_failed_analysis_takes_traffic_away_while_a_person_holds_it(phase: str) -> None:
    world = routed([{"setWeight": 20}, {"analysis": {"templates": [{"templateName": "smoke"}]}}])
    metric = {"name": "ok", "provider": {"web": {"url": "http://x", "jsonPath": "{$}"}}}
    world.templates["smoke"] = {"metadata": {"name": "smoke"}, "spec": {"metrics": [metric]}}
    world.settle()
    world.image("app:2")
    world.settle()
    world.edit(paused=True)
    world.settle()
    assert (world.status["message"], weights(world)["canary"]) == ("manually paused", 20)
    world.finish(next(iter(world.runs)), phase)
    world.settle()
    assert (world.status["phase"], weights(world)["canary"], world.status["abort"]) == ("Degraded", 0, True)


@pytest.mark.parametrize("aborted", [False, True])
def test_when_the_stable_replica_set_was_deleted_the_new_version_answers_for_both(aborted: bool) -> None:
    """Nobody else could. Traffic for pods that are not there would fail until the last step."""
    world = updated()
    if aborted:
        world.command(abort=True)
        world.settle()
    world.lose("app:1")
    world.settle()
    assert world.replicas == {"app:2": 10}
    assert (world.selected("stable"), world.selected("canary")) == ("app:2", "app:2")
    if aborted:
        world.command(abort=None)
        world.settle()
    resume(world)
    assert weights(world) == {"canary": 60, "stable": 40}
    resume(world)
    assert (world.status["phase"], weights(world)) == ("Healthy", {"canary": 0, "stable": 100})


@pytest.mark.parametrize("verify", [False, True])
def test_an_update_without_pods_has_no_traffic_to_wait_for(verify: bool) -> None:
    world = routed([{"setWeight": 20}, {"setWeight": 60}], verify=verify)
    world.edit(replicas=0)
    world.image("app:2")
    world.settle()
    assert (world.status["phase"], world.replicas["app:2"]) == ("Healthy", 0)
    assert world.status["stableRS"] == world.status["currentPodHash"]
    world.edit(replicas=3)
    world.settle()
    assert (world.replicas, weights(world)) == ({"app:1": 0, "app:2": 3}, {"canary": 0, "stable": 100})
