"""What holds for any run: it never measures more than asked, it ends, it decides from its status alone."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.assess import WORSE, assess
from analysis.spec import COMPLETED, RunStatus
from tests.analysis.runs import Driver, metric, spec

LETTERS = st.text(alphabet="SFEI", min_size=40, max_size=40)


@st.composite
def fields(draw: st.DrawFn) -> dict[str, Any]:
    """Fields of a valid metric that has an end."""
    count = draw(st.integers(1, 6))
    successes = draw(st.integers(0, count))
    return {
        "count": count,
        "interval": draw(st.sampled_from(["1s", "15s", "2m"])),
        "initialDelay": draw(st.sampled_from(["0s", "20s"])),
        "consecutiveSuccessLimit": successes,
        "failureLimit": draw(st.integers(-1, count - successes)),
        "inconclusiveLimit": draw(st.integers(0, count)),
        "consecutiveErrorLimit": draw(st.integers(0, 3)),
    }


@settings(max_examples=200, deadline=None)
@given(a=fields(), b=fields(), answers_a=LETTERS, answers_b=LETTERS, dry=st.sampled_from([None, "a", ".*"]))
def test_any_run_ends_within_its_counts(
    a: dict[str, Any], b: dict[str, Any], answers_a: str, answers_b: str, dry: str | None
) -> None:
    run = spec(metric("a", **a), metric("b", **b), dryRun=[{"metricName": dry}] if dry else None)
    driver = Driver(run, a=answers_a, b=answers_b)
    status = driver.run(turns=200)
    assert status.phase in COMPLETED
    for result in status.metric_results or ():
        limits = {"a": a, "b": b}[result.name]
        assert (result.count or 0) <= limits["count"]
        assert (result.consecutive_error or 0) <= limits["consecutiveErrorLimit"] + 1
    deciding = [item.phase for item in status.metric_results or () if not item.dry_run]
    assert status.phase == max(deciding, key=lambda phase: WORSE.index(phase or "Successful"), default="Successful")


@settings(max_examples=100, deadline=None)
@given(a=fields(), answers=LETTERS)
def test_a_restart_after_any_turn_changes_nothing(a: dict[str, Any], answers: str) -> None:
    """What was written is all that is needed: the status goes through the API's JSON after every turn."""
    run = spec(metric("a", **a))
    steady, restarted = Driver(run, a=answers), Driver(run, a=answers)
    for _ in range(60):
        for driver in (steady, restarted):
            look = driver.turn()
            driver.now = look.next_look or driver.now
        restarted.status = RunStatus.model_validate(restarted.status.to_api())
    assert restarted.status.to_api() == steady.status.to_api()
    assert restarted.taken == steady.taken


@settings(max_examples=100, deadline=None)
@given(a=fields(), answers=LETTERS, turns=st.integers(0, 5))
def test_looking_again_changes_nothing(a: dict[str, Any], answers: str, turns: int) -> None:
    driver = Driver(spec(metric("a", **a)), a=answers)
    for _ in range(turns):
        driver.now = driver.turn().next_look or driver.now
    once = assess(spec=driver.spec, status=driver.status, now=driver.now)
    assert assess(spec=driver.spec, status=once.status, now=driver.now) == once
