"""Experiments on the real API server: their ReplicaSets, Services and runs, how they end, and what people can ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from deploy.local.prometheus import Prometheus
from rollouts.api import kinds
from rollouts.cli.main import plugin_app
from tests.cluster.harness import Kubectl
from tests.cluster.space import JSON, Space, container, rollout

pytestmark = pytest.mark.usefixtures("controller")
GOOD, BAD = "vector(1)", "vector(0)"


def template(name: str, *, image: str = "example/app:1", **more: Any) -> JSON:
    labels = {"app": name}
    pods = {"metadata": {"labels": labels}, "spec": {"containers": [container(image)]}}
    return {"name": name, "selector": {"matchLabels": labels}, "template": pods, **more}


def experiment(*templates: JSON, **spec: Any) -> JSON:
    return {
        "apiVersion": kinds.EXPERIMENT.api_version,
        "kind": "Experiment",
        "metadata": {"name": "exp"},
        "spec": {"templates": list(templates or (template("candidate"),)), **spec},
    }


def measuring(prometheus: Prometheus, query: str) -> JSON:
    """An AnalysisTemplate `check`: one measurement, good from 0.9."""
    metric = {
        "name": "rate",
        "successCondition": "result[0] >= 0.9",
        "provider": {"prometheus": {"address": prometheus.url, "query": query}},
    }
    return {
        "apiVersion": kinds.ROLLOUT.api_version,
        "kind": "AnalysisTemplate",
        "metadata": {"name": "check"},
        "spec": {"args": [{"name": "hash"}], "metrics": [metric]},
    }


def until(space: Space, phase: str, **wanted: Any) -> JSON:
    """Wait for a phase and other values of its status."""

    def look() -> JSON:
        status = space.get(kinds.EXPERIMENT, "exp").get("status") or {}
        assert {key: status.get(key) for key in ("phase", *wanted)} == {"phase": phase, **wanted}, status
        return status

    found: JSON = space.until(f"the experiment is {phase}", look)
    return found


def sizes(space: Space) -> dict[str, int]:
    return {rs["metadata"]["name"]: rs["spec"]["replicas"] for rs in space.list(kinds.REPLICA_SET)}


def services(space: Space) -> list[str]:
    return [service["metadata"]["name"] for service in space.list(kinds.SERVICE)]


def _story(space: Space) -> list[str]:
    """Reasons of its events, but for those of templates, whose order among one another may vary."""
    return [reason for reason in space.events.reasons("exp", "Experiment") if not reason.startswith("Template")]


def test_runs_its_templates_side_by_side_and_takes_them_away(space: Space) -> None:
    space.create(
        experiment(
            template("baseline"),
            template("candidate", image="example/app:2", replicas=2, service={}),
            duration="2s",
            scaleDownDelaySeconds=1,
        )
    )
    space.until("the Service is there", lambda: services(space) == ["exp-candidate"])
    (service,) = space.list(kinds.SERVICE)
    (rs,) = [rs for rs in space.list(kinds.REPLICA_SET) if rs["metadata"]["name"] == "exp-candidate"]
    assert service["spec"]["selector"] == rs["spec"]["selector"]["matchLabels"]
    assert [port["port"] for port in service["spec"]["ports"]] == [8080]
    status = until(space, "Successful")
    assert {entry["name"]: entry["status"] for entry in status["templateStatuses"]} == {
        "baseline": "Successful",
        "candidate": "Successful",
    }
    space.until("its pods are gone", lambda: sizes(space) == {"exp-baseline": 0, "exp-candidate": 0})
    space.until("its Service is gone", lambda: services(space) == [])
    told = ["ScalingReplicaSet"] * 2 + ["ExperimentPending", "ExperimentRunning", "ExperimentSuccessful"]
    told += ["ScalingReplicaSet"] * 2
    space.until("all is told", lambda: _story(space) == told)


def test_a_good_analysis_ends_it_well(space: Space, prometheus: Prometheus) -> None:
    args = [{"name": "hash", "value": "{{templates.candidate.podTemplateHash}}"}]
    analysis = {"name": "rate", "templateName": "check", "requiredForCompletion": True, "args": args}
    space.create(measuring(prometheus, GOOD), experiment(analyses=[analysis]))
    status = until(space, "Successful")
    assert status["analysisRuns"] == [{"name": "rate", "analysisRun": "exp-rate", "phase": "Successful"}]
    (rs,) = space.list(kinds.REPLICA_SET)
    digest = rs["metadata"]["labels"]["rollouts-pod-template-hash"]
    assert space.get(kinds.ANALYSIS_RUN, "exp-rate")["spec"]["args"] == [{"name": "hash", "value": digest}]


def test_a_bad_analysis_ends_it_badly(space: Space, prometheus: Prometheus) -> None:
    analysis = {"name": "rate", "templateName": "check", "args": [{"name": "hash", "value": "x"}]}
    space.create(measuring(prometheus, BAD), experiment(analyses=[analysis], duration="1h", scaleDownDelaySeconds=0))
    message = 'Metric "rate" assessed Failed due to failed (1) > failureLimit (0)'
    until(space, "Failed", message=message)
    space.until("its pods are gone", lambda: sizes(space) == {"exp-candidate": 0})
    space.until("all is told", lambda: "AnalysisRunFailed" in space.events.reasons("exp", "Experiment"))


def test_a_template_past_its_deadline_fails_it(space: Space) -> None:
    space.create(
        experiment(template("good"), template("bad", image="example/does-not-exist:1"), progressDeadlineSeconds=3)
    )
    until(space, "Failed", message="Template 'bad' exceeded its progressDeadlineSeconds (3)")


def test_what_keeps_pods_from_coming_up_is_said(space: Space) -> None:
    space.create(experiment(template("bad", image="example/does-not-exist:1"), progressDeadlineSeconds=9))
    words = "container app: ImagePullBackOff"
    status = until(space, "Failed")
    assert status["message"].startswith("Template 'bad' exceeded its progressDeadlineSeconds (9): " + words)


def test_terminate_and_retry(space: Space) -> None:
    space.create(experiment())
    until(space, "Running")
    space.patch(kinds.EXPERIMENT, "exp", {"spec": {"terminate": True}})
    until(space, "Successful")
    space.until("its pods are on leave", lambda: _on_leave(space))
    space.patch(kinds.EXPERIMENT, "exp", {"spec": {"terminate": False}, "status": None})
    until(space, "Running")
    space.until("its pods stay", lambda: not _on_leave(space))


def _on_leave(space: Space) -> bool:
    return "scale-down-deadline" in space.get(kinds.REPLICA_SET, "exp-candidate")["metadata"]["annotations"]


def test_the_commands(space: Space, kubeconfig: Path, namespace: str) -> None:
    def run(line: str) -> str:
        words = [*line.split(), "--kubeconfig", str(kubeconfig), "--namespace", namespace]
        result = CliRunner().invoke(plugin_app, words, prog_name="kubectl rollouts")
        assert result.exit_code == 0, result.stdout + result.stderr
        return result.stdout

    space.create(experiment())
    until(space, "Running")
    shown = run("get experiment exp")
    assert "Σ exp" in shown
    assert "exp-candidate" in shown
    assert "Running" in run("list experiments")
    assert "experiment 'exp' terminated" in run("terminate experiment exp")
    until(space, "Successful")
    assert "experiment 'exp' retried" in run("retry experiment exp")
    until(space, "Running")


def test_a_replica_set_that_may_not_be_made_fails_it_in_time(space: Space, kubectl: Kubectl) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}}
    kubectl.apply({**quota, "spec": {"hard": {"count/replicasets.apps": "0"}}})
    space.until("the quota counts", lambda: kubectl("get", "resourcequota", "none", "-o", "jsonpath={.status.hard}"))
    space.create(experiment(progressDeadlineSeconds=2))
    until(space, "Failed", message="Template 'candidate' exceeded its progressDeadlineSeconds (2)")
    assert any("exceeded quota" in message for _, message in space.events.of("exp", "Experiment"))


def test_names_that_are_taken(space: Space) -> None:
    (other,) = [experiment()["spec"]["templates"][0]["template"]]
    space.create(
        {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {"name": "exp-candidate"},
            "spec": {"replicas": 0, "selector": {"matchLabels": other["metadata"]["labels"]}, "template": other},
        },
        experiment(),
    )
    status = until(space, "Running")
    assert status["templateStatuses"][0]["collisionCount"] == 1
    assert sizes(space) == {"exp-candidate": 0, "exp-candidate-1": 1}


def test_an_invalid_one_says_what_is_wrong(space: Space) -> None:
    space.create(experiment(template("twice"), template("twice")))
    status = until(space, "Error")
    assert 'The Experiment "exp" is invalid: spec.templates' in status["message"]
    assert sizes(space) == {}


def test_what_it_made_goes_with_it(space: Space) -> None:
    space.create(experiment(template("candidate", service={})))
    until(space, "Running")
    space.delete(kinds.EXPERIMENT, "exp")
    space.until_gone(kinds.REPLICA_SET, "exp-candidate")
    space.until_gone(kinds.SERVICE, "exp-candidate")


# --- the step of a canary

BOTH = [{"name": "baseline", "specRef": "stable"}, {"name": "candidate", "specRef": "canary"}]


def updated(space: Space, **step: Any) -> str:
    """A second revision at its `experiment` step; the name of the Experiment."""
    steps = [{"experiment": {"templates": BOTH, **step}}, {"setWeight": 50}, {"pause": {}}]
    space.create(rollout(replicas=2, steps=steps))
    space.until_phase("Healthy")
    space.set_image("example/app:2")
    found = space.until(
        "it names its Experiment", lambda: (space.status().get("canary") or {}).get("currentExperiment")
    )
    return str(found)


def test_a_canary_goes_on_after_its_experiment(space: Space) -> None:
    name = updated(space, duration="2s", scaleDownDelaySeconds=1)
    space.until_paused(at=2)
    assert space.get(kinds.EXPERIMENT, name)["status"]["phase"] == "Successful"
    (rs,) = [rs for rs in space.list(kinds.REPLICA_SET) if rs["metadata"]["name"] == f"{name}-candidate"]
    said = {key: value for key, value in rs["metadata"]["annotations"].items() if key.startswith("experiment.")}
    assert said == {"experiment.argoproj.io/name": name, "experiment.argoproj.io/template-name": "candidate"}
    assert space.sizes() == {"1": 1, "2": 1}
    space.promote()
    space.until_phase("Healthy")
    mine = {f"{name}-baseline": 0, f"{name}-candidate": 0}
    space.until("its pods are gone", lambda: mine.items() <= sizes(space).items())
    assert [reason for reason in space.events.reasons() if reason.startswith("Experiment")] == ["ExperimentCreated"]
    space.until("it tells", lambda: "ExperimentSuccessful" in space.events.reasons(name, "Experiment"))


def test_a_canary_goes_back_when_its_experiment_fails(space: Space, prometheus: Prometheus) -> None:
    space.create(measuring(prometheus, BAD))
    args = [{"name": "hash", "valueFrom": {"podTemplateHashValue": "Latest"}}]
    name = updated(space, analyses=[{"name": "rate", "templateName": "check", "args": args}])
    why = 'Experiment phase is error/failed: Metric "rate" assessed Failed due to failed (1) > failureLimit (0)'
    space.until_phase("Degraded", message=f"RolloutAborted: Rollout aborted update to revision 2: {why}")
    assert space.sizes() == {"1": 2, "2": 0}
    assert space.get(kinds.EXPERIMENT, name)["status"]["phase"] == "Failed"
    space.patch(kinds.ANALYSIS_TEMPLATE, "check", measuring(prometheus, GOOD))
    space.retry()
    second = space.until("another one runs", lambda: space.find(kinds.EXPERIMENT, f"{name}-1"))
    digest = space.sets()["2"]["metadata"]["labels"]["rollouts-pod-template-hash"]
    assert second["spec"]["analyses"][0]["args"] == [{"name": "hash", "value": digest}]


def test_an_inconclusive_experiment_waits_for_a_person(space: Space, prometheus: Prometheus) -> None:
    check = measuring(prometheus, "vector(0.5)")
    check["spec"]["metrics"][0]["failureCondition"] = "result[0] < 0.1"
    space.create(check)
    args = [{"name": "hash", "value": "x"}]
    updated(space, analyses=[{"name": "rate", "templateName": "check", "args": args}])
    space.until_phase("Paused", message="InconclusiveExperiment")
    assert space.sizes() == {"1": 2, "2": 0}
    space.promote()
    space.until_paused(at=2)


def test_an_abort_ends_the_experiment(space: Space) -> None:
    name = updated(space)
    space.until("it runs", lambda: (space.get(kinds.EXPERIMENT, name).get("status") or {}).get("phase") == "Running")
    space.abort()
    space.until_phase("Degraded")
    space.until("it has ended", lambda: space.get(kinds.EXPERIMENT, name)["status"]["phase"] == "Successful")
