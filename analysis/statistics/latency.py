"""Latency from the buckets of a histogram: for a few bounds, the share of requests that took longer, by the e-process.

"Slower than 0.5 s" is to a request what "failed" is, so one bound of a histogram is one pair of counts, and all that
holds for `counts` holds here: any number of looks, any weight, bounds on the ratio at all times. No raw values are
needed, and none of the arithmetic that a quantile of quantiles, or of merged histograms, would need.

Bounds are compared by what they say about the median and the tail: of all there are, those nearest to the 50th, 90th
and 99th percentile of **both sides together** are taken, once there is enough data. Were both sides alike, it would not
matter to that choice which side a request was on, so it favours none. Each gets an equal part of the promise.

    bounds 0.1 0.25 0.5 1 2.5 +Inf; both sides together 60 % up to 0.1, 91 % up to 0.25, 99.2 % up to 1
    compared: slower than 0.1, than 0.25, than 1 s
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis.statistics.counts import CountJudge, Finding, StateError
from analysis.statistics.evidence import COARSE, NOTHING, Counts, counts

PERCENTILES = (0.5, 0.9, 0.99)
MOST_BOUNDS = 60
"""Bounds of a histogram that are remembered until some are chosen."""

Buckets = Mapping[float, float]
"""Requests by upper bound in seconds, each with all below it; the largest bound is infinity, and counts all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyJudge:
    """All that is remembered: before the choice what has been counted by bound, after it a judge for each bound."""

    allowed: float
    judges: Mapping[float, CountJudge]
    waiting: Mapping[float, Counts]

    @classmethod
    def new(cls, *, allowed: float = 1.0) -> LatencyJudge:
        """Before the first look."""
        return cls(allowed=allowed, judges={}, waiting={})

    def after(self, canary: Buckets, stable: Buckets, *, minimum: float, only: float | None = None) -> LatencyJudge:
        """With one more look. `only`: the one bound to compare, in seconds; `minimum`: requests a side before a choice.

        Raises ValueError where the sides have no bounds in common, or not the one asked for.
        """
        if not canary or not stable:
            return self
        found = slower(canary, stable)
        if self.judges:
            judges = {bound: judge.after(_at(found, bound)) for bound, judge in self.judges.items()}
            return LatencyJudge(allowed=self.allowed, judges=judges, waiting={})
        waiting = {bound: look + self.waiting.get(bound, NOTHING) for bound, look in found.items()}
        total = next(iter(waiting.values()))
        if min(total.canary_total, total.stable_total) < minimum:
            return LatencyJudge(allowed=self.allowed, judges={}, waiting=waiting)
        chosen = (_nearest(waiting, only),) if only is not None else choose(waiting)
        new = CountJudge.new(allowed=self.allowed, octaves=COARSE)
        return LatencyJudge(allowed=self.allowed, judges={b: new.after(waiting[b]) for b in chosen}, waiting={})

    def findings(self, *, alpha: float) -> dict[float, Finding]:
        """What is known about each bound that was chosen; together they give a false alarm with probability alpha."""
        return {bound: judge.finding(alpha=alpha / len(self.judges)) for bound, judge in self.judges.items()}

    def state(self) -> dict[str, Any]:
        """As JSON values."""
        rows = self.waiting.items()
        return {
            "judges": {str(bound): judge.state() for bound, judge in self.judges.items()},
            "waiting": {str(bound): [round(number, 3) for number in look.numbers] for bound, look in rows},
        }

    @classmethod
    def restore(cls, state: Any, *, allowed: float = 1.0) -> LatencyJudge:
        """The inverse of `state`. Raises StateError."""
        try:
            judges = {
                float(bound): CountJudge.restore(kept, allowed=allowed, octaves=COARSE)
                for bound, kept in state["judges"].items()
            }
            waiting = {float(bound): counts(*map(float, look)) for bound, look in state["waiting"].items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StateError(f"the state of the comparison cannot be read: {error!r}") from error
        return cls(allowed=allowed, judges=judges, waiting=waiting)


def slower(canary: Buckets, stable: Buckets) -> dict[float, Counts]:
    """By bound, the requests of each side that took longer, and all. Raises ValueError without common bounds."""
    totals = canary.get(math.inf), stable.get(math.inf)
    common = sorted(bound for bound in canary.keys() & stable.keys() if math.isfinite(bound))[:MOST_BOUNDS]
    if totals[0] is None or totals[1] is None or not common:
        raise ValueError("the histograms of canary and stable have no bounds in common, or lack +Inf")
    return {
        bound: counts(max(0.0, totals[0] - canary[bound]), totals[0], max(0.0, totals[1] - stable[bound]), totals[1])
        for bound in common
    }


def choose(found: Mapping[float, Counts]) -> tuple[float, ...]:
    """The bounds nearest to the percentiles of both sides together, each once, the smallest first."""
    shares = {bound: look.errors / look.total for bound, look in found.items() if look.total > 0}
    picked = {min(shares, key=lambda bound: _distance(shares[bound], 1 - wanted)) for wanted in PERCENTILES}
    return tuple(sorted(picked))


def _distance(share: float, wanted: float) -> float:
    """How far two shares are apart, in the logarithm: 0.2 % and 1 % are as far as 10 % and 50 %."""
    return abs(math.log(max(share, 1e-6) / wanted))


def _nearest(found: Mapping[float, Counts], wanted: float) -> float:
    for bound in found:
        if math.isclose(bound, wanted):
            return bound
    known = ", ".join(f"{bound:g}" for bound in found)
    raise ValueError(f"the histogram has no bound of {wanted:g} s; it has {known}")


def _at(found: Mapping[float, Counts], bound: float) -> Counts:
    if bound not in found:
        raise ValueError(f"the histogram no longer has the bound {bound:g} s")
    return found[bound]
