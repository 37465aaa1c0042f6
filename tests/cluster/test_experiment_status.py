"""What an Experiment shows and hands on: its status field by field, its Services, its runs and their arguments."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from deploy.local.prometheus import Prometheus
from rollouts.api import kinds
from tests.cluster.space import JSON, Space, rollout
from tests.cluster.test_experiments import experiment, sizes, template, until

pytestmark = pytest.mark.usefixtures("controller")
HASH = "rollouts-pod-template-hash"


def check(prometheus: Prometheus, *metrics: JSON, args: tuple[str, ...] = ()) -> JSON:
    """An AnalysisTemplate `check`."""
    provider = {"prometheus": {"address": prometheus.url, "query": "vector(1)"}}
    whole = [{"provider": provider, **metric} for metric in metrics or ({"name": "rate"},)]
    spec = {"metrics": whole, "args": [{"name": name} for name in args]}
    head = {"apiVersion": kinds.ROLLOUT.api_version, "kind": "AnalysisTemplate", "metadata": {"name": "check"}}
    return {**head, "spec": spec}


def analysis(**more: Any) -> JSON:
    return {"name": "measure", "templateName": "check", **more}


def measured(prometheus: Prometheus, query: str, **fields: Any) -> JSON:
    return {"name": "rate", **fields, "provider": {"prometheus": {"address": prometheus.url, "query": query}}}


def test_everything_a_running_one_tells(space: Space) -> None:
    """The hash goes with the Service, as with the peer: it is what selects its pods."""
    space.create(
        experiment(
            template("baseline", replicas=2, service={"name": "reachable"}),
            template("candidate", image="example/app:2", minReadySeconds=1),
        )
    )
    status = until(space, "Running")
    sets = {rs["metadata"]["name"]: rs for rs in space.list(kinds.REPLICA_SET)}
    (condition,) = [one for one in status["conditions"] if one["type"] == "Progressing"]
    assert condition["status"] == "True"
    for entry, (name, pods) in zip(status["templateStatuses"], (("baseline", 2), ("candidate", 1)), strict=True):
        assert datetime.fromisoformat(entry.pop("lastTransitionTime")) <= datetime.fromisoformat(status["availableAt"])
        assert (entry.pop("serviceName", None) == "reachable") == (name == "baseline")
        counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), pods)
        digest = {"podTemplateHash": sets["exp-baseline"]["metadata"]["labels"][HASH]} if name == "baseline" else {}
        entry.pop("message", None)
        assert entry == {"name": name, "status": "Running", **digest, **counts}
    assert sets["exp-candidate"]["spec"]["minReadySeconds"] == 1
    assert space.get(kinds.SERVICE, "reachable")["spec"]["selector"][HASH]


def test_its_runs_are_told_of_it(space: Space, prometheus: Prometheus) -> None:
    """Arguments that speak of the experiment, labels and annotations, and lists of the spec."""
    names = ("hash", "set", "from", "to")
    space.create(check(prometheus, measured(prometheus, "vector(1)", interval="1s"), args=names))
    values = (
        "{{templates.candidate.podTemplateHash}}",
        "{{templates.candidate.replicaset.name}}",
        "{{experiment.availableAt}}",
        "{{experiment.finishedAt}}",
    )
    args = [{"name": name, "value": value} for name, value in zip(names, values, strict=True)]
    space.create(
        experiment(
            analyses=[analysis(args=args)],
            duration="3s",
            dryRun=[{"metricName": "rate"}],
            measurementRetention=[{"metricName": "rate", "limit": 1}],
            analysisRunMetadata={"labels": {"team": "payments"}, "annotations": {"example.com/why": "trial"}},
        )
    )
    status = until(space, "Successful")
    run = space.get(kinds.ANALYSIS_RUN, "exp-measure")
    given = {arg["name"]: arg["value"] for arg in run["spec"]["args"]}
    (digest,) = [rs["metadata"]["labels"][HASH] for rs in space.list(kinds.REPLICA_SET)]
    assert (given["hash"], given["set"], given["from"]) == (digest, "exp-candidate", status["availableAt"])
    lasted = datetime.fromisoformat(given["to"]) - datetime.fromisoformat(given["from"])
    assert lasted.total_seconds() == 3
    assert run["metadata"]["labels"]["team"] == "payments"
    assert run["metadata"]["annotations"]["example.com/why"] == "trial"
    (owner,) = run["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("Experiment", "exp", True)
    (result,) = run["status"]["metricResults"]
    assert (result["dryRun"], len(result["measurements"])) == (True, 1)
    assert run["spec"]["terminate"], "one that is not required ends with the experiment"


def test_a_required_run_keeps_it_beyond_its_duration(space: Space, prometheus: Prometheus) -> None:
    space.create(check(prometheus, measured(prometheus, "vector(1)", interval="1s", count=5)))
    space.create(experiment(analyses=[analysis(requiredForCompletion=True)], duration="1s"))
    status = until(space, "Successful")
    run = space.get(kinds.ANALYSIS_RUN, "exp-measure")
    assert run["status"]["metricResults"][0]["count"] == 5
    assert not run["spec"].get("terminate")
    assert status["analysisRuns"] == [{"name": "measure", "analysisRun": "exp-measure", "phase": "Successful"}]


def test_an_inconclusive_run_makes_it_inconclusive(space: Space, prometheus: Prometheus) -> None:
    neither = {"successCondition": "result[0] > 2", "failureCondition": "result[0] < 1"}
    space.create(check(prometheus, measured(prometheus, "vector(1)", **neither)))
    space.create(experiment(analyses=[analysis()], scaleDownDelaySeconds=1))
    status = until(space, "Inconclusive")
    assert "inconclusive (1) > inconclusiveLimit (0)" in status["message"]
    space.until("its pods are gone", lambda: sizes(space) == {"exp-candidate": 0})


def test_the_step_of_a_canary_copies_its_replica_sets(space: Space) -> None:
    """Both templates as they run, without what was put into them for their role; labels of the step on top."""
    roles = {
        "stableMetadata": {"labels": {"role": "stable"}},
        "canaryMetadata": {"labels": {"role": "canary"}},
    }
    templates = [
        {"name": "baseline", "specRef": "stable", "replicas": 2},
        {"name": "candidate", "specRef": "canary", "metadata": {"labels": {"trial": "yes"}}},
    ]
    steps: list[JSON] = [{"setWeight": 50}, {"experiment": {"templates": templates, "duration": "1h"}}]
    space.create(rollout(replicas=2, steps=steps, canary=roles))
    space.until_phase("Healthy")
    space.set_image("example/app:2")
    name = space.until("its Experiment", lambda: (space.status().get("canary") or {}).get("currentExperiment"))
    digest = space.sets()["2"]["metadata"]["labels"][HASH]
    assert name == f"app-{digest}-2-1"
    made = space.get(kinds.EXPERIMENT, name)
    baseline, candidate = made["spec"]["templates"]
    images = [one["template"]["spec"]["containers"][0]["image"] for one in (baseline, candidate)]
    assert images == ["example/app:1", "example/app:2"]
    assert (baseline["replicas"], candidate.get("replicas", 1)) == (2, 1)
    labels = [one["template"]["metadata"]["labels"] for one in (baseline, candidate)]
    assert [("role" in one, one.get("trial")) for one in labels] == [(False, None), (False, "yes")]
    wanted = {f"{name}-baseline": 2, f"{name}-candidate": 1}
    space.until("they run", lambda: wanted.items() <= sizes(space).items())
