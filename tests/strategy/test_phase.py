"""Phase and message (§1.15): the table row by row, and the words an update goes through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rollouts.strategy.conditions import Condition
from rollouts.strategy.phase import Standing, phase
from rollouts.strategy.recorded import Pause
from tests.strategy.test_bluegreen import ANALYSIS, TEMPLATE, blue_green
from tests.strategy.world import START, World, rollout

PAUSES = (Pause(reason="CanaryPauseStep", start=START), Pause(reason="InconclusiveAnalysisRun", start=START))
STEPS = "waiting for all steps to complete"


def progressing(reason: str) -> Condition:
    return Condition(type="Progressing", status="False", reason=reason, message="why")


def standing(**given: Any) -> Standing:
    """Five pods wanted and there; all that is given besides."""
    plain: dict[str, Any] = {"paused": False, "pauses": (), "restarting": False, "unfinished": ""}
    counts = {"wanted": 5, "updated": 5, "available": 5}
    return Standing(**{"progressing": None, **plain, **counts, **given})


#: From the weakest to the strongest: each wins over all before it.
STANDINGS: list[tuple[dict[str, Any], str, str]] = [
    ({}, "Healthy", ""),
    ({"unfinished": STEPS}, "Progressing", STEPS),
    ({"available": 3}, "Progressing", "updated replicas are still becoming available"),
    ({"updated": 4}, "Progressing", "more replicas need to be updated"),
    ({"obstacle": "ConfigMap routes not found"}, "Progressing", "ConfigMap routes not found"),
    ({"restarting": True}, "Progressing", "rollout is restarting"),
    ({"pauses": PAUSES}, "Paused", "CanaryPauseStep"),
    ({"paused": True}, "Paused", "manually paused"),
    ({"progressing": progressing("ProgressDeadlineExceeded")}, "Degraded", "ProgressDeadlineExceeded: why"),
    ({"progressing": progressing("RolloutAborted")}, "Degraded", "RolloutAborted: why"),
]


@pytest.mark.parametrize("row", range(len(STANDINGS)), ids=[message or name for _, name, message in STANDINGS])
def test_the_first_row_that_applies(row: int) -> None:
    together: dict[str, Any] = {}
    for given, _, _ in STANDINGS[: row + 1]:
        together |= given
    assert phase(standing(**together)) == STANDINGS[row][1:]
    assert phase(standing(**STANDINGS[row][0])) == STANDINGS[row][1:]


def test_other_reasons_of_progressing_are_no_failure() -> None:
    assert phase(standing(progressing=progressing("ReplicaSetUpdated"))) == ("Healthy", "")


def words(world: World, change: Callable[[World], Any]) -> list[tuple[str, str | None]]:
    """What phase and message say after each decision, repetitions left out; pods come in between."""
    world.settle()
    change(world)
    said: list[tuple[str, str | None]] = []
    for _ in range(8):
        world.reconcile()
        now = (world.status["phase"], world.status.get("message"))
        said += [] if said[-1:] == [now] else [now]
        world.pods()
        world.advance(3)
    return said


MORE = ("Progressing", "more replicas need to be updated")
HEALTHY = ("Healthy", None)


def updated(world: World) -> None:
    world.image("app:2")


def test_a_canary_without_a_router() -> None:
    world = World(rollout(replicas=3, steps=[{"setWeight": 50}]))
    assert words(world, updated) == [MORE, ("Progressing", "old replicas are pending termination"), HEALTHY]


def test_a_canary_whose_pods_are_there_before_its_steps_are_done() -> None:
    world = World(rollout(steps=[{"setWeight": 100}, {"analysis": ANALYSIS}]), templates=TEMPLATE)
    assert words(world, updated)[-1] == ("Progressing", STEPS)


def test_blue_green_before_and_after_the_switch() -> None:
    world = blue_green(prePromotionAnalysis=ANALYSIS, postPromotionAnalysis=ANALYSIS)
    assert words(world, updated)[-1] == ("Progressing", "active service cutover pending")
    (pre,) = world.runs
    world.finish(pre)
    assert words(world, lambda _: None) == [("Progressing", "waiting for analysis to complete")]
