"""What clients show in the place of a phase that speaks of an older spec: in the order in which the peer looks."""

from typing import Any

import pytest

from rollouts.cli import phase
from rollouts.cli.world import JSON

UNPAUSING = {"controllerPause": True}
BEHIND = {"observedGeneration": "1"}
WORKLOAD_BEHIND = {"workloadObservedGeneration": "6"}


def rollout(**status: Any) -> JSON:
    plain = {"phase": "Paused", "observedGeneration": "2", "workloadObservedGeneration": "7", "message": "because"}
    return {
        "metadata": {"name": "app", "generation": 2, "annotations": {phase.WORKLOAD_GENERATION: "7"}},
        "spec": {"workloadRef": {"kind": "Deployment", "name": "app"}},
        "status": plain | status,
    }


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (BEHIND | UNPAUSING | WORKLOAD_BEHIND, phase.NOT_OBSERVED),
        (UNPAUSING | WORKLOAD_BEHIND, phase.NOT_UNPAUSED),
        (WORKLOAD_BEHIND, phase.WORKLOAD_NOT_OBSERVED),
    ],
)
def test_the_first_that_applies(status: dict[str, Any], message: str) -> None:
    assert phase.phase_of(rollout(**status)) == ("Progressing", message)


def test_a_pause_that_goes_on_and_a_generation_of_long_ago_are_told_as_they_are() -> None:
    waiting = {"pauseConditions": [{"reason": "CanaryPauseStep", "startTime": "2026-01-01T00:00:00Z"}]}
    assert phase.phase_of(rollout(**UNPAUSING, **waiting)) == ("Paused", "because")
    assert phase.phase_of(rollout(observedGeneration="5f6c7d")) == ("Paused", "because")
