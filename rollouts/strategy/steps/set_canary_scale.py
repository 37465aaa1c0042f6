"""`setCanaryScale: {weight | replicas | matchTrafficWeight}`: done when the canary has that size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rollouts.strategy.steps.base import Hold, Position, Step, Verdict


def progress(at: Position) -> Verdict:
    """Wait for the desired replica counts."""
    if at.at_desired:
        return Verdict(done=True)
    return Verdict(hold=Hold(kind="Replicas", reason=f"waiting for the canary to scale ({_words(at.value)})"))


def describe(value: Mapping[str, Any] | None) -> str:
    """`setCanaryScale{weight: 20}`."""
    return f"setCanaryScale{{{_words(value)}}}"


def _words(value: Mapping[str, Any] | None) -> str:
    given = value or {}
    if given.get("matchTrafficWeight"):
        return "matchTrafficWeight: true"
    return next((f"{key}: {given[key]}" for key in ("weight", "replicas") if given.get(key) is not None), "")


STEP = Step(key="setCanaryScale", progress=progress, describe=describe)
