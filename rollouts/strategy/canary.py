"""Target: what a canary without a traffic router wants, given where it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rollouts.strategy.replicas import Limits, split

FULL = 100
Steps = Sequence[Mapping[str, Any]]


def weight_at(steps: Steps, index: int) -> int:
    """The weight in force at a step: of the last setWeight at or before it; 0 before the first, 100 past the end."""
    if index >= len(steps):
        return FULL
    weights = [step["setWeight"] for step in steps[: index + 1] if isinstance(step.get("setWeight"), int)]
    return weights[-1] if weights else 0


def desired_counts(*, limits: Limits, weight: int, distinct_stable: bool) -> tuple[int, int]:
    """New and stable replicas wanted in the end. Without a stable ReplicaSet of its own, new gets everything."""
    if not distinct_stable:
        return limits.replicas, 0
    return split(replicas=limits.replicas, weight=weight, surge=limits.surge, full=FULL)
