"""The asynchronous shell: conditions judged, faults turned into measurements, secrets, waiting and ending."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from analysis.assess import Task, assess
from analysis.measure import judge, judged, measure, run_spec
from analysis.providers import Answer, Context
from analysis.providers.base import ProviderError
from analysis.spec import Measurement, Metric, RunSpec, RunStatus, SecretKeyRef
from tests.analysis.runs import START, metric, spec


@dataclass
class Fake:
    """A provider that gives the answers it was given; an exception among them is raised."""

    answers: list[Any] = field(default_factory=list)
    asked: list[str | None] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)

    async def run(self, metric: Metric, *, context: Context) -> Answer | Measurement:
        assert metric.provider.prometheus is not None
        self.asked.append(metric.provider.prometheus.query)
        self.numbers.append(context.number)
        found = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(found, Exception):
            raise found
        return found if isinstance(found, Answer | Measurement) else Answer(result=found, value=str(found))

    def metadata(self, metric: Metric) -> Mapping[str, str]:
        assert metric.provider.prometheus is not None
        return {"query": metric.provider.prometheus.query or ""}

    async def close(self) -> None:
        """Nothing to let go of."""


class Slow(Fake):
    """A provider whose measurements take long."""

    async def resume(self, metric: Metric, measurement: Measurement, *, context: Context) -> Answer | Measurement:
        return await self.run(metric, context=context)

    async def terminate(self, metric: Metric, measurement: Measurement, *, context: Context) -> Measurement:
        return measurement


def clock() -> Any:
    return START


async def once(provider: Fake, item: Metric, **fields: Any) -> Measurement:
    run = spec(item, **fields)
    (found,) = await measure(
        [Task(metric=item)], spec=run, status=RunStatus(), providers={"prometheus": provider}, clock=clock
    )
    return found.measurement


SUCCESS, FAILURE = {"successCondition": "result > 1"}, {"failureCondition": "result > 2"}
VERDICTS: list[tuple[dict[str, str], float, str]] = [
    ({}, 0, "Successful"),
    (SUCCESS, 2, "Successful"),
    (SUCCESS, 1, "Failed"),
    (FAILURE, 2, "Successful"),
    (FAILURE, 3, "Failed"),
    ({**SUCCESS, **FAILURE}, 3, "Failed"),
    ({**SUCCESS, **FAILURE}, 2, "Successful"),
    ({**SUCCESS, **FAILURE}, 1, "Inconclusive"),
]


@pytest.mark.parametrize(("conditions", "result", "phase"), VERDICTS)
async def test_verdicts(conditions: dict[str, str], result: float, phase: str) -> None:
    found = await once(Fake([result]), metric(**conditions))
    assert (found.phase, found.value, found.started_at, found.finished_at) == (phase, str(result), START, START)


@pytest.mark.parametrize(
    ("result", "condition", "fragment"),
    [
        (None, "result[0] > 1", "the provider answered with nothing"),
        (
            [],
            "result[0] > 1",
            "only where no data is as good as success, begin the condition with `len(result) == 0 ||`",
        ),
        (None, "result > 1", "write `default(result, 0)` in place of `result`"),
        ([1.0], "result > 1", "mismatched types array and int"),
    ],
)
def test_what_cannot_be_judged_says_why(result: Any, condition: str, fragment: str) -> None:
    phase, message = judged(metric(successCondition=condition), Answer(result=result, value="x"), now=START)
    assert phase == "Error"
    assert fragment in (message or "")


@pytest.mark.parametrize(
    ("result", "condition"),
    [
        (None, "default(result, 0) < 1"),
        ([], "len(result) == 0 || result[0] > 1"),
        ({}, "len(result) == 0 || result.a > 1"),
    ],
)
def test_the_advice_for_no_data_works(result: Any, condition: str) -> None:
    assert judged(metric(successCondition=condition), Answer(result=result, value="x"), now=START)[0] == "Successful"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ProviderError("no luck"), "no luck"),
        (RuntimeError("a fault"), "the provider failed unexpectedly: RuntimeError: a fault"),
    ],
)
async def test_what_goes_wrong_becomes_a_measurement(error: Exception, message: str) -> None:
    found = await once(Fake([error]), metric())
    assert (found.phase, found.message, found.finished_at) == ("Error", message, START)


@pytest.mark.parametrize("kind", ["job", "datadog", "newRelic", "plugin"])
async def test_a_provider_that_is_not_there(kind: str) -> None:
    config: dict[str, Any] = {
        "job": {"spec": {}},
        "datadog": {"query": "q"},
        "newRelic": {"query": "q"},
        "plugin": {"x": {}},
    }
    found = await once(Fake([1]), metric(provider={kind: config[kind]}))
    assert found.phase == "Error"
    assert f"provider {kind} is not supported here; supported are prometheus" in (found.message or "")


async def test_one_fault_does_not_touch_the_others() -> None:
    items = [metric("a"), metric("b", provider={"job": {"spec": {}}}), metric("c")]
    found = await measure(
        [Task(metric=item) for item in items],
        spec=spec(*items), status=RunStatus(), providers={"prometheus": Fake([1])},
    )  # fmt: skip
    assert [(item.metric, item.measurement.phase) for item in found] == [
        ("a", "Successful"),
        ("b", "Error"),
        ("c", "Successful"),
    ]


SECRET_ARGS = [
    {"name": "token", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
    {"name": "plain", "value": "open"},
]


def with_secret(*, answers: list[Any]) -> tuple[RunSpec, Fake]:
    item = metric(provider={"prometheus": {"query": "{{args.plain}} {{args.token}}"}}, successCondition="result > 1")
    return spec(item, args=SECRET_ARGS), Fake(answers)


@pytest.mark.parametrize("answer", [ProviderError("bad: hush"), "hush hush", Answer(result=5, value="hush")])
async def test_secrets_are_used_and_never_shown(answer: Any) -> None:
    run, provider = with_secret(answers=[answer])

    async def read(ref: SecretKeyRef) -> str:
        assert (ref.name, ref.key) == ("s", "k")
        return "hush"

    (found,) = await measure(
        [Task(metric=run.metrics[0])],
        spec=run,
        status=RunStatus(),
        providers={"prometheus": provider},
        read_secret=read,
    )
    assert provider.asked == ["open hush"]
    assert found.metadata == {"query": "open *****"}
    assert "hush" not in str(found)
    assert "*****" in str(found.measurement)


async def test_a_secret_that_is_missing() -> None:
    run, provider = with_secret(answers=[1])

    async def read(ref: SecretKeyRef) -> str:
        raise LookupError(f'secrets "{ref.name}" not found')

    (found,) = await measure(
        [Task(metric=run.metrics[0])],
        spec=run,
        status=RunStatus(),
        providers={"prometheus": provider},
        read_secret=read,
    )
    assert found.measurement.message == 'cannot read the secret of an argument: secrets "s" not found'
    assert (found.measurement.phase, provider.asked) == ("Error", [])


async def test_a_measurement_that_takes_long() -> None:
    waiting = Measurement(phase="Running", started_at=START, resume_at=START + timedelta(seconds=15))
    done = waiting.model_copy(update={"phase": "Successful", "finished_at": START + timedelta(seconds=15)})
    provider = Slow([waiting, done])
    now = [START]

    async def sleep(seconds: float) -> None:
        now[0] += timedelta(seconds=seconds)

    seen: list[RunStatus] = []
    status = await judge(
        run_spec(metric()), providers={"prometheus": provider}, clock=lambda: now[0], sleep=sleep, on_change=seen.append
    )
    (result,) = status.metric_results or []
    assert (status.phase, result.count, result.measurements) == ("Successful", 1, [done])
    assert now == [START + timedelta(seconds=15)]
    assert [item.phase for item in seen] == ["Running", "Running", "Running", "Successful"]


async def test_terminating() -> None:
    waiting = Measurement(phase="Running", started_at=START)
    item = metric()
    run = spec(item, terminate=True)
    (found,) = await measure(
        [Task(metric=item, measurement=waiting, terminate=True)],
        spec=run, status=RunStatus(), providers={"prometheus": Slow([1])}, clock=clock,
    )  # fmt: skip
    ended = found.measurement
    assert (ended.phase, ended.message, ended.finished_at) == ("Inconclusive", "Metric Terminated", START)


async def test_measurements_are_numbered_and_an_interval_is_kept() -> None:
    provider = Fake([ProviderError("x"), 1])
    now = [START]

    async def sleep(seconds: float) -> None:
        now[0] += timedelta(seconds=seconds)

    await judge(
        run_spec(metric(count=2, interval="1m")), providers={"prometheus": provider}, clock=lambda: now[0], sleep=sleep
    )
    assert provider.numbers == [1, 2, 3]
    assert now == [START + timedelta(seconds=70)]


async def test_a_provider_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging(Fake):
        async def run(self, metric: Metric, *, context: Context) -> Answer | Measurement:
            await asyncio.Event().wait()
            raise AssertionError

    monkeypatch.setattr("analysis.measure.SPARE_SECONDS", -0.99)
    found = await once(Hanging([]), metric(provider={"prometheus": {"query": "q", "timeout": 1}}))
    assert (found.phase, found.message) == ("Error", 'metric "m": no answer within 0.01 s')


async def test_running_out_of_a_metric_with_arguments_in_its_limits() -> None:
    run = spec(metric(count="{{args.n}}", interval="1s"), args=[{"name": "n", "value": "1"}])
    look = assess(spec=run, status=RunStatus(), now=START)
    found = await measure(look.due, spec=run, status=look.status, providers={"prometheus": Fake([1])})
    assert found[0].measurement.phase == "Successful"


class Littering(Slow):
    """A provider whose measurements leave something behind; `fails` when that is to be cleared away."""

    fails: Exception | None = None

    def __init__(self, answers: list[Any]) -> None:
        super().__init__(answers)
        self.kept: list[tuple[int, int]] = []

    async def collect(self, metric: Metric, *, keep: int, context: Context) -> None:
        self.kept.append((context.number, keep))
        if self.fails:
            raise self.fails

    async def sweep(self, metric: Metric, *, context: Context) -> None:
        self.kept.append((0, 0))
        if self.fails:
            raise self.fails


FAULTS = [None, ProviderError("not now, swordfish"), RuntimeError("a fault, swordfish")]


@pytest.mark.parametrize("fails", FAULTS)
async def test_what_measurements_leave_is_cleared_away_beyond_the_retention(
    fails: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    provider = Littering([1])
    provider.fails = fails
    run = spec(metric(), measurementRetention=[{"metricName": "m", "limit": 2}])
    for taken in range(4):
        status = RunStatus.model_validate({"metricResults": [{"name": "m", "count": taken}]})
        (found,) = await measure(
            [Task(metric=run.metrics[0])], spec=run, status=status, providers={"prometheus": provider}, clock=clock
        )
        assert found.measurement.phase == "Successful"
    assert provider.kept == [(3, 2), (4, 2)]
    assert ("could not clear away" in caplog.text) is bool(fails)
    assert "swordfish" not in caplog.text


@pytest.mark.parametrize("fails", FAULTS)
async def test_a_run_that_is_over_is_swept(fails: Exception | None) -> None:
    provider = Littering([2])
    provider.fails = fails
    status = await judge(run_spec(metric(successCondition="result > 1")), providers={"prometheus": provider})
    assert (status.phase, provider.kept) == ("Successful", [(0, 0)])


async def test_nothing_is_cleared_away_while_a_measurement_goes_on() -> None:
    provider = Littering([1])
    run = spec(metric(), measurementRetention=[{"metricName": "m", "limit": 2}])
    status = RunStatus.model_validate({"metricResults": [{"name": "m", "count": 9}]})
    going_on = Measurement(phase="Running", started_at=START)
    task = Task(metric=run.metrics[0], measurement=going_on)
    await measure([task], spec=run, status=status, providers={"prometheus": provider}, clock=clock)
    assert provider.kept == []


class Reading(Fake):
    """A provider that reads an account, hides more of its own, and tells everything."""

    async def run(self, metric: Metric, *, context: Context) -> Answer | Measurement:
        account = await context.account("acme", shown=("address",))
        context.hide("derived-from-it")
        told = f"{account['address']} {account['token']} derived-from-it"
        if self.answers[0] == "raise":
            raise RuntimeError(told)
        return Answer(result=told, value=told, metadata={"told": told})


@pytest.mark.parametrize("answer", ["give", "raise"])
async def test_what_a_provider_reads_is_hidden(answer: str) -> None:
    async def read(name: str, namespaced: bool) -> Mapping[str, str]:
        return {"address": "https://acme.example", "token": " t0ken-of-acme\n"}

    run = spec(metric(successCondition="result contains 't0ken-of-acme derived'"))
    (found,) = await measure(
        [Task(metric=run.metrics[0])],
        spec=run,
        status=RunStatus(),
        providers={"prometheus": Reading([answer])},
        run=Context(now=START, read_account=read),
        clock=clock,
    )
    assert "t0ken-of-acme" not in repr(found)
    assert "derived-from-it" not in repr(found)
    assert "https://acme.example ***** *****" in repr(found)
    assert found.measurement.phase == ("Error" if answer == "raise" else "Successful")


async def test_keys_nobody_uses_are_neither_given_nor_hidden() -> None:
    async def read(name: str, namespaced: bool) -> Mapping[str, str]:
        return {"token": "t0ken", "note": "a"}

    hidden: list[str] = []
    context = Context(now=START, read_account=read, hide=hidden.append)
    assert await context.account("acme", keys=("token", "region")) == {"token": "t0ken"}
    assert hidden == ["t0ken"]


async def test_without_secrets_there_are_no_accounts() -> None:
    found = await once(Reading(["give"]), metric())
    assert (found.phase, found.message) == ("Error", "secret acme cannot be read here")
