"""Runs judged by a score over metrics of any judge: groups, weights, critical metrics, marks."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.assess import assess
from analysis.measure import judge, run_spec
from analysis.rules import RuleError, check_run
from analysis.spec import RunSpec, RunStatus
from tests.analysis.runs import START, Driver, metric, spec


def scored(*, score: dict[str, Any] | None = None, **metrics: dict[str, Any]) -> RunSpec:
    """A run with a score; metrics by name with their fields."""
    return spec(*(metric(name=name, **fields) for name, fields in metrics.items()), score=score or {})


E: dict[str, Any] = {"groups": ["errors"]}
L: dict[str, Any] = {"groups": ["latency"]}
CRITICAL: dict[str, Any] = {"a": {"critical": True}, "b": {}}
LOW = {"passScore": 10, "marginalScore": 0}
WEIGHTS = {"groupWeights": {"errors": 60, "latency": 40}, "passScore": 90, "marginalScore": 50}


@pytest.mark.parametrize(
    ("score", "metrics", "letters", "phase", "message"),
    [
        # each metric a group of its own, all the same weight
        ({}, {"a": {}, "b": {}}, {"a": "S", "b": "S"}, "Successful", "score 100 (pass 95, marginal 75)"),
        ({}, {"a": {}, "b": {}}, {"a": "S", "b": "F"}, "Failed", "score 50 (pass 95, marginal 75): b is Failed"),
        ({"marginalScore": 50}, {"a": {}, "b": {}}, {"a": "S", "b": "F"}, "Inconclusive", "score 50"),
        ({"passScore": 50, "marginalScore": 20}, {"a": {}, "b": {}}, {"a": "S", "b": "F"}, "Successful", "b is Failed"),
        # what was not understood has not passed
        ({"marginalScore": 50}, {"a": {}, "b": {}}, {"a": "S", "b": "EEEEE"}, "Inconclusive", "b is Error"),
        # latency 1 of 2: 60 + 20
        (WEIGHTS, {"a": E, "b": L, "c": L}, {"a": "S", "b": "F", "c": "S"}, "Inconclusive", "score 80"),
        (WEIGHTS, {"a": E, "b": L, "c": L}, {"a": "F", "b": "S", "c": "S"}, "Failed", "score 40"),
        # an Inconclusive metric counts neither way, but a group of which nothing is known does not pass
        (WEIGHTS, {"a": E, "b": L, "c": L}, {"a": "S", "b": "I", "c": "S"}, "Successful", "score 100"),
        (WEIGHTS, {"a": E, "b": E, "c": L}, {"a": "S", "b": "S", "c": "I"}, "Inconclusive", "known of latency"),
        ({}, {"a": {}, "b": {}}, {"a": "S", "b": "I"}, "Inconclusive", "no score: 1 of 2 metrics are Inconclusive (b)"),
        # a critical metric alone decides
        (LOW, CRITICAL, {"a": "F", "b": "S"}, "Failed", 'Metric "a" assessed Failed'),
        (LOW, CRITICAL, {"a": "EEEEE", "b": "S"}, "Error", 'Metric "a" assessed Error'),
        (LOW, CRITICAL, {"a": "I", "b": "S"}, "Inconclusive", 'Metric "a" assessed Inconclusive'),
    ],
)  # fmt: skip
def test_the_verdict(
    score: dict[str, Any], metrics: dict[str, Any], letters: dict[str, str], phase: str, message: str
) -> None:
    status = Driver(scored(score=score, **metrics), **letters).run()
    assert (status.phase, message in (status.message or "")) == (phase, True), status.message


LONG: dict[str, Any] = {"interval": "10s", "count": 10}


def test_a_failed_metric_lets_the_others_go_on() -> None:
    driver = Driver(scored(score={"passScore": 50, "marginalScore": 20}, a=LONG, b=LONG), a="F", b="S" * 10)
    assert driver.run().phase == "Successful"
    assert len([name for _, name in driver.taken if name == "b"]) == 10


def test_a_score_that_is_lost_ends_the_run_at_once() -> None:
    driver = Driver(scored(score={"passScore": 90, "marginalScore": 60}, a=LONG, b=LONG), a="F", b="S" * 10)
    status = driver.run()
    assert (status.phase, status.message) == ("Failed", "score 50 (pass 90, marginal 60): a is Failed")
    assert len([name for _, name in driver.taken if name == "b"]) == 1


def test_metrics_in_dry_run_do_not_count() -> None:
    run = spec(metric(name="a"), metric(name="b", critical=True), score={}, dryRun=[{"metricName": "b"}])
    status = Driver(run, a="S", b="F").run()
    assert (status.phase, status.message) == ("Successful", "score 100 (pass 95, marginal 75)")


def test_a_run_that_is_ended() -> None:
    run = scored(a={"interval": "10s"}, b={"initialDelay": "1h"})
    begun = assess(spec=run, status=RunStatus(), now=START).status
    ended = assess(spec=run.model_copy(update={"terminate": True}), status=begun, now=START).status
    assert (ended.phase, ended.message) == ("Successful", "Run Terminated")


@pytest.mark.parametrize(
    ("score", "message"),
    [
        ({"passScore": 50}, "score.marginalScore must be between 0 and passScore (50)"),
        ({"passScore": 101}, "score.marginalScore must be between 0 and passScore (101)"),
        ({"groupWeights": {"x": 10}}, "score.groupWeights.x is the group of no metric"),
        ({"groupWeights": {"errors": 60, "b": 60}}, "score.groupWeights must add up to 100, not 120"),
    ],
)
def test_faulty_scores(score: dict[str, Any], message: str) -> None:
    with pytest.raises(RuleError) as caught:
        check_run(scored(score=score, a=E, b={}))
    assert message in str(caught.value)


async def test_metrics_of_several_judges(prometheus_url: str) -> None:
    """A sequential comparison, one by ranks, one of a histogram and a plain condition, on a real Prometheus."""

    def counts(version: str) -> dict[str, str]:
        return {"errors": _increase(version, ',code=~"5.."'), "total": _increase(version, "")}

    provider = {"prometheus": {"address": prometheus_url}}
    errors = {"canary": counts("bad"), "stable": counts("stable")}
    good = {"canary": counts("good"), "stable": counts("stable")}
    same = {"query": "sum(weight)"}
    weight = {"judge": "MannWhitney", "minimum": 2, "canary": same, "stable": same}
    plain = {"prometheus": {"address": prometheus_url, "query": "sum(weight)"}}
    often = {"interval": "1s", "count": 6, "provider": provider}
    metrics = [
        {"name": "bad-errors", "groups": ["errors"], "compare": errors, **often},
        {"name": "good-errors", "groups": ["errors"], "compare": good, **often},
        {"name": "weight", "groups": ["size"], "compare": weight, **often},
        {"name": "plain", "groups": ["size"], "successCondition": "result[0] == 6", "provider": plain},
    ]
    asked = {"passScore": 90, "marginalScore": 60, "groupWeights": {"errors": 50, "size": 50}}
    run = RunSpec.model_validate({**run_spec(*metrics).to_api(), "score": asked})
    status = await judge(run)
    assert (status.phase, status.message) == ("Inconclusive", "score 75 (pass 90, marginal 60): bad-errors is Failed")


def _increase(version: str, more: str) -> str:
    return f'sum(increase(http_requests_total{{version="{version}"{more}}}[$window]))'
