"""Heed: what people have asked for since the last decision, and what a new template or new steps make void.

Commands are intents on the object, the same as the peer's (argo-rollouts.md §5.2): `status.abort`,
`status.pauseConditions`, `status.promoteFull`, `status.currentStepIndex`, `spec.paused`. They are compared by value
with what the status remembers, never by the event that carried them, so none can be lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rollouts.strategy.recorded import Pause, Recorded
from rollouts.strategy.revisions import Revisions


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What holds now. `reset`: a new template or new steps began a new update; `retry`: an abort was taken back."""

    paused: bool
    abort: bool
    aborted_at: datetime | None
    promote_full: bool
    reset: bool
    retry: bool
    index: int
    pauses: tuple[Pause, ...]
    controller_pause: bool

    @property
    def resumed(self) -> bool:
        """A pause the controller made was ended by somebody clearing its conditions."""
        return self.controller_pause and not self.pauses

    @property
    def resumed_meanwhile(self) -> bool:
        """That happened while `spec.paused` holds the Rollout: remembered until that is over."""
        return self.paused and self.resumed


def heed(*, recorded: Recorded, revisions: Revisions, paused: bool, steps: int) -> Intent:
    """Read the intents. An abort not yet stamped, or a full promotion asked for while nothing was under way, belongs
    to the update that begins now and survives the reset; everything older is void."""
    if revisions.updated or revisions.restepped:
        return Intent(
            paused=paused,
            abort=recorded.abort and recorded.aborted_at is None,
            aborted_at=None,
            promote_full=recorded.promote_full and recorded.promoted,
            reset=True,
            retry=False,
            index=0,
            pauses=(),
            controller_pause=False,
        )
    retry = recorded.aborted_at is not None and (not recorded.abort or recorded.promote_full)
    return Intent(
        paused=paused,
        abort=recorded.abort and not recorded.promote_full,
        aborted_at=None if retry else recorded.aborted_at,
        promote_full=recorded.promote_full,
        reset=False,
        retry=retry,
        index=0 if retry else min(max(recorded.index or 0, 0), steps),
        pauses=recorded.pauses,
        controller_pause=recorded.controller_pause,
    )
