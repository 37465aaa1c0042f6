"""Comparisons of counts, from the `compare` block to the status of a run: verdicts, words, state, faults."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from analysis.assess import assess, record
from analysis.measure import measure
from analysis.providers import Answer, Context
from analysis.providers.base import ProviderError
from analysis.spec import MetricResult, RunSpec, RunStatus
from analysis.spec.compare import STATE
from tests.analysis.runs import START, metric, spec

QUERIES = {
    "canary": {"errors": "canary errors $window", "total": "canary total $window"},
    "stable": {"errors": "stable errors $window", "total": "stable total $window"},
}
Numbers = Mapping[str, Any]


class Counter:
    """A provider that answers `canary errors 60s` with what it is told for `canary errors`."""

    def __init__(self, numbers: Numbers | Callable[[int], Numbers]) -> None:
        self.numbers = numbers if callable(numbers) else lambda look: numbers
        self.asked: list[str] = []

    async def run(self, metric: Any, *, context: Context) -> Answer:
        text = metric.provider.prometheus.query
        self.asked.append(text)
        found = self.numbers(context.number).get(text.rsplit(" ", 1)[0], [])
        if isinstance(found, Exception):
            raise found
        return Answer(result=found, value=str(found))

    def metadata(self, metric: Any) -> dict[str, str]:
        return {}

    async def close(self) -> None:
        """Nothing to let go of."""


class Run:
    """A run carried through on a clock that is turned by hand; each look goes through JSON, as in the cluster."""

    def __init__(self, *metrics: Any, **fields: Any) -> None:
        self.spec: RunSpec = spec(*metrics, **fields)
        self.status = RunStatus()
        self.now: datetime = START
        self.weights: Callable[[int], float | None] = lambda look: None
        self.by_pods = False

    async def to_the_end(self, provider: Counter, *, looks: int = 100) -> RunStatus:
        """Until it is over, or so many looks were taken."""
        for number in range(1, looks + 1):
            look = assess(spec=self.spec, status=self.status, now=self.now)
            found = await measure(
                look.due,
                spec=self.spec,
                status=look.status,
                providers={"prometheus": provider},
                run=Context(now=self.now, weight=self.weights(number), by_pods=self.by_pods),
                clock=lambda: self.now,
            )
            self.status = record(spec=self.spec, status=look.status, measured=found)
            self.status = RunStatus.model_validate_json(self.status.model_dump_json(by_alias=True, exclude_none=True))
            look = assess(spec=self.spec, status=self.status, now=self.now)
            self.status = look.status
            if look.next_look is None:
                break
            self.now = look.next_look
        return self.status

    @property
    def result(self) -> MetricResult:
        """What has been found about the first metric."""
        assert self.status.metric_results
        return self.status.metric_results[0]

    @property
    def last(self) -> Any:
        """The last measurement of the first metric."""
        assert self.result.measurements
        return self.result.measurements[-1]


def comparison(name: str = "errors", *, count: int | None = 20, **fields: Any) -> Any:
    return metric(
        name=name,
        interval="60s",
        **({"count": count} if count else {}),
        provider={"prometheus": {"address": "http://p:9090"}},
        compare={**QUERIES, **fields},
    )


GOOD = {"canary errors": [2.0], "canary total": [200.0], "stable errors": [8.0], "stable total": [800.0]}
BAD = {**GOOD, "canary errors": [12.0]}


async def test_a_good_canary() -> None:
    run = Run(comparison())
    status = await run.to_the_end(Counter(GOOD))
    assert (status.phase, run.result.successful, run.result.count) == ("Successful", 20, 20)
    assert run.last.metadata["verdict"] == "no worse"
    assert run.last.metadata["canary"] == "40 of 4000 (1 %)"
    assert run.last.metadata["stable"] == "160 of 16000 (1 %)"
    assert run.last.value == "1"


async def test_a_bad_canary_ends_the_run_early_and_says_why() -> None:
    run = Run(comparison())
    status = await run.to_the_end(Counter(BAD))
    assert status.phase == "Failed"
    assert (run.result.count or 0) < 10
    assert re.fullmatch(
        r'Metric "errors" assessed Failed due to failed \(1\) > failureLimit \(0\): "Error Message: the canary fails '
        r"6 times as often as stable, at least 1\.\S* times: \d+ of \d+ \(6 %\) against \d+ of \d+ \(1 %\)\"",
        status.message or "",
    )
    notes = run.last.metadata
    assert set(notes) == {"verdict", "ratio", "canary", "stable", "evidence", "sample"}
    assert re.fullmatch(r"\S+, alarm at 20", notes["evidence"])
    assert re.fullmatch(r"\d+ requests, worth \d+ independent ones", notes["sample"])
    assert all(len(text) < 80 for text in notes.values())


async def test_no_errors_on_stable() -> None:
    run = Run(comparison())
    assert (await run.to_the_end(Counter({**BAD, "stable errors": []}))).phase == "Failed"


async def test_no_errors_at_all() -> None:
    run = Run(comparison())
    silent = {**GOOD, "canary errors": [], "stable errors": []}
    assert (await run.to_the_end(Counter(silent))).phase == "Successful"
    assert run.last.value is None
    assert "ratio" not in run.last.metadata
    assert "check the errors queries" in run.last.metadata["note"]


async def test_too_little_data_waits_and_breaks_no_limit() -> None:
    run = Run(comparison(count=3))
    quiet = {"canary total": [20.0], "stable total": [80.0]}
    status = await run.to_the_end(Counter(quiet))
    assert (run.result.count, run.result.inconclusive, run.result.failed) == (3, None, None)
    assert status.phase == "Inconclusive"
    assert status.message == (
        'Metric "errors" assessed Inconclusive due to too little data at the end: "Error Message: '
        'the canary has had 60 requests, stable 240: each side needs 100"'
    )


async def test_too_little_data_at_first_is_made_good_later() -> None:
    run = Run(comparison(count=30))
    status = await run.to_the_end(Counter({key: [value[0] / 10] for key, value in GOOD.items()}))
    assert (status.phase, run.result.inconclusive) == ("Successful", None)
    assert run.result.successful == 26  # the first 4 looks have 20, 40, 60, 80 requests of the canary


async def test_a_run_that_is_ended_with_too_little_data_is_inconclusive() -> None:
    run = Run(comparison(count=None))
    await run.to_the_end(Counter({"canary total": [1.0]}), looks=3)
    run.spec = run.spec.model_copy(update={"terminate": True})
    assert assess(spec=run.spec, status=run.status, now=run.now).status.phase == "Inconclusive"


async def test_an_ended_run_with_enough_data_is_successful() -> None:
    run = Run(comparison(count=None))
    await run.to_the_end(Counter(GOOD), looks=3)
    run.spec = run.spec.model_copy(update={"terminate": True})
    assert assess(spec=run.spec, status=run.status, now=run.now).status.phase == "Successful"


async def test_the_router_did_not_apply_the_weight() -> None:
    run = Run(comparison(weight="{{args.weight}}"), args=[{"name": "weight", "value": "50"}])
    status = await run.to_the_end(Counter(GOOD))
    assert status.phase == "Inconclusive"
    assert run.last.metadata["verdict"] == "weight not applied"
    assert "the router did not apply the weight: the canary got 20 % of" in (status.message or "")
    assert "where 50 % was asked for; nothing is said against the canary" in (status.message or "")


async def test_a_canary_that_gets_nothing_is_the_router_s_fault() -> None:
    run = Run(comparison(weight=20))
    status = await run.to_the_end(Counter({"stable total": [1000.0], "stable errors": [10.0]}))
    assert (status.phase, run.last.metadata["verdict"]) == ("Inconclusive", "weight not applied")


async def test_a_bad_canary_is_failed_whatever_the_router_did() -> None:
    """Shown by one look, as is that the canary got a twentieth instead of half."""
    run = Run(comparison(weight=50))
    bad = {"canary errors": [800.0], "canary total": [1000.0], "stable errors": [200.0], "stable total": [19_000.0]}
    status = await run.to_the_end(Counter(bad))
    assert (status.phase, run.last.metadata["verdict"]) == ("Failed", "worse")
    assert run.last.metadata["share"] == "5 % of requests, weight 50 %"


def sharing(*shares: float) -> Counter:
    """A canary that gets these shares of 1000 requests a look, the last one from then on; 1 % of all fail."""

    def numbers(look: int) -> Numbers:
        share = shares[min(look, len(shares)) - 1]
        canary, stable = 1000 * share, 1000 * (1 - share)
        return {
            "canary errors": [canary / 100],
            "canary total": [canary],
            "stable errors": [stable / 100],
            "stable total": [stable],
        }

    return Counter(numbers)


RISING = (*[0.05] * 7, 0.12, *[0.2] * 7, 0.35, *[0.5] * 30)
"""A release from 5 to 20 to 50 %; each change in the middle of a look."""


def rising(look: int) -> float:
    return 0.05 if look < 8 else 0.2 if look < 16 else 0.5


async def test_the_weight_of_a_background_run_is_followed() -> None:
    run = Run(comparison(weight="Current", count=40))
    run.weights = rising
    status = await run.to_the_end(sharing(*RISING))
    assert status.phase == "Successful", run.last
    assert run.last.metadata["share"] == "50 % of requests, weight 50 %"  # each weight is a question of its own


@pytest.mark.parametrize("fixed", [5, 50])
async def test_a_fixed_weight_does_not_fit_a_background_run(fixed: int) -> None:
    """What the name Current is there for: the same traffic, held against one of the weights."""
    run = Run(comparison(weight=fixed, count=40))
    assert (await run.to_the_end(sharing(*RISING))).phase == "Inconclusive"
    assert run.last.metadata["verdict"] == "weight not applied"


async def test_a_router_that_stays_behind_is_told() -> None:
    run = Run(comparison(weight="Current", count=40))
    run.weights = rising
    assert (await run.to_the_end(sharing(*[0.05] * 7, 0.2))).phase == "Inconclusive"
    assert run.last.metadata["verdict"] == "weight not applied"


@pytest.mark.parametrize(("weight", "told"), [("Current", "20 % of ready pods"), (20, "weight 20 %")])
async def test_without_a_router_pods_are_spoken_of(weight: Any, told: str) -> None:
    """A number is what somebody asked for, whatever the pods."""
    run = Run(comparison(weight=weight, count=20))
    run.weights, run.by_pods = lambda look: 0.2, True
    assert (await run.to_the_end(sharing(0.2))).phase == "Successful"
    assert run.last.metadata["share"] == f"20 % of requests, {told}"


async def test_requests_that_do_not_follow_the_pods() -> None:
    run = Run(comparison(weight="Current", count=40))
    run.weights, run.by_pods = lambda look: 0.2, True
    status = await run.to_the_end(sharing(0.01))
    assert (status.phase, run.last.metadata["verdict"]) == ("Inconclusive", "weight not applied")
    assert "requests do not follow the pods: the canary got 1 % of" in run.last.message
    assert "requests where 20 % of the ready pods are its own" in run.last.message


async def test_looks_within_which_the_weight_changed_tell_nothing() -> None:
    """Also the first one, which spans time before the run."""
    run = Run(comparison(weight="Current", count=40))
    run.weights = lambda look: 0.2 if look % 2 else 0.5
    assert (await run.to_the_end(sharing(0.9))).phase == "Successful"
    assert "share" not in run.last.metadata


async def test_nobody_knows_the_current_weight() -> None:
    run = Run(comparison(weight="Current"))
    assert (await run.to_the_end(sharing(0.9))).phase == "Successful"
    assert "share" not in run.last.metadata


async def test_the_weight_is_applied() -> None:
    run = Run(comparison(weight=20))
    assert (await run.to_the_end(Counter(GOOD))).phase == "Successful"
    assert run.last.metadata["share"] == "20 % of requests, weight 20 %"


async def test_success_may_be_asked_to_be_proven() -> None:
    run = Run(comparison(count=300, provenIncrease=200))
    run.spec = spec(run.spec.metrics[0].model_copy(update={"consecutive_success_limit": 1}))
    status = await run.to_the_end(Counter(GOOD), looks=300)
    assert status.phase == "Successful"
    assert (run.result.inconclusive, run.result.successful) == (None, 1)
    assert (run.result.count or 0) > 3
    upper = float(re.search(r"to (\S+)\)", run.last.metadata["ratio"])[1])  # type: ignore[index]
    assert upper <= 3


async def test_windows_lie_side_by_side_whatever_fails_in_between() -> None:
    def numbers(look: int) -> Numbers:
        return {"canary total": ProviderError("down")} if look in (2, 3) else GOOD

    provider = Counter(numbers)
    run = Run(comparison(count=3))
    await run.to_the_end(provider)
    spans = [
        int(text.rsplit(" ", 1)[1].removesuffix("s")) for text in provider.asked if text.startswith("canary total")
    ]
    assert spans == [60, 60, 70, 80, 60]
    assert (run.result.error, run.result.count) == (2, 3)
    assert run.last.metadata["canary"] == "6 of 600 (1 %)"


async def test_the_state_survives_any_retention() -> None:
    run = Run(comparison(), measurementRetention=[{"metricName": ".*", "limit": 1}])
    await run.to_the_end(Counter(GOOD))
    assert run.last.metadata["canary"] == "40 of 4000 (1 %)"
    assert len((run.result.metadata or {})[STATE]) < 2500


async def test_the_promise_is_divided_among_the_comparisons_of_a_run() -> None:
    run = Run(comparison("one"), comparison("two"), metric(name="plain", successCondition="true"))
    await run.to_the_end(Counter({**GOOD, "plain": 1.0}), looks=3)
    assert run.last.metadata["evidence"].endswith("alarm at 40")


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"canary total": [1.0, 2.0]}, r"compare\.canary\.total: the query gave 2 series where one is needed"),
        ({"stable errors": [float("nan")]}, r"compare\.stable\.errors: the query gave nan, which cannot be judged"),
        ({"stable errors": [-1.0]}, r"gave -1, which is no count: use increase"),
        ({"canary errors": "many"}, r"must give a number, not 'many'"),
        ({"canary errors": [1000.0]}, r"compare\.canary: 1000 errors in 200 requests: does total count the same"),
        ({"canary total": ProviderError("no answer")}, "no answer"),
    ],
)
async def test_what_cannot_be_judged_is_an_error_and_never_passes(numbers: dict[str, Any], said: str) -> None:
    run = Run(comparison())
    status = await run.to_the_end(Counter({**GOOD, **numbers}))
    assert status.phase == "Error"
    assert re.search(said, run.last.message)
    assert STATE not in (run.result.metadata or {})


async def test_a_state_somebody_has_changed_is_an_error() -> None:
    run = Run(comparison())
    await run.to_the_end(Counter(GOOD), looks=2)
    changed = run.result.model_copy(update={"metadata": {STATE: "{}"}})
    run.status = run.status.model_copy(update={"metric_results": [changed]})
    await run.to_the_end(Counter(GOOD), looks=1)
    assert "somebody else has changed it; begin a new run" in run.last.message


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"allowedIncrease": "much"}, '.compare.allowedIncrease must be a number, not "much"'),
        ({"falseAlarms": 0}, ".compare.falseAlarms must be more than 0 and at most 50, not 0"),
        ({"weight": "current"}, '.compare.weight must be a number or Current, not "current"'),
        ({"weight": 101}, ".compare.weight must be 0 or more and at most 100, not 101"),
        ({"provenIncrease": 5}, ".compare.provenIncrease must not be less than allowedIncrease"),
        ({"canary": {"total": "x"}}, ".compare.canary.errors is required"),
        ({"stable": None}, ".compare.stable is required"),
        ({"threshold": "1s"}, ".compare.threshold is not used by judge Sequential"),
        ({"threshold": "soon"}, ".compare.threshold invalid duration"),
    ],
)
def test_faults_are_found_before_anything_is_measured(fields: dict[str, Any], said: str) -> None:
    run = Run(comparison(**fields))
    status = assess(spec=run.spec, status=run.status, now=START + timedelta(0)).status
    assert status.phase == "Error"
    assert f"metrics[0]{said}" in (status.message or "")


def test_conditions_and_comparisons_do_not_go_together() -> None:
    both = metric(provider={"prometheus": {}}, successCondition="true", compare=QUERIES)
    status = assess(spec=spec(both), status=RunStatus(), now=START).status
    assert "metrics[0].compare judges by itself: leave out successCondition" in (status.message or "")


def test_a_provider_without_queries_cannot_be_compared() -> None:
    status = assess(
        spec=spec(metric(provider={"web": {"url": "http://x"}}, compare=QUERIES)), status=RunStatus(), now=START
    ).status
    assert "provider web takes no query" in (status.message or "")
