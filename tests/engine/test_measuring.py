"""AnalysisRuns end to end in memory: the loop, the shell around `analysis`, and a provider that answers as told."""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from analysis.providers import Answer, Context
from analysis.spec import Measurement, Metric
from rollouts.api import kinds
from rollouts.engine import measuring
from rollouts.engine.client import Request
from rollouts.engine.jobs import JobProvider
from rollouts.engine.measuring import Measuring, own_fraction
from rollouts.plan import Delete, Plan
from tests.engine.memory import MemoryApi, merge, refusal

TOKEN = "s3cr3t-t0ken"


class Told:
    """Answers with what it was told; keeps the queries it was asked."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[str | None] = []
        self.weights: list[float | None] = []

    async def run(self, metric: Metric, *, context: Context) -> Answer | Measurement:
        assert metric.provider.prometheus is not None
        assert (context.run_name, context.run_namespace, context.run_uid) == ("run", "ns", "uid-run")
        self.asked.append(metric.provider.prometheus.query)
        self.weights.append(context.weight)
        value = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(value, Exception):
            raise value
        return Answer(result=value, value=f"{value} for {metric.provider.prometheus.query}")

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        return {}

    async def close(self) -> None:
        """Nothing is held."""


class Bench:
    """One run, decided about again and again as the loop would."""

    def __init__(self, provider: Told, *metrics: dict[str, Any], **spec: Any) -> None:
        self.api = MemoryApi()
        self.measuring = Measuring(api=self.api, providers={"prometheus": provider})
        self.run: dict[str, Any] = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "AnalysisRun",
            "metadata": {"name": "run", "namespace": "ns", "uid": "uid-run"},
            "spec": {"metrics": list(metrics), **spec},
        }
        self.events: list[tuple[str, str, str]] = []
        self.plans: list[Plan] = []

    async def step(self, now: datetime | None = None) -> Plan:
        plan = await self.measuring.decide(self.run, now or datetime.now(UTC))
        self.plans.append(plan)
        self.events += [(event.type, event.reason, event.message) for event in plan.events]
        if plan.status:
            self.run = merge(self.run, {"status": plan.status})
        return plan

    async def through(self) -> dict[str, Any]:
        """Until nothing is due at once."""
        for _ in range(10):
            plan = await self.step()
            if plan.requeue_after != 0.0:
                break
        status: dict[str, Any] = self.run["status"]
        return status


def metric(name: str = "errors", *, query: str = "q", **more: Any) -> dict[str, Any]:
    provider = {"prometheus": {"address": "http://prometheus", "query": query}}
    return {"name": name, "successCondition": "result < 5", "provider": provider, **more}


async def test_it_says_running_first_and_measures_then() -> None:
    provider = Told(1)
    bench = Bench(provider, metric())
    first = await bench.step()
    assert first.status["phase"] == "Running"
    assert (first.requeue_after, provider.asked) == (0.0, [])
    await bench.step()
    assert provider.asked == ["q"]
    assert bench.run["status"]["phase"] == "Successful"


@pytest.mark.parametrize("uid", ["a", "b", "0f6f0c5e-3c3c-4a9a-9d5b-6f1d1c1d2f3a"])
@pytest.mark.parametrize("fraction", [0.0, 0.25, 0.999])
async def test_a_run_is_measured_at_its_own_fraction_of_a_second(uid: str, fraction: float) -> None:
    """Whenever it is looked at, and whether the object's times still have their fractions or not: the same moment."""
    bench = Bench(Told(1), metric(interval="10s"))
    bench.run["metadata"]["uid"] = uid
    taken = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    stamp = taken.strftime("%Y-%m-%dT%H:%M:%SZ")
    measurement = {"phase": "Successful", "startedAt": stamp, "finishedAt": stamp}
    result = {"name": "errors", "phase": "Running", "count": 1, "successful": 1, "measurements": [measurement]}
    bench.run["status"] = {"phase": "Running", "startedAt": stamp, "metricResults": [result]}
    now = taken + timedelta(seconds=1 + fraction)
    plan = await bench.step(now)
    assert plan.requeue_after == pytest.approx(9 - fraction + own_fraction(uid))
    assert 0 <= own_fraction(uid) < 0.75


