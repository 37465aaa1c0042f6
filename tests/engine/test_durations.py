"""Releases are counted once, by whoever wrote their end."""

from __future__ import annotations

from typing import Any

from rollouts.engine.durations import Durations
from rollouts.plan import Plan
from tests.engine.objects import rollout

BEGUN = {"rolloutStartedAt": "2026-01-01T00:00:00Z", "manualPauseStartedAt": "2026-01-01T00:00:30Z"}
END = {
    "finishedAt": "2026-01-01T00:02:00Z",
    "completionStatus": "Promoted",
    "manualPauseStartedAt": None,
    "totalManualPauseDurationSeconds": 40,
}


def sums(durations: Durations, status: str = "Promoted") -> dict[str, tuple[float, float]]:
    """Count and sum of each histogram."""
    found: dict[str, dict[str, float]] = {}
    for collector in durations.collectors:
        for family in collector.collect():
            for sample in family.samples:
                if sample.labels.get("status") == status and "le" not in sample.labels:
                    found.setdefault(family.name, {})[sample.name.rsplit("_", 1)[1]] = sample.value
    return {name: (values["count"], values["sum"]) for name, values in found.items()}


def observed(before: Any, patch: Any) -> Durations:
    durations = Durations()
    durations.observe(rollout(status={"duration": before}), Plan(status={"duration": patch} if patch else {}))
    return durations


def test_the_end_of_a_release_is_counted() -> None:
    assert sums(observed(BEGUN, END)) == {
        "rollout_duration_seconds": (1, 120),
        "rollout_progression_duration_seconds": (1, 80),
        "rollout_manual_pause_duration_seconds": (1, 40),
    }


def test_what_is_there_already_is_not() -> None:
    over = {**BEGUN, **END}
    assert sums(observed(over, None)) == {}
    assert sums(observed(over, END)) == {}


def test_a_word_of_somebody_else_makes_no_series_of_its_own() -> None:
    durations = observed({**BEGUN, "completionStatus": "whatever"}, {**END, "completionStatus": "whatever"})
    assert sums(durations, "whatever") == {}
    assert sums(durations, "Unknown")["rollout_duration_seconds"] == (1, 120)


def test_a_status_that_makes_no_sense_counts_nothing() -> None:
    assert sums(observed({"rolloutStartedAt": 7}, END)) == {}
