"""Comparisons end to end: a real Prometheus whose counters move, a good canary and a bad one."""

from __future__ import annotations

from typing import Any

import pytest

from analysis.measure import judge, run_spec
from analysis.spec import MetricResult, RunStatus
from tests.analysis.runs import metric


def queries(version: str) -> dict[str, str]:
    return {
        "errors": f'sum(increase(http_requests_total{{version="{version}",code=~"5.."}}[$window]))',
        "total": f'sum(increase(http_requests_total{{version="{version}"}}[$window]))',
    }


async def compared(url: str, compare: dict[str, Any], *, count: int = 3, **args: str) -> tuple[RunStatus, MetricResult]:
    found = metric(name="m", interval="2s", count=count, provider={"prometheus": {"address": url}}, compare=compare)
    status = await judge(run_spec(found, args=args))
    assert status.metric_results
    return status, status.metric_results[0]


async def test_a_bad_canary(prometheus_url: str) -> None:
    sides = {"canary": queries("{{args.version}}"), "stable": queries("stable")}
    status, result = await compared(prometheus_url, sides, count=6, version="bad")
    assert status.phase == "Failed"
    assert "times as often as stable, at least" in (status.message or "")
    assert result.measurements
    notes = result.measurements[-1].metadata or {}
    assert notes["verdict"] == "worse"
    assert 4 < float(result.measurements[-1].value or 0) < 25  # 10, as well as a scrape now and then can tell
    assert set(notes) >= {"canary", "stable", "evidence", "sample", "ratio"}


@pytest.mark.parametrize(
    ("weight", "phase", "verdict"),
    [(20, "Successful", "no worse"), (80, "Inconclusive", "weight not applied")],
)
async def test_a_good_canary(prometheus_url: str, weight: int, phase: str, verdict: str) -> None:
    sides = {"canary": queries("good"), "stable": queries("stable"), "weight": weight}
    status, result = await compared(prometheus_url, sides)
    assert status.phase == phase
    assert result.measurements
    assert (result.measurements[-1].metadata or {})["verdict"] == verdict


async def test_a_canary_nobody_asks(prometheus_url: str) -> None:
    status, _ = await compared(prometheus_url, {"canary": queries("none"), "stable": queries("stable")}, count=1)
    assert status.phase == "Inconclusive"
    assert "the canary has had 0 requests" in (status.message or "")


def histogram(version: str) -> dict[str, str]:
    series = f'http_request_duration_seconds_bucket{{version="{version}"}}'
    return {"buckets": f"sum by (le) (increase({series}[$window]))"}


@pytest.mark.parametrize(("version", "phase"), [("good", "Successful"), ("bad", "Failed")])
async def test_latency(prometheus_url: str, version: str, phase: str) -> None:
    sides = {"judge": "Latency", "canary": histogram(version), "stable": histogram("stable")}
    status, result = await compared(prometheus_url, sides, count=6)
    assert status.phase == phase
    assert result.measurements
    notes = result.measurements[-1].metadata or {}
    assert "over 0.5s" in notes
    if phase == "Failed":
        assert " of the canary's requests take longer than " in (status.message or "")


async def test_one_threshold(prometheus_url: str) -> None:
    sides = {"judge": "Latency", "threshold": "500ms", "canary": histogram("bad"), "stable": histogram("stable")}
    status, _ = await compared(prometheus_url, sides, count=6)
    assert "take longer than 0.5 s" in (status.message or "")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("sum(http_request_duration_seconds_bucket)", "must give a series by le"),
        ("http_request_duration_seconds_bucket", "several series have the same le"),
    ],
)
async def test_what_is_no_histogram(prometheus_url: str, query: str, said: str) -> None:
    sides = {"judge": "Latency", "canary": {"buckets": query}, "stable": {"buckets": query}}
    _, result = await compared_once(prometheus_url, sides)
    assert result.measurements
    assert said in (result.measurements[-1].message or "")


async def compared_once(url: str, compare: dict[str, Any]) -> tuple[RunStatus, MetricResult]:
    found = metric(name="m", provider={"prometheus": {"address": url}}, compare=compare, consecutiveErrorLimit=0)
    status = await judge(run_spec(found))
    assert status.metric_results
    return status, status.metric_results[0]


async def test_a_score(prometheus_url: str) -> None:
    def rate(version: str) -> str:
        return f'sum(rate(http_requests_total{{version="{version}",code="500"}}[2s])) or vector(0)'

    times = {"start": 'now() - duration("4s")', "end": "now()", "step": "1s"}
    names = ("bad", "good")
    metrics = [{"name": name, "canary": rate(name), "stable": rate(name), "groups": ["errors"]} for name in names]
    found = metric(
        provider={"prometheus": {"address": prometheus_url, "rangeQuery": times}},
        compare={"judge": "Kayenta", "minimum": 3, "metrics": metrics},
    )
    status = await judge(run_spec(found))
    assert status.metric_results
    assert (status.phase, status.metric_results[0].measurements[0].value) == ("Successful", "100")  # type: ignore[index]
