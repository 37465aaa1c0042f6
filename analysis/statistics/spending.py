"""Divides a level over looks, for judges that are not sequential by nature.

A test that is made again at each look gives a false alarm sooner or later. Each look is therefore given a part of the
level, so that all parts add up to no more than the whole; then, however the looks hang together, so do the false
alarms.

    the number of looks is known     O'Brien and Fleming's part, as Lan and DeMets spend it, most at the end:
                                     5 % over six looks: 0, 0.07, 0.49, 1.1, 1.5, 1.8 %
    it is not                        the j-th look gets level / (j (j + 1)); looks are at 1, 2, 4, 8 … times the first

Of many measurements at most six are looks at which something may be decided, evenly spaced, the last among them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

LOOKS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """How much has been spent: `looks` so far, `share` of the run behind the last, `due` the number of the next."""

    looks: int = 0
    share: float = 0.0
    due: int = 0


def spend(spent: Spent, *, number: int, count: int | None, alpha: float) -> tuple[float, Spent]:
    """The level for measurement `number` (from 1) of `count`, and what is then spent. 0: nothing is decided now."""
    if count is None:
        return (0.0, spent) if number < spent.due else _without_end(spent, number, alpha)
    step = max(1, math.ceil(count / LOOKS))
    if number < min(count, max(spent.due, step)):
        return 0.0, spent
    share = min(1.0, number / count)
    level = cumulative(alpha, share) - cumulative(alpha, spent.share)
    return max(0.0, level), Spent(looks=spent.looks + 1, share=share, due=(number // step + 1) * step)


def _without_end(spent: Spent, number: int, alpha: float) -> tuple[float, Spent]:
    looks = spent.looks + 1
    return alpha / (looks * (looks + 1)), Spent(looks=looks, due=2 * number)


def cumulative(alpha: float, share: float) -> float:
    """The part of alpha that is spent when `share` of the run is over."""
    if share <= 0:
        return 0.0
    normal = NormalDist()
    return 2 - 2 * normal.cdf(normal.inv_cdf(1 - alpha / 2) / math.sqrt(share))
