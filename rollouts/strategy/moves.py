"""Moves: from the world as it is, the furthest safe step towards the target, in one go.

The peer makes one kind of move in a pass and comes back; the passes that need nothing from the outside are simulated
here until nothing more is allowed, so one decision carries what it spreads over several. Order of execution: first
what shrinks, then what grows. Shrinking was allowed by pods already available, growing by the room that shrinking
leaves, so stopping between any two keeps both the floor of available pods and the ceiling of all pods.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from rollouts.strategy.replicas import Count, Limits, scale_down, scale_up
from rollouts.strategy.snapshot import ReplicaSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """spec.replicas of every role; `others` in the order they were given."""

    new: int
    stable: int
    others: tuple[int, ...] = ()


def furthest(
    *,
    limits: Limits,
    desired: tuple[int, int],
    new: ReplicaSet | None,
    stable: ReplicaSet | None,
    others: Sequence[ReplicaSet],
    kept: AbstractSet[str] = frozenset(),
) -> Counts:
    """Replica counts to set now. `new` None: it is about to be created, at the size this returns. `kept`: hashes a
    Service still selects; those of others are not scaled down."""
    state = Counts(
        new=new.replicas if new else 0,
        stable=stable.replicas if stable else 0,
        others=tuple(rs.replicas for rs in others),
    )
    while True:
        after = _pass(state, limits=limits, desired=desired, new=new, stable=stable, others=others, kept=kept)
        if after == state:
            return state
        state = after


def _pass(
    state: Counts,
    *,
    limits: Limits,
    desired: tuple[int, int],
    new: ReplicaSet | None,
    stable: ReplicaSet | None,
    others: Sequence[ReplicaSet],
    kept: AbstractSet[str],
) -> Counts:
    new_count = Count(replicas=state.new, available=new.available if new else 0)
    stable_count = Count(replicas=state.stable, available=stable.available) if stable else None
    grown_new, grown_stable = scale_up(
        limits=limits, desired=desired, new=new_count, stable=stable_count, others=sum(state.others)
    )
    grown = replace(state, new=grown_new, stable=grown_stable)
    if grown != state:
        return grown
    if any(count for count, rs in zip(state.others, others, strict=True) if rs.hash not in kept):
        return replace(state, others=_shrunk(state, limits=limits, new=new, stable=stable, others=others, kept=kept))
    small_new, small_stable = scale_down(limits=limits, desired=desired, new=new_count, stable=stable_count)
    return replace(state, new=small_new, stable=small_stable)


def _shrunk(
    state: Counts,
    *,
    limits: Limits,
    new: ReplicaSet | None,
    stable: ReplicaSet | None,
    others: Sequence[ReplicaSet],
    kept: AbstractSet[str],
) -> tuple[int, ...]:
    """Older ReplicaSets: unavailable pods go at once, the rest as far as the floor allows, newest revision first."""
    left = [min(count, rs.available) for count, rs in zip(state.others, others, strict=True)]
    serving = sum(left)
    serving += min(state.new, new.available) if new else 0
    serving += min(state.stable, stable.available) if stable else 0
    budget = max(serving - limits.floor, 0)
    for position, (count, rs) in enumerate(zip(left, others, strict=True)):
        take = 0 if rs.hash in kept else min(count, budget)
        left[position] -= take
        budget -= take
    return tuple(left)