@pytest.mark.parametrize(("fraction", "late"), [(0.0, True), (0.2, True), (0.8, False)])
async def test_a_measurement_that_ended_in_the_next_second_makes_none_a_whole_second_late(
    fraction: float, late: bool
) -> None:
    uid = next(name for name in map(str, range(99)) if 0.3 < own_fraction(name) < 0.7)
    ended = datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)
    moment = ended + timedelta(seconds=10)
    now = ended + timedelta(seconds=fraction)
    seconds = measuring._seconds(moment, now, uid=uid, ended=now)
    assert seconds == pytest.approx(10 - fraction + (0 if late else own_fraction(uid)))


@pytest.mark.parametrize(
    ("answer", "phase", "severity"),
    [(1, "Successful", "Normal"), (9, "Failed", "Warning")],
)
async def test_a_verdict_is_told_by_events(answer: int, phase: str, severity: str) -> None:
    bench = Bench(Told(answer), metric())
    status = await bench.through()
    assert status["phase"] == phase
    assert bench.events == [
        (severity, f"Metric{phase}", f"Metric 'errors' Completed. Result: {phase}"),
        (severity, f"AnalysisRun{phase}", f"Analysis Completed. Result: {phase}"),
    ]
    await bench.step()
    assert len(bench.events) == 2


async def test_only_what_changed_is_written() -> None:
    bench = Bench(Told(1), metric(count=3, interval="10s"))
    await bench.through()
    assert set(bench.plans[-1].status) == {"metricResults"}
    again = await bench.step()
    assert again.empty
    assert again.requeue_after is not None
    assert 0 < again.requeue_after <= 11


SECRET_ARG = {"name": "token", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}}


def secret(**data: str) -> dict[str, Any]:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"metadata": {"name": "keys", "namespace": "ns"}, "data": encoded}


@pytest.mark.parametrize("answer", [1, 9, ValueError(f"cannot use {TOKEN}")])
async def test_a_secret_is_used_and_shown_nowhere(answer: Any) -> None:
    provider = Told(answer)
    bench = Bench(provider, metric(query="up{token='{{args.token}}'}"), args=[SECRET_ARG])
    bench.api.put(kinds.SECRET, secret(token=TOKEN))
    await bench.through()
    assert provider.asked[0] == f"up{{token='{TOKEN}'}}"
    assert bench.run["status"]["metricResults"][0]["measurements"]
    assert TOKEN not in json.dumps(bench.run)
    assert TOKEN not in json.dumps(bench.events)


@pytest.mark.parametrize(
    ("there", "message"),
    [
        (None, "secret keys does not exist in namespace ns"),
        (secret(other="x"), "secret keys has no key token"),
    ],
)
async def test_a_secret_that_is_missing_is_an_error_that_says_which(there: Any, message: str) -> None:
    provider = Told(1)
    bench = Bench(provider, metric(query="{{args.token}}"), args=[SECRET_ARG])
    if there is not None:
        bench.api.put(kinds.SECRET, there)
    await bench.through()
    (measurement,) = bench.run["status"]["metricResults"][0]["measurements"]
    assert measurement["phase"] == "Error"
    assert message in measurement["message"]
    assert provider.asked == []


async def test_a_secret_we_may_not_read_is_an_error_that_says_so() -> None:
    def refuse(request: Request) -> None:
        raise refusal(403, request)

    bench = Bench(Told(1), metric(), args=[SECRET_ARG])
    bench.api.before = refuse
    await bench.through()
    (measurement,) = bench.run["status"]["metricResults"][0]["measurements"]
    assert "secrets/keys" in measurement["message"]


async def test_a_run_that_cannot_be_read_ends_with_an_error_that_says_why() -> None:
    bench = Bench(Told(1), {**metric(), "provider": {"prometheus": {"adress": "typo"}}})
    status = await bench.through()
    assert status["phase"] == "Error"
    assert "adress" in status["message"]
    assert [reason for _, reason, _ in bench.events] == ["AnalysisRunError"]
    assert (await bench.step()).empty


async def test_a_terminated_run_ends_without_measuring() -> None:
    provider = Told(1)
    bench = Bench(provider, metric(initialDelay="1h"), terminate=True)
    status = await bench.through()
    assert status["phase"] == "Successful"
    assert provider.asked == []


