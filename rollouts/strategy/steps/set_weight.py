"""`setWeight: N`: done when pods (and later traffic) stand as the weight wants them."""

from __future__ import annotations

from rollouts.strategy.steps.base import Hold, Position, Step, Verdict


def progress(at: Position) -> Verdict:
    """Wait for the desired replica counts."""
    if at.at_desired:
        return Verdict(done=True)
    return Verdict(hold=Hold(kind="Replicas", reason=f"waiting for pods to match weight {at.value}"))


STEP = Step(key="setWeight", progress=progress, describe=lambda value: f"setWeight: {value}")
