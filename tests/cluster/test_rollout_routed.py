"""A canary behind a router on a real API server. The router is the tests' own: what it is told is in a ConfigMap."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rollouts.api import kinds
from rollouts.strategy.keys import POD_HASH
from tests.cluster.controllers import OwnController
from tests.cluster.harness import Kubectl
from tests.cluster.space import JSON, Space, rollout, service
from tests.strategy.router import ROUTER

STEPS = [{"setWeight": 25}, {"pause": {}}]


@pytest.fixture(autouse=True)
def controller(own_controller: Any) -> OwnController:
    started: OwnController = own_controller(routers=ROUTER)
    return started


def routed(steps: list[JSON] | None = None, *, verify: bool = False, **canary: Any) -> JSON:
    """A canary of four pods; `canary` are fields of the strategy."""
    made = rollout(replicas=4)
    made["spec"]["strategy"]["canary"] = {
        "canaryService": "canary",
        "stableService": "stable",
        "steps": STEPS if steps is None else steps,
        "trafficRouting": {"plugins": {"test/router": {"configMap": "routes", "verify": verify}}},
        **canary,
    }
    return made


def deployed(space: Space, made: JSON) -> None:
    space.create(*(service(name) for name in ("canary", "stable", "ping", "pong")))
    space.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "routes"}}, made)
    space.until_phase("Healthy")


def updated(space: Space, made: JSON | None = None, *, at: int = 1) -> None:
    """The second revision at a pause."""
    deployed(space, made or routed())
    space.set_image("example/app:2")
    space.until_paused(at=at)


def weights(space: Space) -> dict[str, int]:
    """What the router was told, by Service."""
    text = (space.get(kinds.CONFIG_MAP, "routes").get("data") or {}).get("split")
    return {part["service"]: part["weight"] for part in json.loads(text)["destinations"]} if text else {}


def test_abort_keeps_the_canary_for_its_delay(space: Space) -> None:
    updated(space, routed(abortScaleDownDelaySeconds=2))
    assert (space.sizes(), weights(space)) == ({"1": 4, "2": 1}, {"canary": 25, "stable": 75})
    space.abort()
    space.until("no traffic", lambda: weights(space) == {"canary": 0, "stable": 100})
    space.until_phase("Degraded")
    assert space.selected("canary") == "1"
    space.until("no canary", lambda: space.sizes() == {"1": 4, "2": 0})


def test_dynamic_stable_scale_there_and_back(space: Space) -> None:
    steps = [{"setWeight": 25}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]
    updated(space, routed(steps, dynamicStableScale=True))
    space.until("pods went after the traffic", lambda: space.sizes() == {"1": 3, "2": 1})
    space.promote()
    space.until_paused(at=3)
    space.until("half and half", lambda: space.sizes() == {"1": 2, "2": 2})
    space.abort()
    space.until("all back", lambda: space.sizes() == {"1": 4, "2": 0}, seconds=20)
    assert weights(space) == {"canary": 0, "stable": 100}


def test_a_canary_with_a_delay_of_its_own_keeps_its_pods_until_the_traffic_is_back(space: Space) -> None:
    steps = [{"setWeight": 50}, {"pause": {}}]
    updated(space, routed(steps, dynamicStableScale=True, abortScaleDownDelaySeconds=6))
    space.until("pods went after the traffic", lambda: space.sizes() == {"1": 2, "2": 2})
    space.abort()
    space.until("no traffic", lambda: weights(space) == {"canary": 0, "stable": 100})
    assert space.sizes() == {"1": 4, "2": 2}
    space.until("no canary", lambda: space.sizes() == {"1": 4, "2": 0})


def test_surge_and_unavailable_pace_nothing(space: Space) -> None:
    updated(space, routed([{"setWeight": 75}, {"pause": {}}], maxSurge=0, maxUnavailable=1))
    assert space.sizes() == {"1": 4, "2": 3}


def test_a_newer_version_arrives_in_the_middle(space: Space) -> None:
    updated(space)
    space.set_image("example/app:3")
    space.until(
        "the newest has the traffic", lambda: space.selected("canary") == "3" and weights(space)["canary"] == 25
    )
    space.until_paused(at=1)
    assert space.sizes() == {"1": 4, "2": 0, "3": 1}
    space.set_image("example/app:does-not-exist")
    space.until("nobody is sent to nobody", lambda: weights(space) == {"canary": 0, "stable": 100})
    assert space.selected("canary") == "1"


def test_scaling_in_the_middle(space: Space) -> None:
    updated(space)
    space.edit(replicas=8)
    space.until("both follow", lambda: space.sizes() == {"1": 8, "2": 2})
    space.until_paused(at=1)
    for replicas, wanted in ((0, {"1": 0, "2": 0}), (4, {"1": 4, "2": 1})):
        space.edit(replicas=replicas)
        space.until("both follow", lambda wanted=wanted: space.sizes() == wanted)
    space.until("the weight is back", lambda: weights(space) == {"canary": 25, "stable": 75})
    space.until_status(phase="Paused", currentStepIndex=1, availableReplicas=5)


def test_set_canary_scale_and_min_pods(space: Space) -> None:
    steps = [
        {"setCanaryScale": {"replicas": 3}},
        {"setWeight": 25},
        {"pause": {}},
        {"setCanaryScale": {"matchTrafficWeight": True}},
        {"pause": {}},
    ]
    updated(space, routed(steps, minPodsPerReplicaSet=2), at=2)
    assert space.sizes() == {"1": 4, "2": 3}
    space.promote()
    space.until_paused(at=4)
    assert space.sizes() == {"1": 4, "2": 2}


def told_routes(space: Space) -> list[str]:
    """Header and mirror routes in force."""
    found: list[str] = json.loads(space.get(kinds.CONFIG_MAP, "routes")["data"]["split"])["routes"]
    return found


def test_header_and_mirror_routes_and_a_finer_weight(space: Space) -> None:
    beta = {"name": "beta", "match": [{"headerName": "x", "headerValue": {"exact": "y"}}]}
    copy = {"name": "copy", "match": [{"path": {"prefix": "/"}}], "percentage": 50}
    steps = [{"setHeaderRoute": beta}, {"setWeight": 250}, {"pause": {}}]
    steps += [{"setMirrorRoute": copy}, {"setHeaderRoute": {"name": "beta"}}, {"pause": {}}]
    made = routed(steps)
    made["spec"]["strategy"]["canary"]["trafficRouting"] |= {
        "managedRoutes": [{"name": "beta"}, {"name": "copy"}],
        "maxTrafficWeight": 1000,
    }
    updated(space, made, at=2)
    assert (space.sizes(), weights(space)) == ({"1": 4, "2": 1}, {"canary": 250, "stable": 750})
    assert told_routes(space) == ["beta"]
    space.promote()
    space.until_paused(at=5)
    assert (told_routes(space), weights(space)) == (["copy"], {"canary": 250, "stable": 750})
    done = ("RolloutStepCompleted", "Rollout step 1/6 completed (setHeaderRoute: beta)")
    space.until("said so", lambda: done in space.events.of())
    space.promote()
    space.until_phase("Healthy")
    assert (told_routes(space), weights(space)) == ([], {"canary": 0, "stable": 1000})


def test_a_step_may_go_on_with_a_part_of_its_pods(space: Space, kubectl: Kubectl) -> None:
    """A quota has room for half of the canary."""
    hard = {"spec": {"hard": {"pods": "5"}}}
    kubectl.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, **hard})
    deployed(space, routed([{"setWeight": 50}, {"pause": {}}]))
    space.set_image("example/app:2")
    space.until("one of two is there", lambda: space.status().get("availableReplicas") == 5)
    assert (space.sizes(), space.status()["currentStepIndex"]) == ({"1": 4, "2": 2}, 0)
    space.edit(strategy={"canary": {"replicaProgressThreshold": {"type": "Percent", "value": 50}}})
    space.until_paused(at=1)
    assert weights(space) == {"canary": 50, "stable": 50}


def test_how_many_revisions_stay_and_a_canary_that_stays_for_ever(space: Space) -> None:
    delays = {"scaleDownDelayRevisionLimit": 1, "scaleDownDelaySeconds": 600, "abortScaleDownDelaySeconds": 0}
    deployed(space, routed([{"setWeight": 50}], **delays))
    for number in (2, 3):
        space.set_image(f"example/app:{number}")
        space.until_phase("Healthy")
    space.until("one revision waits", lambda: space.sizes() == {"1": 0, "2": 4, "3": 4})
    space.set_steps(STEPS)
    space.set_image("example/app:4")
    space.until_paused(at=1)
    space.abort()
    space.until_phase("Degraded")
    space.until("no traffic", lambda: weights(space) == {"canary": 0, "stable": 100})
    assert space.sizes() == {"1": 0, "2": 4, "3": 4, "4": 1}
    assert "scale-down-deadline" not in space.sets()["4"]["metadata"]["annotations"]


def test_without_a_delay_the_old_pods_go_at_once(space: Space, controller: OwnController) -> None:
    updated(space, routed(scaleDownDelaySeconds=0))
    space.promote()
    space.until_phase("Healthy")
    space.until("nothing is left", lambda: space.sizes() == {"1": 0, "2": 4})
    assert "scale-down-deadline" not in str([request.body for request in controller.writes])


def test_the_stable_gets_no_more_than_its_pods_can_bear(space: Space, kubectl: Kubectl) -> None:
    """A quota keeps three of its four pods from coming back: one bears a quarter."""
    updated(space, routed([{"setWeight": 75}, {"pause": {}}, {"setWeight": 25}, {"pause": {}}]))
    assert weights(space) == {"canary": 75, "stable": 25}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}}
    kubectl.apply({**quota, "spec": {"hard": {"pods": "0"}}})
    space.until("the quota counts", lambda: kubectl("get", "quota", "none", "-o=jsonpath={.status.used.pods}") == "7")
    stable = space.sets()["1"]["metadata"]["name"]
    for pod in [pod for pod in space.pods() if pod["metadata"]["name"].startswith(stable)][:3]:
        space.delete(kinds.POD, pod["metadata"]["name"])
    space.until_status(availableReplicas=4)
    space.promote()
    space.until_status(phase="Progressing", currentStepIndex=2)
    assert weights(space) == {"canary": 75, "stable": 25}
    kubectl("delete", "quota", "none")
    space.until_paused(at=3, seconds=60)
    assert weights(space) == {"canary": 25, "stable": 75}


def test_a_router_that_verifies(space: Space) -> None:
    deployed(space, routed(verify=True))
    space.set_image("example/app:2")
    space.until("told", lambda: weights(space).get("canary") == 25)
    space.until_status(phase="Progressing", currentStepIndex=0, message="waiting for the router to serve weight 25")
    split = space.get(kinds.CONFIG_MAP, "routes")["data"]["split"]
    space.patch(kinds.CONFIG_MAP, "routes", {"data": {"serves": split}})
    space.until_paused(at=1)
    assert space.status()["canary"]["weights"]["verified"] is True


def test_ping_pong(space: Space) -> None:
    turns = {"pingPong": {"pingService": "ping", "pongService": "pong"}, "canaryService": None, "stableService": None}
    updated(space, routed(**turns))
    assert (space.selected("ping"), space.selected("pong")) == ("1", "2")
    space.promote()
    space.until_phase("Healthy")
    assert space.status()["canary"]["stablePingPong"] == "pong"
    assert weights(space) == {"ping": 0, "pong": 100}


def test_a_route_that_is_gone_is_told_and_healed(space: Space) -> None:
    deployed(space, routed())
    space.delete(kinds.CONFIG_MAP, "routes")
    space.set_image("example/app:2")
    space.until_phase("Progressing", message="ConfigMap routes not found")
    space.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "routes"}})
    space.until_paused(at=1)
    assert weights(space)["canary"] == 25


def test_a_route_somebody_changed_is_put_right(space: Space) -> None:
    updated(space)
    space.patch(kinds.CONFIG_MAP, "routes", {"data": {"split": '{"destinations": []}'}})
    space.until("put right", lambda: weights(space) == {"canary": 25, "stable": 75})


def test_an_unknown_router_is_refused(space: Space) -> None:
    made = routed()
    made["spec"]["strategy"]["canary"]["trafficRouting"] = {"traefik": {"weightedTraefikServiceName": "x"}}
    space.create(service("canary"), service("stable"), made)
    wanted = "spec.strategy.canary.trafficRouting.traefik: Forbidden: not supported by this version of the controller"
    space.until("said so", lambda: wanted in space.status().get("message", ""))


def test_templates_of_an_experiment_get_their_weight_while_it_runs(space: Space) -> None:
    tried = [{"name": "a", "specRef": "stable", "weight": 10}, {"name": "b", "specRef": "canary", "weight": 5}]
    steps = [{"setWeight": 25}, {"experiment": {"templates": tried, "scaleDownDelaySeconds": 1}}, {"pause": {}}]
    deployed(space, routed(steps))
    space.set_image("example/app:2")
    name = space.until("it names one", lambda: (space.status().get("canary") or {}).get("currentExperiment"))
    split = {"canary": 25, "stable": 60, f"{name}-a": 10, f"{name}-b": 5}
    space.until("all four are served", lambda: weights(space) == split)
    additional = space.until("status tells", lambda: space.status()["canary"]["weights"].get("additional"))
    digests = [space.get(kinds.SERVICE, f"{name}-{each}")["spec"]["selector"][POD_HASH] for each in ("a", "b")]
    assert [part["podTemplateHash"] for part in additional] == digests
    space.patch(kinds.EXPERIMENT, name, {"spec": {"terminate": True}})
    space.until_paused(at=2)
    assert weights(space) == {"canary": 25, "stable": 75}
    space.until_gone(kinds.SERVICE, f"{name}-a")
