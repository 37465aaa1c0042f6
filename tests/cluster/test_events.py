"""Events, reasons and durations on the real API server: each told where people look for it, once for what happened."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from rollouts.api import kinds
from rollouts.engine.client import Request
from rollouts.engine.errors import ForbiddenError
from tests.analysis.wire import Reply, wire
from tests.cluster.controllers import OwnController
from tests.cluster.space import JSON, Space, blue_green, rollout, service
from tests.cluster.test_experiments import experiment, template
from tests.cluster.test_experiments import until as until_experiment
from tests.cluster.test_rollout_routed import deployed, routed
from tests.strategy.router import ROUTER

Controllers = Callable[..., OwnController]
STEPS = [{"setWeight": 50}, {"pause": {}}]


def told(space: Space, reason: str, name: str = "app", kind: str = "Rollout") -> list[str]:
    """What was said with a reason, as often as it was said."""
    return [message for said, message in space.events.of(name, kind) if said == reason]


def severity(space: Space, reason: str) -> set[str]:
    """The types of all events with a reason, and who they say they come from."""
    found = [event for event in space.list(kinds.EVENT) if event["reason"] == reason]
    assert {event["source"]["component"] for event in found} == {"rollouts-controller"}
    return {event["type"] for event in found}


def again(space: Space, old: OwnController, start: Controllers, **options: Any) -> OwnController:
    """Another controller in the place of one; returns when it has looked at everything."""
    old.stop()
    new = start(**options)
    queue = new.app.loops[kinds.ROLLOUT].queue
    space.until("it has looked", lambda: queue.statistics().done and not queue.statistics().working)
    return new


def test_a_deleted_rollout(space: Space, controller: OwnController) -> None:
    space.create(rollout())
    space.until_phase("Healthy")
    space.delete(kinds.ROLLOUT, "app")
    wanted = [f"Rollout app/{space.namespace} is deleted."]
    space.until("told", lambda: told(space, "RolloutDeleted") == wanted)
    assert controller.app.recorder.recorded["Normal", "RolloutDeleted"] == 1


def failure(space: Space) -> tuple[str, str]:
    condition = space.condition("TrafficFailure")
    return condition.get("reason", ""), condition.get("message", "")


def test_a_router_that_can_not_be_told(space: Space, own_controller: Controllers) -> None:
    first = own_controller(routers=ROUTER)
    deployed(space, routed())
    space.delete(kinds.CONFIG_MAP, "routes")
    space.set_image("example/app:2")
    space.until("shown", lambda: failure(space) == ("TrafficRoutingError", "ConfigMap routes not found"))
    space.until("told", lambda: told(space, "TrafficRoutingError"))
    second = again(space, first, own_controller, routers=ROUTER)
    space.patch(kinds.ROLLOUT, "app", {"metadata": {"annotations": {"touched": "yes"}}})
    space.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "routes"}})
    space.until_paused(at=1)
    assert space.condition("TrafficFailure") == {}
    assert told(space, "TrafficRoutingError") == ["ConfigMap routes not found"]
    assert severity(space, "TrafficRoutingError") == {"Warning"}
    assert not second.app.recorder.recorded["Warning", "TrafficRoutingError"]


def test_a_weight_that_can_not_be_verified(space: Space, own_controller: Controllers) -> None:
    own_controller(routers=ROUTER)
    deployed(space, routed(verify=True))
    space.patch(kinds.CONFIG_MAP, "routes", {"data": {"broken": "no answer"}})
    words = "Failed to verify weight: no answer"
    space.until("shown", lambda: failure(space) == ("WeightVerifyError", words))
    space.set_image("example/app:2")
    space.until_status(phase="Progressing", currentStepIndex=0, message="waiting for the router to serve weight 25")
    split = space.get(kinds.CONFIG_MAP, "routes")["data"]["split"]
    space.patch(kinds.CONFIG_MAP, "routes", {"data": {"serves": split, "broken": None}})
    space.until_paused(at=1)
    assert (told(space, "WeightVerifyError"), space.condition("TrafficFailure")) == ([words], {})


def test_shares_of_an_experiment_are_told(space: Space, own_controller: Controllers) -> None:
    own_controller(routers=ROUTER)
    tried = [{"name": "a", "specRef": "stable", "weight": 10}]
    deployed(space, routed([{"setWeight": 25}, {"experiment": {"templates": tried, "duration": "1s"}}, {"pause": {}}]))
    space.set_image("example/app:2")
    space.until_paused(at=2)
    space.until("told", lambda: len(told(space, "TrafficWeightUpdated")) == 4)
    first, weight, shared, ended = told(space, "TrafficWeightUpdated")
    assert (first, weight) == ("Traffic weight updated to 0", "Traffic weight updated from 0 to 25")
    assert re.fullmatch(r"Traffic weight updated additional: \[\{10 app-\w+-2-1-a \w+\}\]", shared)
    assert ended == "Traffic weight updated additional: []"


@pytest.mark.usefixtures("controller")
def test_a_service_that_is_not_there_and_one_of_somebody_else(space: Space) -> None:
    owned = service("preview")
    owned["metadata"]["annotations"] = {"argo-rollouts.argoproj.io/managed-by-rollouts": "other"}
    space.create(owned, rollout("other", canary={"stableService": "preview"}), blue_green())
    space.until("both", lambda: len(told(space, "ServiceReferenceError")) == 2)
    path = "spec.strategy.blueGreen"
    assert told(space, "ServiceReferenceError") == [
        f'{path}.activeService: Invalid value: "active": service "active" not found',
        f'{path}.previewService: Invalid value: "preview": Service "preview" is managed by another Rollout, "other"',
    ]
    assert severity(space, "ServiceReferenceError") == {"Warning"}


class Refusing:
    """Lets no ReplicaSet be changed, while it works."""

    def __init__(self) -> None:
        self.works = True

    def __call__(self, _: int, request: Request) -> None:
        if self.works and request.method == "PATCH" and "/replicasets/" in request.path:
            raise ForbiddenError("hands off", status=403)


def test_a_replica_set_that_can_not_be_scaled(space: Space, own_controller: Controllers) -> None:
    refusing = Refusing()
    own_controller(before=refusing)
    space.create(rollout())
    space.until_phase("Healthy")
    name = space.sets()["1"]["metadata"]["name"]
    space.edit(replicas=3)
    words = f"Failed to scale {name} up: hands off"
    space.until("told", lambda: told(space, "ReplicaSetUpdateError") == [words])
    space.until("shown", lambda: space.condition("ReconcileError").get("message") == words)
    refusing.works = False
    space.until_phase("Healthy")
    assert (space.sizes(), space.condition("ReconcileError")) == ({"1": 3}, {})
    assert told(space, "ReplicaSetUpdateError") == [words]


def web(url: str, **metric: Any) -> JSON:
    """An AnalysisTemplate `check` that asks a web server every second."""
    return {
        "apiVersion": kinds.ROLLOUT.api_version,
        "kind": "AnalysisTemplate",
        "metadata": {"name": "check"},
        "spec": {
            "metrics": [
                {
                    "name": "answer",
                    "interval": "1s",
                    "successCondition": "result.good == true",
                    "provider": {"web": {"url": url}},
                    **metric,
                }
            ]
        },
    }


@pytest.mark.usefixtures("controller")
def test_a_run_that_is_told_to_end(space: Space) -> None:
    with wire(lambda _: Reply(body='{"good": true}')) as server:
        space.create(web(server.url))
        space.create(experiment(template("candidate"), analyses=[{"name": "watch", "templateName": "check"}]))
        until_experiment(space, "Running")
        space.patch(kinds.EXPERIMENT, "exp", {"spec": {"terminate": True}})
        until_experiment(space, "Successful")
    (run,) = space.list(kinds.ANALYSIS_RUN)
    wanted = [f"Terminating watch ({run['metadata']['name']})"]
    space.until("told", lambda: told(space, "AnalysisRunTerminating", "exp", "Experiment") == wanted)


@pytest.mark.usefixtures("controller")
def test_an_analysis_that_fails_while_spec_paused_aborts(space: Space) -> None:
    good = True
    with wire(lambda _: Reply(body='{"good": true}' if good else '{"good": false}')) as server:
        steps = [{"setWeight": 50}, {"analysis": {"templates": [{"templateName": "check"}]}}, {"pause": {}}]
        space.create(web(server.url, count=1000), rollout(replicas=2, steps=steps))
        space.until_phase("Healthy")
        space.set_image("example/app:2")
        space.until("it measures", lambda: server.seen)
        space.edit(paused=True)
        space.until_phase("Paused", message="manually paused")
        assert not told(space, "RolloutAborted")
        good = False
        space.until_phase("Degraded")
    (message,) = space.until("told", lambda: told(space, "RolloutAborted"))
    why = 'Metric "answer" assessed Failed due to failed (1) > failureLimit (0)'
    assert message == f"Rollout aborted update to revision 2: Step-based analysis phase error/failed: {why}"
    assert space.rollout()["spec"]["paused"] is True


def test_the_steps_of_a_canary_scale(space: Space, own_controller: Controllers) -> None:
    own_controller(routers=ROUTER)
    steps = [
        {"setCanaryScale": {"replicas": 3}},
        {"setCanaryScale": {"weight": 50}},
        {"setCanaryScale": {"matchTrafficWeight": True}},
        {"pause": {}},
    ]
    deployed(space, routed(steps))
    space.set_image("example/app:2")
    space.until_paused(at=3)
    wanted = [
        "Rollout step 1/4 completed (setCanaryScale{replicas: 3})",
        "Rollout step 2/4 completed (setCanaryScale{weight: 50})",
        "Rollout step 3/4 completed (setCanaryScale{matchTrafficWeight: true})",
    ]
    space.until("told", lambda: told(space, "RolloutStepCompleted") == wanted)


def progressing(controller: OwnController) -> list[str]:
    """The reason of Progressing in each status patch the controller sent, repetitions left out."""
    patches = [request.body for request in controller.writes if request.path.endswith("/status")]
    lists = [patch["status"].get("conditions") or () for patch in patches if isinstance(patch, dict)]
    reasons = [c["reason"] for conditions in lists for c in conditions if c["type"] == "Progressing"]
    return [reason for before, reason in zip(["", *reasons], reasons, strict=False) if reason != before]


def test_the_reasons_of_an_update_cost_no_write(space: Space, controller: OwnController) -> None:
    space.create(rollout(steps=STEPS))
    space.until_phase("Healthy")
    assert progressing(controller) == ["NewReplicaSetCreated", "NewReplicaSetAvailable"]
    assert controller.counts()["PATCH rollouts/status"] == 2
    controller.writes.clear()
    space.set_image("example/app:2")
    space.until_paused(at=1)
    assert progressing(controller) == ["NewReplicaSetCreated", "RolloutPaused"]
    assert controller.counts()["PATCH rollouts/status"] == 2
    controller.writes.clear()
    space.abort()
    space.until_phase("Degraded")
    space.retry()
    space.until_paused(at=1)
    space.promote()
    space.until_phase("Healthy")
    told_of = [reason for reason in progressing(controller) if reason != "ReplicaSetUpdated"]
    wanted = ["RolloutAborted", "RolloutRetry", "RolloutPaused", "RolloutResumed", "NewReplicaSetAvailable"]
    assert told_of == wanted


def test_a_replica_set_made_by_a_controller_that_died(space: Space, own_controller: Controllers) -> None:
    first = own_controller(die_after=1)
    space.create(rollout(steps=STEPS))
    space.until("it died", first.dead.is_set)
    first.kill()
    second = own_controller()
    space.until_phase("Healthy")
    assert progressing(second) in (
        ["FoundNewReplicaSet", "NewReplicaSetAvailable"],
        ["NewReplicaSetAvailable"],  # its pods were there before the second one looked
    )
    assert "NewReplicaSetCreated" not in space.events.reasons()


def releases(controller: OwnController) -> dict[str, float]:
    """How many releases ended, by how they did, in each histogram alike."""
    text = controller.app.metrics.text().decode()
    found = [
        dict(re.findall(rf'^{name}_count{{status="(\w+)"}} ([\d.]+)$', text, flags=re.MULTILINE))
        for name in (
            "rollout_duration_seconds",
            "rollout_progression_duration_seconds",
            "rollout_manual_pause_duration_seconds",
        )
    ]
    assert found[0] == found[1] == found[2], found
    return {status: float(count) for status, count in found[0].items()}


def counted(controller: OwnController, **wanted: int) -> bool:
    assert releases(controller) == wanted
    return True


def test_each_release_is_counted_once(space: Space, own_controller: Controllers) -> None:
    first = own_controller()
    space.create(rollout(steps=STEPS))
    space.until_phase("Healthy")
    space.until("the first deployment", lambda: counted(first, Promoted=1))
    space.set_image("example/app:2")
    space.until_paused(at=1)
    space.set_image("example/app:3")
    space.until("given up for the third", lambda: counted(first, Promoted=1, Superseded=1))
    space.until_paused(at=1)
    space.abort()
    space.until_phase("Degraded")
    space.until("aborted", lambda: counted(first, Promoted=1, Superseded=1, Aborted=1))
    second = again(space, first, own_controller)
    assert releases(second) == {}
    space.retry()
    space.until_paused(at=1)
    space.promote()
    space.until_phase("Healthy")
    space.until("and promoted", lambda: counted(second, Promoted=1))


def test_a_pause_of_a_person_and_pods_that_are_lost(space: Space, controller: OwnController) -> None:
    space.create(rollout(replicas=2))
    space.until_phase("Healthy")
    controller.writes.clear()
    space.edit(paused=True)
    space.until_phase("Paused")
    space.edit(paused=False)
    space.until_phase("Healthy")
    for pod in space.pods():
        space.delete(kinds.POD, pod["metadata"]["name"])

    def lost_and_back() -> bool:
        reasons = [reason for reason in progressing(controller) if reason != "ReplicaSetUpdated"]
        assert reasons[-2:] == ["ReplicaSetNotAvailable", "NewReplicaSetAvailable"]
        assert set(reasons[:-2]) <= {"NewReplicaSetAvailable", "RolloutPaused", "RolloutResumed"}
        return True

    space.until("it noticed", lost_and_back)


@pytest.mark.parametrize("moment", ["healthy", "paused", "aborted", "invalid"])
def test_a_restart_repeats_nothing(space: Space, own_controller: Controllers, moment: str) -> None:
    first = own_controller()
    space.create(rollout(steps=STEPS))
    space.until_phase("Healthy")
    if moment == "invalid":
        space.edit(strategy={"canary": {"stableService": "gone"}})
        space.until_phase("Degraded")
    elif moment != "healthy":
        space.set_image("example/app:2")
        space.until_paused(at=1)
    if moment == "aborted":
        space.abort()
        space.until("all back", lambda: space.status().get("phase") == "Degraded" and space.sizes() == {"1": 1, "2": 0})
    second = again(space, first, own_controller)
    assert second.app.recorder.recorded == {}