async def test_a_run_being_deleted_is_left_alone() -> None:
    bench = Bench(Told(1), metric())
    bench.run["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert (await bench.step()).empty


@pytest.mark.parametrize(
    ("answer", "ttl", "seconds"),
    [
        (1, {"secondsAfterSuccess": 60, "secondsAfterFailure": 90}, 60),
        (9, {"secondsAfterSuccess": 60, "secondsAfterFailure": 90}, 90),
        (1, {"secondsAfterCompletion": 30}, 30),
        (9, {"secondsAfterCompletion": 30, "secondsAfterFailure": 90}, 90),
        (1, {"secondsAfterFailure": 90}, None),
        # an Error is no failure: only what counts for every end counts for it
        ("text", {"secondsAfterFailure": 60, "secondsAfterCompletion": 90}, 90),
        ("text", {"secondsAfterFailure": 60, "secondsAfterSuccess": 60}, None),
        (1, None, None),
    ],
)
async def test_a_finished_run_is_deleted_when_its_time_is_over(
    answer: Any, ttl: dict[str, int] | None, seconds: int | None
) -> None:
    bench = Bench(Told(answer), metric(consecutiveErrorLimit=0), **({"ttlStrategy": ttl} if ttl else {}))
    status = await bench.through()
    last = bench.plans[-1].requeue_after
    assert last is None if seconds is None else last is not None and seconds - 2 < last <= seconds
    ended = datetime.fromisoformat(status["completedAt"])
    early = await bench.step(ended + timedelta(seconds=10))
    late = await bench.step(ended + timedelta(seconds=1000))
    if seconds is None:
        assert early == late == Plan()
    else:
        assert (early.writes, early.requeue_after) == ((), seconds - 10)
        assert late.writes == (Delete(kind=kinds.ANALYSIS_RUN, namespace="ns", name="run", uid="uid-run"),)


# -- accounts of providers ---------------------------------------------------------------------------------------------


class WithAccount(Told):
    """Reads an account before it answers, and says aloud all it has read."""

    def __init__(self, *, namespaced: bool) -> None:
        super().__init__(1)
        self.namespaced = namespaced

    async def run(self, metric: Metric, *, context: Context) -> Answer | Measurement:
        account = await context.account("acme", namespaced=self.namespaced, shown=("address",))
        return Answer(result=1, value=" ".join(f"{key}={text}" for key, text in account.items()))


def account(namespace: str, token: bytes) -> dict[str, Any]:
    data = {"token": token, "address": b" https://acme.example\n", "logo": b"\xff\xd8"}
    encoded = {key: base64.b64encode(text).decode() for key, text in data.items()}
    return {"metadata": {"name": "acme", "namespace": namespace}, "data": encoded}


@pytest.mark.parametrize(("namespaced", "namespace"), [(True, "ns"), (False, "controllers-home")])
async def test_an_account_is_read_where_it_is_kept_and_shown_nowhere(
    namespaced: bool, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POD_NAMESPACE", "controllers-home")
    bench = Bench(WithAccount(namespaced=namespaced), metric())
    bench.api.put(kinds.SECRET, account(namespace, TOKEN.encode()))
    (result,) = (await bench.through())["metricResults"]
    assert result["measurements"][0]["value"] == "token=***** address=https://acme.example"
    assert TOKEN not in json.dumps([bench.run, bench.events])


async def test_a_missing_account_is_named_with_its_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POD_NAMESPACE", "controllers-home")
    bench = Bench(WithAccount(namespaced=False), metric(consecutiveErrorLimit=0))
    assert "secret acme does not exist in namespace controllers-home" in (await bench.through())["message"]


# -- a run that ends while a Job was begun that nobody knows of --------------------------------------------------------

JOB = {"job": {"spec": {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c"}]}}}}}


async def test_a_job_begun_before_a_write_that_was_refused_does_not_outlive_the_run() -> None:
    """Terminated just between the creation of the Job and the status that would have told of it."""
    bench = Bench(Told(1))
    bench.measuring = Measuring(api=bench.api, providers={"job": JobProvider(api=bench.api, environment={})})
    bench.run["spec"]["metrics"] = [{"name": "job", "provider": JOB}]
    await bench.step()
    known = copy.deepcopy(bench.run)
    await bench.step()
    assert [path for path in bench.api.objects if "/jobs/" in path] == [
        "/apis/batch/v1/namespaces/ns/jobs/uid-run.job.1"
    ]
    bench.run = merge(known, {"spec": {"terminate": True}})
    await bench.step()
    assert bench.run["status"]["phase"] == "Successful"
    assert [path for path in bench.api.objects if "/jobs/" in path] == []
