"""An e-process that compares two error counts, looked at as often as one likes.

In one interval the canary served n requests of which x failed, stable N of which X failed. Were the canary's error rate
r times stable's, a failure would be the canary's with the probability p, whatever the error rate itself:

    p(r) = r n / (r n + N)                          n = 100, N = 900, r = 1:  0.1;  r = 2:  0.18

The log likelihood of the ratio r is the sum over all intervals of  x log p(r) + X log(1 - p(r)).  It is kept on a fixed
grid of ratios, which is all the memory there is. The evidence against "r or less" is the mean likelihood of larger
ratios over that of r. By chance it ever reaches 1/a with a probability of at most a, however often one looks (Ville),
for any error rate, any traffic, any change of weight, even when stable has no error at all:

    with u = p(R)/p(r) > 1 and v = (1-p(R))/(1-p(r)) < 1 and error rates q and rq, the mean of u^x v^X is
    (1 + rq(u-1))^n (1 + q(v-1))^N <= exp(q (rn u + N v - rn - N)) = exp(0) = 1,  as  p(r) u + (1-p(r)) v = 1

so no approximation is in it, as long as requests fail independently of each other. Where they don't, a `Discount` (from
`dispersion`) weakens the evidence. It never makes it stronger, so the promise stays.

The same evidence, asked of each ratio in turn, gives bounds on the ratio that hold at all looks at once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

OCTAVES: tuple[float, ...] = (
    -6, -4, -3, -2, -1.5, -1, -0.75, -0.5, -0.375, -0.25, -0.125, 0,
    0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4, 5, 6,
)  # fmt: skip
"""The grid: ratios are the allowed one times 2 to these powers. Dense where releases are decided."""
COARSE: tuple[float, ...] = (-4, -2, -1, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4, 6)
"""A grid half as long, for judges that keep many of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What was counted in one interval: requests and errors of both sides. Fractions are fine (PromQL's `increase`)."""

    canary_errors: float
    canary_total: float
    stable_errors: float
    stable_total: float

    @property
    def errors(self) -> float:
        """Errors of both sides."""
        return self.canary_errors + self.stable_errors

    @property
    def total(self) -> float:
        """Requests of both sides."""
        return self.canary_total + self.stable_total

    @property
    def tells(self) -> bool:
        """Whether there is anything to learn: both sides served, and there was an error."""
        return self.canary_total > 0 and self.stable_total > 0 and self.errors > 0

    @property
    def numbers(self) -> tuple[float, float, float, float]:
        """Canary errors and total, stable errors and total."""
        return self.canary_errors, self.canary_total, self.stable_errors, self.stable_total

    def __add__(self, other: Counts) -> Counts:
        return counts(*(a + b for a, b in zip(self.numbers, other.numbers, strict=True)))

    def __truediv__(self, number: float) -> Counts:
        return counts(*(value / number for value in self.numbers))


def counts(canary_errors: float, canary_total: float, stable_errors: float, stable_total: float) -> Counts:
    """Counts from four numbers in this order."""
    return Counts(
        canary_errors=canary_errors, canary_total=canary_total, stable_errors=stable_errors, stable_total=stable_total
    )


NOTHING = counts(0, 0, 0, 0)


def canary_odds(found: Counts, ratio: float) -> float:
    """The probability that an error is the canary's, were its error rate `ratio` times stable's."""
    weighted = ratio * found.canary_total
    return weighted / (weighted + found.stable_total)


@dataclass(frozen=True, slots=True, kw_only=True)
class Discount:
    """How much weaker evidence is than independent requests would make it.

    `effect`: so many requests count as one. `freedom`: how many batches this was learnt from; few make it uncertain,
    which weakens the evidence as Student's t weakens the normal distribution. With the defaults nothing is weakened.
    """

    effect: float = 1.0
    freedom: float = math.inf

    def of(self, evidence: float) -> float:
        """Log evidence, discounted. Never more than the evidence itself, when that is positive."""
        if evidence <= 0 or math.isinf(self.freedom):
            return evidence
        return min(evidence, (self.freedom + 1) / 2 * math.log1p(2 * evidence / self.freedom))


NO_DISCOUNT = Discount()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Log likelihoods of the ratios `allowed * 2**octaves`, relative to that of `allowed` itself."""

    allowed: float = 1.0
    octaves: tuple[float, ...] = OCTAVES
    likelihoods: tuple[float, ...] = ()

    def after(self, found: Counts) -> Evidence:
        """With one more interval. One in which only one side served, or nothing failed, changes nothing."""
        if not found.tells:
            return self
        gains = [_log_likelihood(found, self.allowed * 2**octave) for octave in self.octaves]
        base = gains[self.octaves.index(0)]
        sums = tuple(round(old + gain - base, 4) for old, gain in zip(self._known, gains, strict=True))
        return Evidence(allowed=self.allowed, octaves=self.octaves, likelihoods=sums)

    def against_at_most(self, octave: float = 0, *, discount: Discount = NO_DISCOUNT) -> float:
        """Log evidence that the ratio is above `allowed * 2**octave` (a point of the grid). Alarm from log(1/alpha)."""
        return self._against(octave, self.octaves[self.octaves.index(octave) + 1 :], discount)

    def against_at_least(self, octave: float = 0, *, discount: Discount = NO_DISCOUNT) -> float:
        """Log evidence that the ratio is below `allowed * 2**octave` (a point of the grid)."""
        return self._against(octave, self.octaves[: self.octaves.index(octave)], discount)

    def bounds(self, *, alpha: float, discount: Discount = NO_DISCOUNT) -> tuple[float, float]:
        """Lower and upper bound on the ratio; each holds at all looks at once with probability 1 - alpha."""
        need = math.log(1 / alpha)
        lower = _crossing([(o, self.against_at_most(o, discount=discount)) for o in self.octaves[:-1]], need)
        upper = _crossing([(o, self.against_at_least(o, discount=discount)) for o in self.octaves[:0:-1]], need)
        return (
            0.0 if lower is None else self.allowed * 2**lower,
            math.inf if upper is None else self.allowed * 2**upper,
        )

    def _against(self, octave: float, others: Sequence[float], discount: Discount) -> float:
        if not others:
            return 0.0
        known = dict(zip(self.octaves, self._known, strict=True))
        found = log_mean_exp([(known[other] - known[octave]) / discount.effect for other in others])
        return discount.of(found)

    @property
    def _known(self) -> tuple[float, ...]:
        return self.likelihoods or (0.0,) * len(self.octaves)


def _log_likelihood(found: Counts, ratio: float) -> float:
    odds = canary_odds(found, ratio)
    return found.canary_errors * math.log(odds) + found.stable_errors * math.log1p(-odds)


def _crossing(points: list[tuple[float, float]], need: float) -> float | None:
    """Where evidence, walked from outside in, falls below what is needed; None: even the outermost is not excluded."""
    excluded: tuple[float, float] | None = None
    for octave, evidence in points:
        if evidence < need:
            return None if excluded is None else _between(excluded, (octave, evidence), need)
        excluded = (octave, evidence)
    return None if excluded is None else excluded[0]


def _between(outside: tuple[float, float], inside: tuple[float, float], need: float) -> float:
    share = (outside[1] - need) / (outside[1] - inside[1])
    return outside[0] + share * (inside[0] - outside[0])


def log_mean_exp(values: Sequence[float]) -> float:
    """The log of the mean of the exponentials, without overflow."""
    top = max(values)
    return top + math.log(math.fsum(math.exp(value - top) for value in values) / len(values))
