"""Jobs of the job provider as real processes: exit codes are the verdict, and ending one early ends its process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from analysis.providers import Context
from analysis.spec import Measurement, Metric
from deploy.local.errors import NamespacesRefusedError
from deploy.local.namespaces import find_namespace
from deploy.local.node.launcher import ProcessNode
from deploy.local.plane import Plane
from rollouts.engine.client import Api, connect
from rollouts.engine.jobs import NAMESPACE_VARIABLE, JobProvider
from tests.local.nodes import Pods, until

pytestmark = pytest.mark.cluster
LOOKS = 300


@pytest.fixture(scope="module")
def pods() -> Iterator[Pods]:
    try:
        find_namespace()
    except NamespacesRefusedError as error:
        pytest.skip(str(error))
    with Plane(nodes=0, network=True) as plane, ProcessNode(plane=plane) as node:
        yield Pods(plane=plane, node=node)


def metric(script: str, **spec: int) -> Metric:
    container = {"name": "check", "image": "example/check:1", "command": ["sh", "-c"], "args": [script]}
    template = {"spec": {"restartPolicy": "Never", "containers": [container]}}
    job = {"spec": {"backoffLimit": 0, "template": template, **spec}}
    return Metric.model_validate({"name": "check", "provider": {"job": job}})


def context(uid: str) -> Context:
    return Context(now=datetime.now(UTC), run_name="run", run_namespace="elsewhere", run_uid=uid)


def provider(api: Api) -> JobProvider:
    """In a namespace that is not the run's: there is no AnalysisRun here that could own a Job."""
    return JobProvider(api=api, environment={NAMESPACE_VARIABLE: "default"})


async def finished(jobs: JobProvider, wanted: Metric, uid: str) -> Measurement:
    """Look, as often as it takes."""
    measurement = await jobs.run(wanted, context=context(uid))
    for _ in range(LOOKS):
        measurement = await jobs.resume(wanted, measurement, context=context(uid))
        if measurement.finished_at is not None:
            return measurement
        await asyncio.sleep(0.1)
    raise AssertionError(f"it does not end: {measurement}")


@pytest.mark.parametrize(
    ("script", "spec", "phase", "reason"),
    [
        ("exit 0", {}, "Successful", ""),
        ("exit 3", {}, "Failed", "BackoffLimitExceeded: Job has reached the specified backoff limit"),
        ("sleep 60", {"activeDeadlineSeconds": 1}, "Failed", "DeadlineExceeded: Job was active longer than specified"),
    ],
    ids=["good", "bad", "too slow"],
)
async def test_the_exit_code_is_the_verdict(
    pods: Pods, script: str, spec: dict[str, int], phase: str, reason: str
) -> None:
    async with connect(kubeconfig=str(pods.plane.kubeconfig)) as api:
        found = await finished(provider(api), metric(script, **spec), f"uid-{phase}-{len(script)}".lower())
    assert found.phase == phase
    assert (found.metadata or {}).get("reason", "").startswith(reason)


async def test_ending_it_early_ends_its_process(pods: Pods) -> None:
    async with connect(kubeconfig=str(pods.plane.kubeconfig)) as api:
        jobs, wanted = provider(api), metric("exec sleep 600")
        measurement = await jobs.run(wanted, context=context("uid-early"))
        await asyncio.to_thread(until, "it runs", lambda: pods.all_processes())
        await jobs.terminate(wanted, measurement, context=context("uid-early"))
        await asyncio.to_thread(until, "its process is gone", lambda: not pods.all_processes())
