"""Pods that serve nobody any more stay for a while (§2.4), so that going back to them takes no time.

The moment they may go is an annotation of their ReplicaSet, `scale-down-deadline`. Nothing else remembers it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from rollouts.strategy.snapshot import ReplicaSet
from rollouts.strategy.wants import Delays


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """How many pods a ReplicaSet keeps, and the deadline it should carry (None: none, or the one it has is history)."""

    replicas: int
    deadline: datetime | None = None


def after_promotion(others: Iterable[ReplicaSet], delays: Delays, *, replicas: int, now: datetime) -> list[Stay]:
    """What ReplicaSets behind a promotion keep, in the order given (newest first). Only so many may wait at once."""
    stays: list[Stay] = []
    for rs in others:
        waiting = sum(1 for stay in stays if stay.replicas)
        stays.append(_one(rs, delays.after, allowed=waiting < delays.revisions, replicas=replicas, now=now))
    return stays


def _one(rs: ReplicaSet, delay: int, *, allowed: bool, replicas: int, now: datetime) -> Stay:
    if not rs.replicas or not allowed:
        return Stay(replicas=0, deadline=rs.deadline)
    deadline = rs.deadline or (now + timedelta(seconds=delay))
    if deadline <= now:
        return Stay(replicas=0, deadline=rs.deadline)
    return Stay(replicas=_size(rs, replicas), deadline=deadline)


def _size(rs: ReplicaSet, replicas: int) -> int:
    """One that ran in full follows `spec.replicas`, so that it could take over at once; others only shrink with it."""
    in_full = rs.desired is not None and rs.replicas >= rs.desired
    return replicas if in_full else min(rs.replicas, replicas)


def after_abort(rs: ReplicaSet, delays: Delays, *, begins: bool, now: datetime) -> Stay:
    """What the ReplicaSet of an aborted update keeps. `begins`: the delay may start now (stable can serve alone)."""
    if delays.aborted is None:
        return Stay(replicas=rs.replicas)
    if rs.deadline is None:
        if not begins or not rs.replicas:
            return Stay(replicas=rs.replicas)
        return Stay(replicas=rs.replicas, deadline=now + timedelta(seconds=delays.aborted))
    return Stay(replicas=rs.replicas if rs.deadline > now else 0, deadline=rs.deadline)
