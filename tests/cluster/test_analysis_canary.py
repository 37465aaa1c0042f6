"""Measuring between the steps with a real Prometheus: what it says decides where the canary goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from deploy.local.prometheus import Prometheus
from rollouts.api import kinds
from tests.cluster.controllers import OwnController
from tests.cluster.space import JSON, Space, rollout

pytestmark = pytest.mark.usefixtures("controller")
MEASURE = {"analysis": {"templates": [{"templateName": "check"}]}}
STEPS = [{"setWeight": 50}, MEASURE, {"pause": {}}]
GOOD, BAD, NEITHER = "vector(1)", "vector(0)", "vector(0.5)"


@pytest.fixture
def template(prometheus: Prometheus) -> Callable[..., JSON]:
    """An AnalysisTemplate `check` with one metric: good from 0.9, bad below 0.1, in between inconclusive."""

    def make(query: str, *, address: str | None = None, name: str = "check", **metric: Any) -> JSON:
        provider = {"prometheus": {"address": address or prometheus.url, "query": query}}
        conditions = {"successCondition": "result[0] >= 0.9", "failureCondition": "result[0] < 0.1"}
        spec = {"metrics": [{"name": "rate", **conditions, **metric, "provider": provider}]}
        return {
            "apiVersion": kinds.ROLLOUT.api_version,
            "kind": "AnalysisTemplate",
            "metadata": {"name": name},
            "spec": spec,
        }

    return make


def updated(space: Space, **options: Any) -> None:
    """A first revision, healthy, and a second on its way."""
    space.create(rollout(**{"steps": STEPS, "replicas": 2, **options}))
    space.until_phase("Healthy")
    space.set_image("example/app:2")


def test_success_goes_on(space: Space, template: Callable[..., JSON]) -> None:
    space.create(template(GOOD))
    updated(space)
    space.until_paused(at=2)
    (run,) = space.runs()
    revision = space.sets()["2"]["metadata"]["labels"]["rollouts-pod-template-hash"]
    assert run["metadata"]["name"] == f"app-{revision}-2-1"
    labels = {"app": "app", "rollouts-pod-template-hash": revision, "rollout-type": "Step", "step-index": "1"}
    assert run["metadata"]["labels"] == labels
    assert run["metadata"]["annotations"] == {"rollout.argoproj.io/revision": "2"}
    assert (run["status"]["phase"], run["status"]["metricResults"][0]["measurements"][0]["value"]) == (
        "Successful",
        "[1]",
    )
    space.until("said so", lambda: "AnalysisRunSuccessful" in space.events.reasons())


def test_failure_aborts_with_what_failed(space: Space, template: Callable[..., JSON]) -> None:
    space.create(template(BAD))
    updated(space)
    message = (
        "RolloutAborted: Rollout aborted update to revision 2: Step-based analysis phase error/failed: "
        'Metric "rate" assessed Failed due to failed (1) > failureLimit (0)'
    )
    space.until_phase("Degraded", message=message)
    space.until("stable serves alone", lambda: space.sizes() == {"1": 2, "2": 0})
    space.retry()
    space.until("it was measured again", lambda: len(space.runs()) == 2)
    space.until_phase("Degraded", message=message)
    assert [run["status"]["phase"] for run in space.runs()] == ["Failed", "Failed"]


def test_inconclusive_pauses_until_somebody_decides(space: Space, template: Callable[..., JSON]) -> None:
    space.create(template(NEITHER))
    updated(space)
    space.until_phase("Paused", message="InconclusiveAnalysisRun")
    assert space.sizes() == {"1": 1, "2": 1}
    space.promote()
    space.until_paused(at=2)
    assert len(space.runs()) == 1


def test_background_analysis_runs_until_the_end(space: Space, template: Callable[..., JSON]) -> None:
    space.create(template(GOOD, interval="1s"))
    background = {"templates": [{"templateName": "check"}], "startingStep": 1}
    updated(space, steps=[{"setWeight": 50}, {"pause": {}}], canary={"analysis": background})
    status = space.until_paused(at=1)
    space.until("it measured twice", lambda: space.runs()[0]["status"]["metricResults"][0]["count"] >= 2)
    assert status["canary"]["currentBackgroundAnalysisRunStatus"]["name"] == space.runs()[0]["metadata"]["name"]
    space.promote()
    space.until_phase("Healthy")
    (run,) = space.runs()
    assert run["spec"]["terminate"]
    space.until("the run is over", lambda: space.runs()[0]["status"]["phase"] == "Successful")


def test_background_analysis_aborts_in_a_pause(space: Space, template: Callable[..., JSON]) -> None:
    space.create(template(BAD, initialDelay="1s"))
    updated(space, steps=[{"setWeight": 50}, {"pause": {}}], canary={"analysis": MEASURE["analysis"]})
    space.until_phase("Degraded")
    assert "Background analysis phase error/failed" in space.status()["message"]
    space.until("stable serves alone", lambda: space.sizes() == {"1": 2, "2": 0})


def test_a_missing_template_is_an_invalid_spec_and_heals(space: Space, template: Callable[..., JSON]) -> None:
    space.create(rollout(steps=STEPS, replicas=2))
    space.until("InvalidSpec", lambda: "'check' not found" in space.condition("InvalidSpec")["message"])
    assert "spec.strategy.canary.steps[1].analysis.templates" in space.status()["message"]
    assert not space.list(kinds.REPLICA_SET)
    space.create(template(GOOD))
    space.until_phase("Healthy")


def test_an_abort_ends_the_measuring(space: Space, template: Callable[..., JSON]) -> None:
    space.create(template(GOOD, interval="1s", count=1000))
    updated(space)
    space.until("measuring", lambda: space.runs()[0]["status"]["phase"] == "Running")
    named = {"name": space.runs()[0]["metadata"]["name"], "status": "Running"}
    space.until("it is named", lambda: space.status()["canary"]["currentStepAnalysisRunStatus"] == named)
    space.abort()
    space.until_phase("Degraded", message="RolloutAborted: Rollout aborted update to revision 2")
    space.until("the run is over", lambda: space.runs()[0]["status"]["phase"] == "Successful")
    assert space.runs()[0]["spec"]["terminate"]


def test_arguments_reach_the_query(space: Space, template: Callable[..., JSON]) -> None:
    check = template("vector({{args.value}}) # {{args.hash}}")
    check["spec"]["args"] = [{"name": "value"}, {"name": "hash"}]
    space.create(check)
    args = [
        {"name": "value", "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['answer']"}}},
        {"name": "hash", "valueFrom": {"podTemplateHashValue": "Latest"}},
    ]
    body = rollout(steps=[{"setWeight": 50}, {"analysis": {**MEASURE["analysis"], "args": args}}, {"pause": {}}])
    body["metadata"]["annotations"] = {"answer": "1"}
    space.create(body)
    space.until_phase("Healthy")
    space.set_image("example/app:2")
    status = space.until_paused(at=2)
    (run,) = space.runs()
    assert {arg["name"]: arg["value"] for arg in run["spec"]["args"]} == {
        "value": "1",
        "hash": status["currentPodHash"],
    }


#: what is wrong: query, other fields of the metric, and what the Rollout says
TROUBLE = {
    "unreachable": (GOOD, {"address": "http://127.0.0.1:1"}, "127.0.0.1:1"),
    "bad PromQL": ("sum(", {}, "cannot run the query"),
    "no data": ("absent(vector(1))", {}, "no data"),
}


@pytest.mark.parametrize("what", TROUBLE)
def test_trouble_with_measuring_is_told_and_goes_back_to_stable(
    space: Space, template: Callable[..., JSON], what: str
) -> None:
    query, metric, fragment = TROUBLE[what]
    space.create(template(query, consecutiveErrorLimit=0, **metric))
    updated(space)
    status = space.until_phase("Degraded")
    assert "Step-based analysis phase error/failed" in status["message"]
    assert fragment in status["message"]
    space.until("stable serves alone", lambda: space.sizes() == {"1": 2, "2": 0})
    space.until_status(phase="Degraded", availableReplicas=2)


def test_a_condition_nobody_can_read_is_refused_before_anything_moves(
    space: Space, template: Callable[..., JSON]
) -> None:
    space.create(template(GOOD))
    updated(space)
    space.until_paused(at=2)
    space.promote_full()
    space.until_phase("Healthy")
    metric = template(GOOD, successCondition="result[0] >")["spec"]["metrics"]
    space.patch(kinds.ANALYSIS_TEMPLATE, "check", {"spec": {"metrics": metric}})
    space.set_image("example/app:3")
    status = space.until_phase("Degraded")
    assert "AnalysisTemplate check: metrics[0].successCondition: " in status["message"]
    assert (space.sizes(), space.condition("Healthy")["status"]) == ({"1": 0, "2": 2}, "False")
    metric = template(GOOD)["spec"]["metrics"]
    space.patch(kinds.ANALYSIS_TEMPLATE, "check", {"spec": {"metrics": metric}})
    space.until_paused(at=2)


def test_a_template_of_the_whole_cluster(
    space: Space, template: Callable[..., JSON], own_controller: Callable[..., OwnController]
) -> None:
    """Seen by a controller of the whole cluster; kept to this test's Rollout by an instance id."""
    name = space.namespace
    own_controller(namespace=None, instance_id=name)
    space.create({**template(GOOD, name=name), "kind": "ClusterAnalysisTemplate"})
    wide = {"analysis": {"templates": [{"templateName": name, "clusterScope": True}]}}
    labels = {"argo-rollouts.argoproj.io/controller-instance-id": name}
    updated(space, steps=[{"setWeight": 50}, wide, {"pause": {}}], labels=labels)
    space.until_paused(at=2)
    (run,) = space.runs()
    assert run["metadata"]["labels"]["argo-rollouts.argoproj.io/controller-instance-id"] == name
    space.delete(kinds.CLUSTER_ANALYSIS_TEMPLATE, name)


def test_a_killed_controller_measures_once(
    space: Space, template: Callable[..., JSON], controller: OwnController, own_controller: Callable[..., OwnController]
) -> None:
    """A run made, but not yet named in the status, is taken up by the next controller."""
    space.create(template(GOOD))
    controller.stop()
    made = next_write_dies(own_controller, "analysisruns")
    updated(space)
    space.until("it died right after the run was made", made.dead.is_set)
    assert not (space.status().get("canary") or {}).get("currentStepAnalysisRunStatus")
    own_controller()
    space.until_paused(at=2)
    assert len(space.runs()) == 1


def next_write_dies(own_controller: Callable[..., OwnController], plural: str) -> OwnController:
    """A controller that dies after its first creation of this kind."""

    def before(number: int, request: Any) -> None:
        if request.method == "POST" and request.path.endswith(plural):
            started[0].die_after = number

    started: list[OwnController] = []
    started.append(own_controller(before=before))
    return started[0]
