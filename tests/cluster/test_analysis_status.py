"""What the status of an AnalysisRun says: counts, summaries, limits, dry runs, history, arguments, expiry."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

import pytest

from deploy.local.prometheus import Prometheus
from rollouts.api import kinds
from tests.cluster.space import JSON, Space
from tests.cluster.test_analysis_runs import ended

pytestmark = pytest.mark.usefixtures("controller")
OFTEN = {"interval": "200ms"}


def metric(prometheus: Prometheus, query: str = "vector(1)", name: str = "rate", **fields: Any) -> JSON:
    """Good from 0.9, bad below 0.1, in between inconclusive."""
    conditions = {"successCondition": "result[0] >= 0.9", "failureCondition": "result[0] < 0.1"}
    provider = {"prometheus": {"address": prometheus.url, "query": query}}
    return {"name": name, **conditions, **fields, "provider": provider}


def run(*metrics: JSON, name: str = "run", **spec: Any) -> JSON:
    head = {"apiVersion": kinds.ANALYSIS_RUN.api_version, "kind": "AnalysisRun", "metadata": {"name": name}}
    return {**head, "spec": {"metrics": list(metrics), **spec}}


def results(status: JSON) -> dict[str, JSON]:
    return {result["name"]: result for result in status["metricResults"]}


def test_everything_a_finished_run_tells(space: Space, prometheus: Prometheus) -> None:
    space.create(run(metric(prometheus), metric(prometheus, "vector(0)", name="trial"), dryRun=[{"metricName": "tri"}]))
    status = ended(space)
    assert (status["phase"], status.get("message")) == ("Successful", None)
    assert status["runSummary"] == {"count": 1, "successful": 1}
    assert status["dryRunSummary"] == {"count": 1, "failed": 1}
    rate, trial = (results(status)[name] for name in ("rate", "trial"))
    (measurement,) = rate.pop("measurements")
    assert rate == {
        "name": "rate",
        "phase": "Successful",
        "count": 1,
        "successful": 1,
        "consecutiveSuccess": 1,
        "metadata": {"ResolvedPrometheusQuery": "vector(1)"},
    }
    moments = [measurement.pop("startedAt"), measurement.pop("finishedAt"), status["completedAt"]]
    assert measurement == {"phase": "Successful", "value": "[1]"}
    read = [datetime.fromisoformat(moment) for moment in (status["startedAt"], *moments)]
    assert read == sorted(read)
    assert (trial["phase"], trial["dryRun"], trial["failed"]) == ("Failed", True, 1)
    assert trial["message"] == "Metric assessed Failed due to failed (1) > failureLimit (0)"


#: what the metric is told, and what comes of it: phase, counters, words of the run's message
LIMITS: dict[str, tuple[JSON, str, JSON, str]] = {
    "failures tolerated without end": (
        {"query": "vector(0)", "count": 3, "failureLimit": -1},
        "Successful",
        {"count": 3, "failed": 3},
        "",
    ),
    "successes in a row": (
        {"query": "vector(1)", "consecutiveSuccessLimit": 2},
        "Successful",
        {"count": 2, "successful": 2, "consecutiveSuccess": 2},
        "",
    ),
    "inconclusive": (
        {"query": "vector(0.5)", "count": 3, "inconclusiveLimit": 1},
        "Inconclusive",
        {"count": 2, "inconclusive": 2},
        "inconclusive (2) > inconclusiveLimit (1)",
    ),
    "errors": (
        {"query": "sum(", "count": 3, "consecutiveErrorLimit": 0},
        "Error",
        {"error": 1, "consecutiveError": 1},
        "consecutiveErrors (1) > consecutiveErrorLimit (0)",
    ),
    "numbers of arguments": (
        {"query": "vector(0)", "count": "{{args.times}}", "failureLimit": "{{args.most}}"},
        "Failed",
        {"count": 2, "failed": 2},
        "failed (2) > failureLimit (1)",
    ),
}


def test_limits(space: Space, prometheus: Prometheus) -> None:
    """All at once, each in a run of its own."""
    args = [{"name": "times", "value": "3"}, {"name": "most", "value": "1"}]
    for number, (fields, *_) in enumerate(LIMITS.values()):
        space.create(run(metric(prometheus, **OFTEN, **fields), name=f"run-{number}", args=args))
    for number, (what, (_, phase, counted, words)) in enumerate(LIMITS.items()):
        status = ended(space, f"run-{number}")
        result = results(status)["rate"]
        assert (status["phase"], result["phase"]) == (phase, phase), what
        assert {key: result[key] for key in counted} == counted, what
        assert words in status.get("message", ""), what


def test_one_bad_metric_ends_the_others(space: Space, prometheus: Prometheus) -> None:
    bad = metric(prometheus, "vector(0)", name="bad", initialDelay="1s")
    space.create(run(metric(prometheus, **OFTEN), bad))
    status = ended(space)
    assert (status["phase"], results(status)["rate"]["phase"]) == ("Failed", "Successful")
    assert status["runSummary"] == {"count": 2, "successful": 1, "failed": 1}
    started, measured = status["startedAt"], results(status)["bad"]["measurements"][0]["startedAt"]
    assert (datetime.fromisoformat(measured) - datetime.fromisoformat(started)).total_seconds() >= 1


@pytest.mark.parametrize(("retention", "kept"), [([], 10), ([{"metricName": "ra.e", "limit": 3}], 3)])
def test_how_many_measurements_are_kept(space: Space, prometheus: Prometheus, retention: list[JSON], kept: int) -> None:
    space.create(run(metric(prometheus, count=12, **OFTEN), measurementRetention=retention))
    result = results(ended(space))["rate"]
    assert (result["count"], result["successful"], len(result["measurements"])) == (12, 12, kept)


@pytest.mark.parametrize(
    ("query", "strategy"),
    [("vector(1)", "secondsAfterSuccess"), ("vector(0)", "secondsAfterFailure")],
)
def test_a_run_deletes_itself_by_how_it_ended(space: Space, prometheus: Prometheus, query: str, strategy: str) -> None:
    """The time for the other end is of no account."""
    other = {"secondsAfterSuccess": "secondsAfterFailure", "secondsAfterFailure": "secondsAfterSuccess"}[strategy]
    space.create(run(metric(prometheus, query), ttlStrategy={strategy: 0, other: 3600}))
    space.create(run(metric(prometheus, query), name="stays", ttlStrategy={strategy: 3600, other: 0}))
    space.until_gone(kinds.ANALYSIS_RUN, "run")
    assert ended(space, "stays")["completedAt"]


def test_a_secret_argument_is_used_and_hidden(space: Space, prometheus: Prometheus) -> None:
    data = {"number": base64.b64encode(b"4711").decode()}
    space.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "keys"}, "data": data})
    secret = {"name": "number", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "number"}}}
    asked = metric(prometheus, "vector({{args.number}})", successCondition="result[0] == {{args.number}}")
    space.create(run(asked, args=[secret, {"name": "plain", "value": "x"}]))
    status = ended(space)
    assert (status["phase"], results(status)["rate"]["measurements"][0]["value"]) == ("Successful", "[*****]")
    assert "4711" not in str(space.get(kinds.ANALYSIS_RUN, "run")) + space.events.text()
