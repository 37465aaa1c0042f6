"""The job provider on an API server in memory: the Job it makes, what it makes of a Job, and what it clears away."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from analysis.providers import Context
from analysis.providers.base import Misconfigured, ProviderError, Refused, Resumable, Unavailable
from analysis.spec import Measurement, Metric
from rollouts.api import kinds
from rollouts.engine.client import Request
from rollouts.engine.jobobjects import LONGEST_NAME, name_of
from rollouts.engine.jobs import KUBECONFIG_VARIABLE, NAMESPACE_VARIABLE, JobProvider
from tests.engine.memory import MemoryApi, refusal

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
UID = "794524c2-681f-495a-b1aa-54f4375b4a99"
NAME = f"{UID}.job.1"
CONTEXT = Context(now=NOW, run_name="run", run_namespace="ns", run_uid=UID)
CONTAINER = {"name": "c", "image": "example/check:1"}


def metric(name: str = "job", **job: Any) -> Metric:
    spec = {"backoffLimit": 0, "template": {"spec": {"restartPolicy": "Never", "containers": [CONTAINER]}}}
    return Metric.model_validate({"name": name, "provider": {"job": {"spec": spec, **job}}})


def provider(api: MemoryApi, **environment: str) -> JobProvider:
    return JobProvider(api=api, environment=environment)


async def begun(api: MemoryApi) -> Measurement:
    return await provider(api).run(metric(), context=CONTEXT)


def put_status(api: MemoryApi, status: dict[str, Any]) -> None:
    api.objects[kinds.JOB.path("ns", NAME)]["status"] = status


def condition(kind: str, **more: str) -> dict[str, Any]:
    return {"conditions": [{"type": "SuccessCriteriaMet", "status": "True"}, {"type": kind, "status": "True", **more}]}


async def looked_at(api: MemoryApi, *, after: float = 5.0) -> Measurement:
    context = Context(now=NOW + timedelta(seconds=after), run_name="run", run_namespace="ns", run_uid=UID)
    measurement = Measurement(
        phase="Running", started_at=NOW, metadata={"job-name": NAME, "job-namespace": "ns"}, resume_at=NOW
    )
    return await provider(api).resume(metric(), measurement, context=context)


# -- the Job -----------------------------------------------------------------------------------------------------------


async def test_the_job_is_the_peers() -> None:
    """As recorded from Argo Rollouts: name, labels, annotations, owner; and the measurement that tells of it."""
    api = MemoryApi()
    measurement = await begun(api)
    job = api.objects[kinds.JOB.path("ns", NAME)]
    del job["metadata"]["uid"], job["metadata"]["resourceVersion"]
    assert job["metadata"] == {
        "name": NAME,
        "namespace": "ns",
        "labels": {"analysisrun.argoproj.io/uid": UID},
        "annotations": {
            "analysisrun.argoproj.io/metric-name": "job",
            "analysisrun.argoproj.io/name": "run",
            "analysisrun.argoproj.io/namespace": "ns",
        },
        "ownerReferences": [
            {
                "apiVersion": "argoproj.io/v1alpha1",
                "blockOwnerDeletion": True,
                "controller": True,
                "kind": "AnalysisRun",
                "name": "run",
                "uid": UID,
            }
        ],
    }
    assert job["spec"] == {
        "backoffLimit": 0,
        "template": {
            "metadata": {"labels": {"analysisrun.argoproj.io/uid": UID}},
            "spec": {"restartPolicy": "Never", "containers": [CONTAINER]},
        },
    }
    assert (measurement.phase, measurement.started_at, measurement.finished_at) == ("Running", NOW, None)
    assert measurement.metadata == {"job-name": NAME, "job-namespace": "ns"}


async def test_labels_and_annotations_of_ones_own() -> None:
    api = MemoryApi()
    own = {"labels": {"team": "a"}, "annotations": {"sidecar.istio.io/inject": "false"}}
    await provider(api).run(metric(metadata=own), context=CONTEXT)
    metadata = api.objects[kinds.JOB.path("ns", NAME)]["metadata"]
    assert metadata["labels"]["team"] == "a"
    assert metadata["annotations"]["sidecar.istio.io/inject"] == "false"
    assert metadata["annotations"]["analysisrun.argoproj.io/name"] == "run"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("job", f"{UID}.job.7"),
        ("success-rate.v2", f"{UID}.success-rate.v2.7"),
        ("Success Rate", f"{UID}.success-rate-5068c6c3.7"),
        ("a-metric-whose-name-is-very-long-indeed", f"{UID}.a-metric-whose-360774ac.7"),
        ("%", f"{UID}.bbf3f11c.7"),
    ],
)
def test_names(name: str, expected: str) -> None:
    assert name_of(UID, name, 7) == expected
    assert len(expected) <= LONGEST_NAME


def test_names_that_are_cut_stay_different() -> None:
    long = "a-metric-whose-name-is-very-long-indeed"
    assert len({name_of(UID, long + end, 1000) for end in ("", "-a", "-b", "-A")}) == 4


async def test_another_namespace_has_no_owner() -> None:
    api = MemoryApi()
    measurement = await provider(api, **{NAMESPACE_VARIABLE: "jobs"}).run(metric(), context=CONTEXT)
    assert "ownerReferences" not in api.objects[kinds.JOB.path("jobs", NAME)]["metadata"]
    assert measurement.metadata == {"job-name": NAME, "job-namespace": "jobs"}


async def test_another_cluster_that_cannot_be_reached(tmp_path: Any) -> None:
    elsewhere = provider(MemoryApi(), **{KUBECONFIG_VARIABLE: str(tmp_path / "none")})
    with pytest.raises(Misconfigured, match=r"ARGO_ROLLOUTS_ANALYSIS_JOB_KUBECONFIG: .*none cannot be used"):
        await elsewhere.run(metric(), context=CONTEXT)
    await elsewhere.close()


async def test_a_job_that_is_there_is_taken_up() -> None:
    """The controller died after creating it and before it could say so."""
    api = MemoryApi()
    first = await begun(api)
    assert await begun(api) == first
    api.objects[kinds.JOB.path("ns", NAME)]["metadata"]["labels"] = {}
    with pytest.raises(Refused, match="one of that name which is not this run's"):
        await begun(api)


@pytest.mark.parametrize(
    ("status", "kind", "fragment"),
    [
        (422, Misconfigured, f"job ns/{NAME} cannot be created, provider.job is not valid"),
        (403, Refused, "the controller's rights do not suffice"),
        (503, Unavailable, "cannot be created"),
    ],
)
async def test_a_job_that_cannot_be_created(status: int, kind: type[ProviderError], fragment: str) -> None:
    api = MemoryApi()

    def refuse(request: Request) -> None:
        if request.method == "POST":
            raise refusal(status, request)

    api.before = refuse
    with pytest.raises(kind, match=fragment):
        await begun(api)


async def test_no_template() -> None:
    with pytest.raises(Misconfigured, match=r"provider\.job\.spec\.template\.spec is empty"):
        await provider(MemoryApi()).run(metric(spec={"backoffLimit": 1}), context=CONTEXT)


# -- what becomes of it ------------------------------------------------------------------------------------------------

FAILED = {"reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"}


@pytest.mark.parametrize(
    ("status", "phase", "reason"),
    [
        (condition("Complete", reason="CompletionsReached"), "Successful", None),
        (condition("Failed", **FAILED), "Failed", "BackoffLimitExceeded: Job has reached the specified backoff limit"),
        (condition("Suspended"), "Running", None),
        ({"conditions": [{"type": "Complete", "status": "False"}]}, "Running", None),
        ({"active": 1, "ready": 1}, "Running", None),
        ({}, "Running", None),
    ],
)
async def test_its_end_decides(status: dict[str, Any], phase: str, reason: str | None) -> None:
    api = MemoryApi()
    await begun(api)
    put_status(api, status)
    found = await looked_at(api)
    assert (found.phase, found.message, (found.metadata or {}).get("reason")) == (phase, None, reason)
    assert (found.finished_at is None) is (phase == "Running")


@pytest.mark.parametrize(("age", "pause"), [(0, 1), (1, 1), (9, 3), (100, 10), (3600, 60), (10**6, 60)])
async def test_it_is_looked_at_less_and_less_often(age: float, pause: float) -> None:
    api = MemoryApi()
    await begun(api)
    found = await looked_at(api, after=age)
    assert found.resume_at == NOW + timedelta(seconds=age + pause)


@pytest.mark.parametrize(("ttl", "kept", "pause"), [(0, 10, 5), (9, 10, 5), (60, 60, 30), (600, 600, 60)])
async def test_a_job_that_goes_after_its_end_is_seen_before(ttl: int, kept: int, pause: float) -> None:
    api = MemoryApi()
    template = {"spec": {"restartPolicy": "Never", "containers": [CONTAINER]}}
    await provider(api).run(metric(spec={"ttlSecondsAfterFinished": ttl, "template": template}), context=CONTEXT)
    assert api.objects[kinds.JOB.path("ns", NAME)]["spec"]["ttlSecondsAfterFinished"] == kept
    found = await looked_at(api, after=10**5)
    assert found.resume_at == NOW + timedelta(seconds=10**5 + pause)


def pod(reason: str, *, init: bool = False) -> dict[str, Any]:
    waiting = [{"name": "c", "state": {"waiting": {"reason": reason, "message": "no such image"}}}]
    running = [{"name": "other", "state": {"running": {}}}]
    status = {"initContainerStatuses": waiting if init else [], "containerStatuses": running if init else waiting}
    return {"metadata": {"name": "pod", "namespace": "ns", "labels": {"job-name": NAME}}, "status": status}


@pytest.mark.parametrize("init", [False, True])
@pytest.mark.parametrize("reason", ["ErrImagePull", "ImagePullBackOff", "InvalidImageName"])
async def test_an_image_that_cannot_be_had_is_inconclusive(reason: str, init: bool) -> None:
    api = MemoryApi()
    await begun(api)
    put_status(api, {"active": 1})
    api.put(kinds.POD, pod(reason, init=init))
    found = await looked_at(api)
    assert found.phase == "Inconclusive"
    assert found.message == f'container "c" cannot start: {reason}: no such image'
    assert api.objects[kinds.JOB.path("ns", NAME)]["spec"]["suspend"] is True


async def test_a_pod_that_is_only_slow_goes_on() -> None:
    api = MemoryApi()
    await begun(api)
    put_status(api, {"active": 1})
    api.put(kinds.POD, pod("ContainerCreating"))
    assert (await looked_at(api)).phase == "Running"


async def test_an_api_server_that_is_away_ends_nothing() -> None:
    api = MemoryApi()
    await begun(api)

    def away(request: Request) -> None:
        raise refusal(503, request)

    api.before = away
    found = await looked_at(api)
    assert (found.phase, found.finished_at) == ("Running", None)


async def test_a_job_that_is_gone() -> None:
    with pytest.raises(Refused, match=f"job ns/{NAME} cannot be looked at: it does not exist; was it deleted"):
        await looked_at(MemoryApi())


async def test_terminating_deletes_it() -> None:
    api = MemoryApi()
    measurement = await begun(api)
    for _ in range(2):  # the second time it is gone already
        found = await provider(api).terminate(metric(), measurement, context=CONTEXT)
        assert found.finished_at == NOW
    assert kinds.JOB.path("ns", NAME) not in api.objects


async def test_a_measurement_without_a_job() -> None:
    lost = Measurement(phase="Running", started_at=NOW)
    with pytest.raises(Misconfigured, match="no job-name in its metadata"):
        await provider(MemoryApi()).resume(metric(), lost, context=CONTEXT)


# -- what is left ------------------------------------------------------------------------------------------------------


async def test_old_jobs_are_cleared_away() -> None:
    api = MemoryApi()
    jobs = provider(api)
    for name in ("job", "other"):
        for number in range(1, 13):
            context = Context(now=NOW, run_name="run", run_namespace="ns", run_uid=UID, number=number)
            await jobs.run(metric(name), context=context)
    await jobs.collect(metric(), keep=3, context=CONTEXT)
    left = {path.rpartition("/")[2].removeprefix(f"{UID}.") for path in api.objects}
    assert {name for name in left if name.startswith("job")} == {"job.10", "job.11", "job.12"}
    assert len([name for name in left if name.startswith("other")]) == 12


async def test_what_goes_on_when_the_run_is_over_is_ended() -> None:
    """Ended Jobs stay for people to look at, and so does one that is suspended; other metrics have their own turn."""
    api = MemoryApi()
    jobs = provider(api)
    for name, number in (("job", 1), ("job", 2), ("job", 3), ("other", 1)):
        await jobs.run(metric(name), context=replace(CONTEXT, number=number))
    put_status(api, condition("Complete"))
    api.objects[kinds.JOB.path("ns", f"{UID}.job.2")]["spec"]["suspend"] = True
    await jobs.sweep(metric(), context=CONTEXT)
    assert {path.rpartition("/")[2].removeprefix(f"{UID}.") for path in api.objects} == {"job.1", "job.2", "other.1"}


def test_it_can_be_resumed() -> None:
    assert isinstance(provider(MemoryApi()), Resumable)
