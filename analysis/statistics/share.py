"""Tells whether the canary got the share of requests that the router should give it.

An error rate can be compared whatever the share, but a canary that gets nothing is not tested, and one that gets half
of the traffic instead of a twentieth is no canary. The question is the same as that of `evidence`, with requests in the
place of errors and the weight in the place of requests: under weight w a request goes to the canary with odds w / (1 -
w), and the ratio is by how much the true odds differ. The weight may change from look to look. Odds of up to 2^0.5 =
1.4 times too many or too few are taken for right: scrapes are not simultaneous, connections stay where they are.

    weight 20 %: shares from 15 % to 26.1 % are right
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from analysis.statistics.counts import CountJudge
from analysis.statistics.evidence import COARSE, counts

TOLERATED = 0.5
"""Octaves of the odds."""
SPREAD = 0.4
"""A router is steadier than an error rate: what one look may be off, in the logarithm of the odds."""
ALPHA = 0.01
"""Probability of calling a router wrong that is right; half for too much, half for too little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShareFinding:
    """`wrong`: the share is shown to be another. `canary` and `total` are requests, `expected` is the share wanted."""

    wrong: bool
    canary: float
    total: float
    expected: float


@dataclass(frozen=True, slots=True)
class ShareJudge:
    """All that is remembered of the looks so far."""

    judge: CountJudge

    @classmethod
    def new(cls) -> ShareJudge:
        """Before the first look."""
        return cls(CountJudge.new(octaves=COARSE))

    @classmethod
    def restore(cls, state: object) -> ShareJudge:
        """From `state`. Raises StateError."""
        return cls(CountJudge.restore(state, octaves=COARSE))

    def state(self) -> dict[str, object]:
        """As JSON values."""
        return self.judge.state()

    def after(self, *, canary: float, stable: float, weight: float) -> ShareJudge:
        """With one more look. `weight`: the share the canary should get, from 0 to 1; at the ends nothing is learnt."""
        if not 0 < weight < 1 or canary + stable <= 0:
            return self
        total = canary + stable
        look = counts(canary, weight * total, stable, (1 - weight) * total)
        return ShareJudge(self.judge.after(look, spread=SPREAD))

    def finding(self) -> ShareFinding:
        """What is known now."""
        discount = self.judge.batches.discount()
        too_much = self.judge.evidence.against_at_most(TOLERATED, discount=discount)
        too_little = self.judge.evidence.against_at_least(-TOLERATED, discount=discount)
        totals = self.judge.totals
        return ShareFinding(
            wrong=max(too_much, too_little) >= math.log(2 / ALPHA),
            canary=totals.canary_errors,
            total=totals.errors,
            expected=totals.canary_total / totals.total if totals.total else 0.0,
        )
