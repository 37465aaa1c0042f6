"""How much more counts scatter than independent requests would, and what evidence is worth then.

Requests do not fail independently: a restart, a slow neighbour, one broken client make errors come in bursts, and a
burst lasts longer than one look. Counts then scatter more than the binomial says, and a judge that does not know it
calls bursts regressions; with much traffic it calls every one. Two things are done about it.

**Saturation.** Two sides whose error rates are the same over hours differ by tens of percent within one look. So one
look says no more about the ratio than a spread of 0.7 (in its logarithm) lets it: with m errors in all, and p the
canary's share of requests, counts are divided by 1 + 0.49 m p (1 - p). Few errors are left alone, many count as no more
than 8 at half share:

    m = 4,   p = 0.5:  divided by 1.49         m = 1000, p = 0.5:  by 123.5 (8 errors left)

**Discount.** The looks are kept as at most 32 consecutive batches; when there are more, neighbours are merged, so a
batch grows with the release and bursts end up inside one. A batch with fewer than 5 errors is filled first: below that
a deviation cannot be told from chance. What batch i deviates from the one ratio that fits the whole release best is

    z_i = (x_i - m_i p_i) / sqrt(m_i p_i (1 - p_i))        x errors of the canary, p the share expected of it

A steady regression moves all batches alike and leaves z small; only what comes and goes is counted. The mean square of
z is 1 for independent requests. Its long-run variance (with covariances of neighbours up to a third of the batches
away, Bartlett weights, as Newey and West) is the design effect: so many requests count as one. Few batches know little,
and what lasts longer than they do is not seen in them: it is drawn to a prior that has the weight of 8 batches, and is
never below 1. The prior is 2 where looks hold few errors, which scatter by chance most of all, and grows to 4.5 with
the share of the requests that saturation took away: what is left of those is the wandering of rates, which lasts. With
rho 0.8 from look to look and a spread of 0.42 the true effect is 9 * 0.42^2 / 0.7^2 = 3.2. `docs/statistics.md`
measures what this is good for.

    sum of squares 9.2 in 8 batches, no covariance, nothing taken away     (8*2 + 9.2) / (8 + 7) = 1.68
    the same, 90 % taken away                                            (8*4.25 + 9.2) / (8 + 7) = 2.88
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from analysis.statistics.evidence import NOTHING, Counts, Discount, canary_odds

MOST_BATCHES = 32
FULL_BATCH = 5.0
"""Errors that a batch holds before the next one begins."""
SPREAD = 0.7
"""Standard deviation of the log of the ratio within one look that is taken for normal."""
PRIOR = 2.0
"""The design effect that is expected of looks with few errors."""
PRIOR_OF_LOST = 2.5
"""So much more where nearly everything was saturated away."""
PRIOR_BATCHES = 8
LAGS_PER_BATCH = 1 / 3


def saturated(found: Counts, *, spread: float = SPREAD) -> Counts:
    """A look as the number of independent requests it is worth."""
    if not found.tells:
        return found
    share = canary_odds(found, 1)
    return found / (1 + spread**2 * found.errors * share * (1 - share))


@dataclass(frozen=True, slots=True)
class Batches:
    """Consecutive looks, added up to batches. The oldest first."""

    items: tuple[Counts, ...] = ()

    def after(self, found: Counts) -> Batches:
        """With one more look."""
        if self.items and self.items[-1].errors < FULL_BATCH:
            return Batches((*self.items[:-1], self.items[-1] + found))
        items = (*self.items, found)
        return Batches(_halved(items) if len(items) > MOST_BATCHES else items)

    def discount(self, *, lost: float = 0.0) -> Discount:
        """What evidence from these looks is to be discounted by. `lost`: the share of the requests, from 0 to 1, that
        saturation took away."""
        deviations = _deviations([item for item in self.items if item.tells])
        freedom = PRIOR_BATCHES + max(0, len(deviations) - 1)
        return Discount(effect=design_effect(deviations, prior=PRIOR + PRIOR_OF_LOST * lost), freedom=freedom)


def _halved(items: Sequence[Counts]) -> tuple[Counts, ...]:
    pairs = [items[start : start + 2] for start in range(0, len(items), 2)]
    return tuple(sum(pair, start=NOTHING) for pair in pairs)


def _deviations(items: Sequence[Counts]) -> list[float]:
    if not items:
        return []
    ratio = common_ratio(items)
    return [_deviation(item, ratio) for item in items]


def common_ratio(items: Sequence[Counts], *, spare: float = 0.5) -> float:
    """The one ratio of error rates that fits all items (Mantel-Haenszel), `spare` errors added to each side.

    The items must have requests of both sides in all, and errors of stable if nothing is to spare.
    """
    canary = sum(item.canary_errors * item.stable_total / item.total for item in items if item.total > 0)
    stable = sum(item.stable_errors * item.canary_total / item.total for item in items if item.total > 0)
    whole = sum(items, start=NOTHING)
    share = whole.canary_total / whole.total
    return (canary + spare * (1 - share)) / (stable + spare * share)


def _deviation(item: Counts, ratio: float) -> float:
    odds = canary_odds(item, ratio)
    return (item.canary_errors - item.errors * odds) / math.sqrt(item.errors * odds * (1 - odds))


def design_effect(deviations: Sequence[float], *, prior: float = PRIOR) -> float:
    """Of deviations with a variance of 1 when requests are independent; drawn to the prior, at least 1."""
    lags = max(1, int(len(deviations) * LAGS_PER_BATCH))
    own = sum(value * value for value in deviations)
    shared = 2 * sum((1 - lag / (lags + 1)) * _products(deviations, lag) for lag in range(1, lags + 1))
    freedom = max(0, len(deviations) - 1)
    return max(1.0, (prior * PRIOR_BATCHES + max(own, own + shared)) / (PRIOR_BATCHES + freedom))


def _products(deviations: Sequence[float], lag: int) -> float:
    return sum(a * b for a, b in zip(deviations, deviations[lag:], strict=False))
