"""What becomes of a template's pods after its end: they stay for `scaleDownDelaySeconds`, then go.

The end is written on the ReplicaSet (annotation `scale-down-deadline`), as the peer does, so whoever controls the
Experiment by then carries it out. A delay of 0 takes the pods away at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from rollouts.experiments.looks import Look
from rollouts.strategy import keys, times


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave:
    """Pods a template keeps for now, and until when. `fresh`: that moment is still to be written down."""

    replicas: int
    until: datetime | None = None
    fresh: bool = False


def leave(each: Look, *, delay: int, now: datetime) -> Leave:
    """The leave of a template that is over."""
    if each.set is None or each.set.replicas == 0:
        return Leave(replicas=0)
    until = times.moment(each.set.annotations.get(keys.SCALE_DOWN_DEADLINE))
    fresh = until is None
    if until is None:
        until = now + timedelta(seconds=delay)
    if now >= until:
        return Leave(replicas=0)
    return Leave(replicas=each.set.replicas, until=until, fresh=fresh)
