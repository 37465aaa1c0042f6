"""Jobs as measurements on the real API server and its real Job controller; their pods are kwok's."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from rollouts.api import kinds
from rollouts.engine.client import Request
from rollouts.engine.jobs import KUBECONFIG_VARIABLE, NAMESPACE_VARIABLE
from tests.cluster.controllers import OwnController
from tests.cluster.harness import Kubectl
from tests.cluster.space import JSON, Space, rollout

GOOD, BAD, SLOW, MISSING = "example/check:1", "example/fails:1", "example/slow:1", "example/does-not-exist:1"
UID = "analysisrun.argoproj.io/uid"


def run(image: str, *, name: str = "run", pod: JSON | None = None, spec: JSON | None = None, **fields: Any) -> JSON:
    """A run of one metric that is a Job."""
    containers = [{"name": "check", "image": image, "command": ["check", "{{args.word}}"]}]
    template = {"metadata": pod or {}, "spec": {"restartPolicy": "Never", "containers": containers}}
    metric = {"name": "job", "provider": {"job": {"spec": {"backoffLimit": 0, "template": template}}}, **fields}
    args = [{"name": "word", "value": "hello"}]
    return {
        "apiVersion": kinds.ANALYSIS_RUN.api_version,
        "kind": "AnalysisRun",
        "metadata": {"name": name},
        "spec": {"metrics": [metric], "args": args, **(spec or {})},
    }


def jobs(space: Space) -> dict[str, JSON]:
    """By the end of their names."""
    return {job["metadata"]["name"].partition(".")[2]: job for job in space.list(kinds.JOB)}


def ended(space: Space, name: str = "run") -> JSON:
    def look() -> JSON:
        status: JSON = space.get(kinds.ANALYSIS_RUN, name).get("status") or {}
        assert status.get("completedAt"), status
        return status

    return space.until(f"{name} ended", look)  # type: ignore[no-any-return]


@pytest.mark.usefixtures("controller")
@pytest.mark.parametrize(
    ("image", "phase"),
    [(GOOD, "Successful"), (BAD, "Failed"), (MISSING, "Inconclusive")],
    ids=["good", "bad", "missing"],
)
def test_its_end_is_the_verdict(space: Space, image: str, phase: str) -> None:
    space.create(run(image))
    status = ended(space)
    (measurement,) = status["metricResults"][0]["measurements"]
    assert (status["phase"], measurement["phase"]) == (phase, phase)
    (name,) = jobs(space)
    owner = space.get(kinds.ANALYSIS_RUN, "run")["metadata"]["uid"]
    assert name == "job.1"
    assert measurement["metadata"]["job-name"] == f"{owner}.job.1"
    assert measurement["metadata"]["job-namespace"] == space.namespace
    job = jobs(space)["job.1"]
    assert job["metadata"]["labels"][UID] == job["spec"]["template"]["metadata"]["labels"][UID] == owner
    assert job["spec"]["template"]["spec"]["containers"][0]["command"] == ["check", "hello"]
    if image == MISSING:
        assert "cannot start: ImagePullBackOff: Back-off pulling image" in status["message"]
        assert job["spec"]["suspend"] is True


@pytest.mark.usefixtures("controller")
def test_one_after_another_and_the_old_ones_go(space: Space) -> None:
    kept = {"measurementRetention": [{"metricName": "job", "limit": 2}]}
    space.create(run(GOOD, count=4, interval="1s", spec=kept))
    status = ended(space)
    assert status["metricResults"][0]["successful"] == 4
    assert len(status["metricResults"][0]["measurements"]) == 2
    space.until("old Jobs are gone", lambda: set(jobs(space)) == {"job.3", "job.4"})


@pytest.mark.usefixtures("controller")
def test_a_run_that_is_terminated_takes_its_job_along(space: Space) -> None:
    space.create(run(SLOW, pod={"annotations": {"local.rollouts/ready-after": "10m"}}))
    space.until("the Job is there", lambda: jobs(space))
    space.until("that is known", lambda: space.get(kinds.ANALYSIS_RUN, "run")["status"].get("metricResults"))
    space.patch(kinds.ANALYSIS_RUN, "run", {"spec": {"terminate": True}})
    status = ended(space)
    (measurement,) = status["metricResults"][0]["measurements"]
    assert (measurement["phase"], measurement["message"]) == ("Inconclusive", "Metric Terminated")
    assert status["phase"] == "Inconclusive"
    space.until("the Job is gone", lambda: not jobs(space))


def test_a_run_that_is_terminated_before_its_job_is_known(space: Space, own_controller: Any) -> None:
    """Between the Job's creation and the status that would have told of it."""

    def interfere(number: int, request: Request) -> None:
        if request.path.endswith("/analysisruns/run") and jobs(space):
            space.patch(kinds.ANALYSIS_RUN, "run", {"spec": {"terminate": True}})

    own_controller(before=interfere)
    space.create(run(SLOW, pod={"annotations": {"local.rollouts/ready-after": "10m"}}))
    assert ended(space)["message"] == "Run Terminated"
    space.until("the Job is gone", lambda: not jobs(space))


