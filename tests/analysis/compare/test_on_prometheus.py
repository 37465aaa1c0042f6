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
    status, result = await compared(prometheus_url, sides, version="bad")
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
