"""From templates to runs: composition, arguments, labels; and when there is to be no run, or none any more."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.local.prometheus import Prometheus
from rollouts.api import kinds
from tests.cluster.space import JSON, Space, rollout

pytestmark = pytest.mark.usefixtures("controller")
API = kinds.ROLLOUT.api_version


@pytest.fixture
def address(prometheus: Prometheus) -> str:
    return prometheus.url


def template(name: str, address: str, *metrics: str, query: str = "vector(1)", **spec: Any) -> JSON:
    """Metrics that are good at 1."""
    found = [
        {
            "name": metric,
            "successCondition": "result[0] == 1",
            "provider": {"prometheus": {"address": address, "query": query}},
        }
        for metric in metrics
    ]
    more = {"metrics": found} if found else {}
    return {"apiVersion": API, "kind": "AnalysisTemplate", "metadata": {"name": name}, "spec": {**more, **spec}}


def using(*names: str, **block: Any) -> JSON:
    return {"templates": [{"templateName": name} for name in names], **block}


def updated(space: Space, steps: list[JSON], **options: Any) -> JSON:
    """A second revision on its way, and the first of its runs."""
    space.create(rollout(**{"steps": steps, "replicas": 2, **options}))
    space.until_phase("Healthy")
    space.set_image("example/app:2")
    found: JSON = space.until("it is measured", lambda: (space.runs() or [None])[0])
    return found


def test_templates_of_templates_make_one_run(space: Space, address: str) -> None:
    """One that is named twice counts once; lists of the templates and of the step are joined."""
    space.create(
        template("inner", address, "inner", measurementRetention=[{"metricName": "inner", "limit": 1}]),
        template("middle", address, "middle", templates=[{"templateName": "inner"}]),
        template("outer", address, templates=[{"templateName": "middle"}, {"templateName": "inner"}]),
    )
    block = using("outer", "inner", dryRun=[{"metricName": "middle"}])
    run = updated(space, [{"setWeight": 50}, {"analysis": block}, {"pause": {}}])
    assert sorted(metric["name"] for metric in run["spec"]["metrics"]) == ["inner", "middle"]
    assert run["spec"]["dryRun"] == [{"metricName": "middle"}]
    assert run["spec"]["measurementRetention"] == [{"metricName": "inner", "limit": 1}]
    space.until_paused(at=2)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"metrics": ("rate",)}, "rate"),
        ({"metrics": ("other",), "args": [{"name": "limit", "value": "2"}]}, "Argument `limit` specified multiple"),
    ],
    ids=["metrics", "arguments"],
)
def test_templates_that_contradict_each_other(space: Space, address: str, other: JSON, words: str) -> None:
    metrics = other.pop("metrics")
    space.create(
        template("one", address, "rate", args=[{"name": "limit", "value": "1"}]),
        template("two", address, *metrics, **other),
        rollout(steps=[{"setWeight": 50}, {"analysis": using("one", "two")}]),
    )
    space.until("InvalidSpec", lambda: words in space.condition("InvalidSpec")["message"])
    assert not space.list(kinds.REPLICA_SET)


def test_where_arguments_come_from(space: Space, address: str) -> None:
    """The template's default, the template's field, the step's value, its field of the status, both hashes."""
    declared = [
        {"name": "default", "value": "d"},
        {"name": "team", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['example.com/team']"}}},
        *({"name": name} for name in ("given", "revision", "latest", "stable")),
    ]
    query = (
        "vector(1) # {{args.default}} {{args.team}} {{args.given}} {{args.revision}} {{args.latest}} {{args.stable}}"
    )
    space.create(template("check", address, "rate", args=declared, query=query))
    args = [
        {"name": "given", "value": "g"},
        {"name": "revision", "valueFrom": {"fieldRef": {"fieldPath": "status.stableRS"}}},
        {"name": "latest", "valueFrom": {"podTemplateHashValue": "Latest"}},
        {"name": "stable", "valueFrom": {"podTemplateHashValue": "Stable"}},
    ]
    labels = {"example.com/team": "payments"}
    run = updated(space, [{"setWeight": 50}, {"analysis": using("check", args=args)}, {"pause": {}}], labels=labels)
    status = space.until_paused(at=2)
    latest, stable = status["currentPodHash"], status["stableRS"]
    values = {"default": "d", "team": "payments", "given": "g", "revision": stable, "latest": latest, "stable": stable}
    assert {arg["name"]: arg["value"] for arg in run["spec"]["args"]} == values
    (result,) = space.runs()[0]["status"]["metricResults"]
    assert result["metadata"]["ResolvedPrometheusQuery"] == f"vector(1) # d payments g {stable} {latest} {stable}"


def test_what_a_run_is_called_and_labelled(space: Space, address: str) -> None:
    space.create(template("check", address, "rate"))
    metadata = {"labels": {"team": "payments"}, "annotations": {"example.com/why": "release"}}
    run = updated(space, [{"analysis": using("check", analysisRunMetadata=metadata)}, {"pause": {}}])
    digest = space.until_paused(at=1)["currentPodHash"]
    assert run["metadata"]["name"] == f"app-{digest}-2-0"
    assert run["metadata"]["labels"] == {
        "app": "app",
        "rollout-type": "Step",
        "rollouts-pod-template-hash": digest,
        "step-index": "0",
        "team": "payments",
    }
    assert run["metadata"]["annotations"] == {"example.com/why": "release", "rollout.argoproj.io/revision": "2"}
    (owner,) = run["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("Rollout", "app", True)
    assert owner["uid"] == space.rollout()["metadata"]["uid"]


def test_promoting_in_full_ends_what_is_measured(space: Space, address: str) -> None:
    """The step's and the background's; going back to stable then measures nothing."""
    endless = template("check", address, "rate")
    endless["spec"]["metrics"][0]["interval"] = "1s"
    limited = template("limited", address, "rate")
    limited["spec"]["metrics"][0].update(interval="1s", count=1000)
    space.create(endless, limited)
    steps = [{"setWeight": 50}, {"analysis": using("limited")}, {"pause": {}}]
    updated(space, steps, canary={"analysis": using("check")})
    space.until("both run", lambda: [run["status"]["phase"] for run in space.runs()] == ["Running"] * 2)
    space.promote_full()
    space.until_phase("Healthy")
    space.until("both ended", lambda: [run["status"]["phase"] for run in space.runs()] == ["Successful"] * 2)
    assert all(run["spec"]["terminate"] for run in space.runs())
    assert {run["status"]["message"] for run in space.runs()} == {"Run Terminated"}


def test_no_run_for_a_first_deploy_nor_on_the_way_back(space: Space, address: str) -> None:
    endless = template("check", address, "rate")
    endless["spec"]["metrics"][0]["interval"] = "1s"
    space.create(endless)
    steps = [{"setWeight": 50}, {"pause": {}}]
    space.create(rollout(steps=steps, replicas=2, canary={"analysis": using("check")}))
    space.until_phase("Healthy")
    assert space.runs() == []
    space.set_image("example/app:2")
    space.until_paused(at=1)
    space.set_image("example/app:1")
    space.until_phase("Healthy")
    (run,) = space.runs()
    assert run["metadata"]["annotations"]["rollout.argoproj.io/revision"] == "2"
    assert run["spec"]["terminate"]