WORD = "swordfish-42"


@pytest.mark.usefixtures("controller")
@pytest.mark.parametrize(
    ("image", "restart", "phase"),
    [
        (GOOD, "Never", "Successful"),
        (f"{MISSING}-{{{{args.word}}}}", "Never", "Inconclusive"),
        (GOOD, "{{args.word}}", "Error"),
    ],
    ids=["good", "in the image", "refused"],
)
def test_a_secret_is_in_the_job_alone(
    space: Space, image: str, restart: str, phase: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nothing of it in the run, its events or the log, although kubelet and API server repeat what they were given."""
    data = {"word": base64.b64encode(WORD.encode()).decode()}
    space.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "data": data})
    made = run(image, consecutiveErrorLimit=0)
    made["spec"]["args"] = [{"name": "word", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "word"}}}]
    made["spec"]["metrics"][0]["provider"]["job"]["spec"]["template"]["spec"]["restartPolicy"] = restart
    space.create(made)
    status = ended(space)
    assert status["phase"] == phase
    if phase != "Successful":
        assert "*****" in status["message"]
    for job in jobs(space).values():
        assert WORD in json.dumps(job["spec"])
    ours = list(space.events.of("run", "AnalysisRun"))
    said = capfd.readouterr()
    assert WORD not in json.dumps([space.get(kinds.ANALYSIS_RUN, "run"), ours, said.out, said.err])


def test_jobs_of_another_cluster(
    space: Space, own_controller: Any, kubeconfig: Path, kubectl: Kubectl, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a kubeconfig of their own (which leads here again) and in a namespace of their own."""
    elsewhere = f"{space.namespace}-jobs"
    kubectl.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": elsewhere}})
    monkeypatch.setenv(KUBECONFIG_VARIABLE, str(kubeconfig))
    monkeypatch.setenv(NAMESPACE_VARIABLE, elsewhere)
    controller: OwnController = own_controller()
    space.create(run(GOOD))
    status = ended(space)
    assert status["phase"] == "Successful"
    assert status["metricResults"][0]["measurements"][0]["metadata"]["job-namespace"] == elsewhere
    assert jobs(space) == {}
    (job,) = kubectl.json("get", "jobs", "--namespace", elsewhere)["items"]
    assert "ownerReferences" not in job["metadata"]
    assert controller.counts()["POST jobs"] == 0
    kubectl("delete", "namespace", elsewhere, "--wait=false")


def test_a_controller_that_dies_after_creating_it_goes_on_with_it(space: Space, own_controller: Any) -> None:
    """Killed by every write in turn: there is never a second Job for the same measurement."""
    for writes in (1, 2, 3, 4):
        name = f"run-{writes}"
        space.create(run(GOOD, name=name))
        dying: OwnController = own_controller(die_after=writes)
        space.until("it died", dying.dead.is_set)
        dying.kill()
        next_one: OwnController = own_controller()
        status = ended(space, name)
        next_one.stop()
        assert status["phase"] == "Successful"
        owner = space.get(kinds.ANALYSIS_RUN, name)["metadata"]["uid"]
        assert [job for job in space.list(kinds.JOB) if job["metadata"]["labels"][UID] == owner][1:] == []


@pytest.mark.usefixtures("controller")
def test_a_release_that_a_job_stops(space: Space) -> None:
    """As recorded from Argo Rollouts: one analysis passes with two Jobs, the next fails and takes the release back."""
    containers = [{"name": "c", "image": "example/{{args.image}}:1"}]
    job = {"backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never", "containers": containers}}}
    metric = {"name": "job", "count": 2, "interval": "1s", "provider": {"job": {"spec": job}}}
    template = {"apiVersion": kinds.ANALYSIS_RUN.api_version, "kind": "AnalysisTemplate", "metadata": {"name": "check"}}
    space.create({**template, "spec": {"args": [{"name": "image"}], "metrics": [metric]}})
    steps = [
        {"setWeight": 50},
        *(
            {"analysis": {"templates": [{"templateName": "check"}], "args": [{"name": "image", "value": image}]}}
            for image in ("check", "fails")
        ),
    ]
    space.create(rollout(steps=steps, replicas=2))
    space.until_phase("Healthy")
    space.set_image("example/app:2")
    message = (
        "RolloutAborted: Rollout aborted update to revision 2: Step-based analysis phase error/failed: "
        'Metric "job" assessed Failed due to failed (1) > failureLimit (0)'
    )
    space.until_phase("Degraded", message=message)
    passed, failed = sorted(space.runs(), key=lambda one: str(one["metadata"]["labels"]["step-index"]))
    results = [one["status"]["metricResults"][0] for one in (passed, failed)]
    assert [result.get("successful") for result in results] == [2, None]
    names = [one["metadata"]["job-name"] for result in results for one in result["measurements"]]
    first, second = passed["metadata"]["uid"], failed["metadata"]["uid"]
    assert names == [f"{first}.job.1", f"{first}.job.2", f"{second}.job.1"]
    assert results[1]["measurements"][0]["metadata"]["reason"].startswith("BackoffLimitExceeded")
