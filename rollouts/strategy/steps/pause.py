"""`pause: {duration}`: timed, or until somebody promotes.

Entering the step records a pause condition with its start. It ends when its duration is over or when the condition is
gone though the controller made it: somebody cleared it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from rollouts.api.durations import seconds
from rollouts.strategy.recorded import CANARY_PAUSE, Pause
from rollouts.strategy.steps.base import Hold, Position, Step, Verdict


def progress(at: Position) -> Verdict:
    """Pause, wait, or go on."""
    if at.resumed:
        return Verdict(done=True)
    before = next((p for p in at.pauses if p.reason == CANARY_PAUSE), None)
    pause = before or Pause(reason=CANARY_PAUSE, start=at.now.replace(microsecond=0))
    until = _until(pause, at.value)
    if until is not None and at.now >= until:
        return Verdict(done=True)
    return _waiting(at, pause, at.pauses if before else (*at.pauses, pause))


def _waiting(at: Position, pause: Pause, pauses: tuple[Pause, ...]) -> Verdict:
    until = _until(pause, at.value)
    reason = "paused until somebody promotes" if until is None else f"paused for {_duration(at.value)}"
    return Verdict(
        hold=Hold(kind="Pause", reason=reason, since=pause.start, until=until, patient=True),
        pauses=pauses,
        controller_pause=True,
    )


def _until(pause: Pause, value: Mapping[str, Any] | None) -> Any:
    duration = _duration(value)
    return None if duration is None else pause.start + timedelta(seconds=seconds(duration))


def _duration(value: Mapping[str, Any] | None) -> int | str | None:
    return (value or {}).get("duration")


def describe(value: Mapping[str, Any] | None) -> str:
    """`pause`, or `pause: 10s`."""
    duration = _duration(value)
    if duration is None:
        return "pause"
    bare = isinstance(duration, int) or duration.isdigit()
    return f"pause: {duration}s" if bare else f"pause: {duration}"


STEP = Step(key="pause", progress=progress, describe=describe)
