"""Which AnalysisRuns go when there are too many."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.strategy import runs
from rollouts.strategy.snapshot import Run


def run(revision: int, *, second: int = 0, phase: str = "Successful", name: str = "") -> Run:
    annotations = {"rollout.argoproj.io/revision": str(revision)}
    return Run.of(
        {
            "metadata": {
                "name": name or f"app-{'zyxwv'[revision % 5]}-{revision}",
                "labels": {"rollouts-pod-template-hash": "h"},
                "annotations": annotations,
                "creationTimestamp": f"2026-01-01T00:00:{second:02}Z",
            },
            "status": {"phase": phase},
        }
    )


@pytest.mark.parametrize(
    ("history", "limits", "gone"),
    [
        ([run(1, second=1), run(2, second=2), run(3, second=3)], (2, 5), [1]),
        ([run(3, second=1), run(1, second=3)], (1, 5), [3]),
        # created in the same second: names are hashes and say nothing
        ([run(2), run(3), run(4), run(5)], (2, 5), [2, 3]),
        ([run(9), run(10), run(11)], (1, 5), [9, 10]),
        # good and bad are counted apart
        ([run(1), run(2, phase="Failed"), run(3), run(4, phase="Error")], (1, 1), [1, 2]),
        ([run(1), run(2, phase="Running")], (0, 0), [1]),
        ([run(1), run(2)], (2, 0), []),
    ],
)
def test_the_oldest_go(history: list[Run], limits: tuple[int, int], gone: list[int]) -> None:
    successful, unsuccessful = limits
    for order in (history, history[::-1]):
        found: Any = runs.to_delete(order, keep=(), hashes=["h"], successful=successful, unsuccessful=unsuccessful)
        assert sorted(item.revision for item in found) == gone


def test_those_in_use_stay_and_those_of_replica_sets_that_are_gone_go() -> None:
    history = [run(1), run(2)]
    assert not runs.to_delete(history, keep=[item.name for item in history], hashes=[], successful=0, unsuccessful=0)
    assert len(runs.to_delete(history, keep=(), hashes=[], successful=5, unsuccessful=5)) == 2
