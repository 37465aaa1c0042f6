"""The kinds of canary steps, one file each. A new kind: write its file, add its row here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rollouts.strategy.steps import (
    analysis,
    experiment,
    pause,
    plugin,
    set_canary_scale,
    set_header_route,
    set_mirror_route,
    set_weight,
)
from rollouts.strategy.steps.base import Hold, Position, Step, Verdict

__all__ = ["STEPS", "Hold", "Position", "Step", "Verdict", "kind_of"]

STEPS: Final[Mapping[str, Step]] = {
    step.key: step
    for step in (
        set_weight.STEP,
        pause.STEP,
        analysis.STEP,
        experiment.STEP,
        set_canary_scale.STEP,
        set_header_route.STEP,
        set_mirror_route.STEP,
        plugin.STEP,
    )
}


def kind_of(step: Mapping[str, Any]) -> tuple[Step | None, Any]:
    """The row for a step as written, and the step's own block; None for a kind this controller does not know yet."""
    for key, value in step.items():
        if key in STEPS:
            return STEPS[key], value
    return None, None
