"""Two samples compared by ranks: by what ratio the canary's values are higher, and between which bounds.

For gauges (a quantile of latency, a load, a queue's length) there are no counts. The estimate of Hodges and Lehmann is
the median of all m * n pairwise differences between canary and stable; its lower bound is the k-th smallest of them, k
from the distribution of Mann and Whitney's U, so the interval is exact for any continuous distribution and has no
outliers to fear:

    canary 12 13 15, stable 10 11 14     differences -2 -1 1 1 2 2 3 4 5: shift 2, at 5 % (1 in 20 orders) -2 or more

**No units.** Positive values are compared by their logarithms, so the shift is a ratio and the same in seconds as in
milliseconds. With a value of 0 or less among them differences are taken, in units of stable's median.

**Small samples have wide bounds, or none.** Three against three can't be shown to differ at 2 %, however they lie.

**Neighbours in time are alike**, and a sample of 60 may be worth 10. With the lag-1 correlation r of both series
(corrected by (1 + 4r)/n for its bias) the variance of U grows by (1 + r)/(1 - r); the bounds widen by the root of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Sample = NDArray[np.float64]

EXACT = 30
"""Up to this many values a side the exact distribution is used; beyond, the normal one, which differs little."""
MOST_CORRELATED = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class RankFinding:
    """By what ratio canary values are higher than stable ones (1: not at all).

    `lower` and `upper` each hold with the confidence asked for. `worth`: independent values a side this amounts to.
    """

    ratio: float
    lower: float
    upper: float
    worth: float
    correlation: float


def compare_ranks(canary: Sequence[float], stable: Sequence[float], *, level: float) -> RankFinding:
    """Compare two samples, each in the order of time. `level`: chance that `lower` is too high, or `upper` too low.

    Both need at least one value, all finite. Takes time and memory in proportion to the product of their lengths.
    """
    import numpy as np

    x, y, unit = _scaled(np.asarray(canary, dtype=float), np.asarray(stable, dtype=float))
    differences = np.sort(np.subtract.outer(x, y), axis=None)
    correlation = lag_correlation([canary, stable])
    inflation = (1 + correlation) / (1 - correlation)
    rank = _rank(len(x), len(y), level, inflation)
    lower, upper = (differences[rank - 1], differences[-rank]) if rank else (-math.inf, math.inf)
    return RankFinding(
        ratio=_ratio(float(np.median(differences)), unit),
        lower=_ratio(float(lower), unit),
        upper=_ratio(float(upper), unit),
        worth=min(len(x), len(y)) / inflation,
        correlation=correlation,
    )


def _scaled(x: Sample, y: Sample) -> tuple[Sample, Sample, float | None]:
    """The samples to subtract, and the unit of their differences; None: they are logarithms."""
    import numpy as np

    both = np.concatenate((x, y))
    if float(both.min()) > 0:
        return np.log(x), np.log(y), None
    unit = float(np.median(np.abs(y))) or float(np.mean(np.abs(both))) or 1.0
    return x, y, unit


def _ratio(difference: float, unit: float | None) -> float:
    if unit is None:
        return math.exp(difference) if difference < 700 else math.inf
    return 1 + difference / unit


def lag_correlation(series: Sequence[Sequence[float]]) -> float:
    """The mean correlation of neighbours in time, corrected for the bias of short series; from 0 to 0.95."""
    found = [_own_correlation(values) for values in series]
    mean = sum(found) / len(found)
    length = min(map(len, series))
    if length < 3:
        return 0.0
    return min(MOST_CORRELATED, max(0.0, mean + (1 + 4 * mean) / length))


def _own_correlation(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    centred = [value - mean for value in values]
    variance = math.fsum(value * value for value in centred)
    if variance == 0:
        return 0.0
    return math.fsum(a * b for a, b in pairwise(centred)) / variance


def _rank(m: int, n: int, level: float, inflation: float) -> int:
    """Which of the sorted differences is the lower bound (from 1); 0: the sample has none at this level."""
    exact = exact_rank(m, n, level) if max(m, n) <= EXACT else m * n // 2
    spread = math.sqrt(m * n * (m + n + 1) / 12 * max(1.0, inflation))
    normal = math.floor(m * n / 2 - NormalDist().inv_cdf(1 - level) * spread)
    return max(0, min(exact, normal))


def exact_rank(m: int, n: int, level: float) -> int:
    """The largest k with P(U < k) <= level for independent samples of m and n values without ties."""
    import numpy as np

    cumulative = np.cumsum(u_distribution(m, n))
    return int(np.searchsorted(cumulative, level * (1 + 1e-9), side="right"))


def u_distribution(m: int, n: int) -> Sample:
    """P(U = u) for u from 0 to m * n: all orders of m and n values are alike.

    By the recurrence on whose value is the largest: f(m, n, u) = m/(m+n) f(m-1, n, u-n) + n/(m+n) f(m, n-1, u).
    """
    import numpy as np

    row = [np.ones(1) for _ in range(n + 1)]
    for i in range(1, m + 1):
        nxt = [np.ones(1)]
        for j in range(1, n + 1):
            both = np.zeros(i * j + 1)
            both[j:] += i / (i + j) * row[j]
            both[: i * (j - 1) + 1] += j / (i + j) * nxt[j - 1]
            nxt.append(both)
        row = nxt
    return row[n]
