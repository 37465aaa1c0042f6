"""`setWeight: N`: done when pods stand as the weight wants them, and a router, if there is one, can give it."""

from __future__ import annotations

from rollouts.strategy.steps.base import Hold, Position, Step, Verdict


def progress(at: Position) -> Verdict:
    """Wait for the desired replica counts, then for traffic."""
    if not at.at_desired:
        return Verdict(hold=Hold(kind="Replicas", reason=f"waiting for pods to match weight {at.value}"))
    obstacle = at.obstacle(at.value)
    if obstacle is not None:
        return Verdict(hold=Hold(kind="Traffic", reason=obstacle))
    return Verdict(done=True)


STEP = Step(key="setWeight", progress=progress, describe=lambda value: f"setWeight: {value}")
