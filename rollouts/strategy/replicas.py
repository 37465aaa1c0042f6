"""Replica arithmetic of a canary without a traffic router (argo-rollouts.md §2.1). Plain integers in and out.

Terms: N = spec.replicas, W = the weight of the current step, M = the full weight (100).

    N=10, W=30, maxSurge 3, maxUnavailable 0, stable 10, new 0:
        split      → 3 new, 7 stable
        one pass   → budget 10+3-10 = 3: new 0→3; nothing available yet, so stable stays 10
        next pass  → new has 3 available: 13-10 = 3 too many: stable 10→7
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from rollouts.api import defaults


def max_surge(value: int | str | None, replicas: int) -> int:
    """Pods allowed above N. Percentages round up."""
    return _scaled(defaults.MAX_SURGE if value is None else value, replicas, round_up=True)


def max_unavailable(value: int | str | None, replicas: int, surge: int) -> int:
    """Pods allowed to be missing. Percentages round down; never both this and surge 0; at most N."""
    allowed = _scaled(defaults.MAX_UNAVAILABLE if value is None else value, replicas, round_up=False)
    return min(1 if allowed == 0 and surge == 0 else allowed, replicas)


def _scaled(value: int | str, replicas: int, *, round_up: bool) -> int:
    if isinstance(value, int):
        return max(value, 0)
    percent = Fraction(value.rstrip("%"))
    exact = percent * replicas / 100
    return max(ceil(exact) if round_up else floor(exact), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a rollout may do while it moves: N, and how far above and below it may go."""

    replicas: int
    surge: int
    unavailable: int

    @property
    def ceiling(self) -> int:
        """The most pods there may be in all ReplicaSets together."""
        return self.replicas + self.surge

    @property
    def floor(self) -> int:
        """The fewest pods that must stay available."""
        return self.replicas - self.unavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """One ReplicaSet's spec.replicas and available pods."""

    replicas: int = 0
    available: int = 0

    def kept(self, *, ignore_availability: bool) -> int:
        """Pods that count as serving when another ReplicaSet is to shrink."""
        if ignore_availability or self.replicas < self.available:
            return self.replicas
        return self.available


def split(*, replicas: int, weight: int, surge: int, full: int = 100) -> tuple[int, int]:
    """Canary and stable counts which come nearest to the weight, without leaving either at 0 between 0 and full.

    (10, 25 %, surge 0) → (3, 7): of 2 and 3 both are 5 points off, so the canary rounds up.
    (1, 20 %, surge 1) → (1, 1): one pod more is allowed, and neither may be 0.
    """
    if replicas == 0:
        return 0, 0
    zero_allowed = weight in (0, full) or (replicas == 1 and surge == 0)
    totals = (replicas, replicas + 1) if surge > 0 else (replicas,)
    candidates = [
        (canary, total)
        for total in totals
        for canary in _candidates(Fraction(total * weight, full), total=total, zero_allowed=zero_allowed)
    ]
    canary, total = min(candidates, key=lambda c: abs(Fraction(c[0] * full, c[1]) - weight))
    return canary, total - canary


def _candidates(exact: Fraction, *, total: int, zero_allowed: bool) -> list[int]:
    up, down = ceil(exact), floor(exact)
    found = [up] if up < total or zero_allowed else []
    tied = exact - down == Fraction(1, 2)
    if (down != 0 or zero_allowed) and not (tied and found):
        found.append(down)
    return found


def scale_up(
    *, limits: Limits, desired: tuple[int, int], new: Count, stable: Count | None, others: int
) -> tuple[int, int]:
    """New and stable counts after growing as far as the surge allows; stable comes first."""
    want_new, want_stable = desired
    held = stable.replicas if stable else 0
    budget = max(limits.ceiling - (new.replicas + held + others), 0)
    grown = held
    if stable and held < want_stable:
        grown = min(want_stable, held + budget)
        budget -= grown - held
    return max(new.replicas, min(want_new, new.replicas + budget)), grown


def scale_down(*, limits: Limits, desired: tuple[int, int], new: Count, stable: Count | None) -> tuple[int, int]:
    """New and stable counts after shrinking as far as availability allows; only one of them shrinks in a pass.

    While the canary grows, pods of stable count even when unavailable (they are the ones to go), and the other way
    round, so that broken pods never block the way out.
    """
    want_new, want_stable = desired
    held = stable or Count()
    increasing = want_new >= new.replicas
    serving = new.kept(ignore_availability=not increasing) + held.kept(ignore_availability=increasing)
    spare = max(serving - limits.floor, 0)
    if increasing:
        return new.replicas, min(held.replicas, max(want_stable, held.replicas - spare))
    return max(want_new, new.replicas - spare), held.replicas
