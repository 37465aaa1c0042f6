"""Ranks: exact distributions against scipy's, no units, small samples, neighbours in time, levels spent."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.ranks import compare_ranks, exact_rank, lag_correlation, u_distribution
from analysis.statistics.spending import LOOKS, Spent, cumulative, spend


@pytest.mark.parametrize(("m", "n"), [(1, 1), (3, 3), (4, 7), (7, 4), (20, 20), (50, 50)])
def test_the_distribution_of_u(m: int, n: int) -> None:
    distribution = u_distribution(m, n)
    assert len(distribution) == m * n + 1
    assert distribution.sum() == pytest.approx(1)
    assert distribution == pytest.approx(distribution[::-1])
    values = np.arange(1, m * n + 1)
    assert distribution @ np.arange(m * n + 1) == pytest.approx(m * n / 2)
    assert distribution @ (np.arange(m * n + 1) - m * n / 2) ** 2 == pytest.approx(m * n * (m + n + 1) / 12)
    assert values.size == m * n


def test_tails_agree_with_scipy() -> None:
    x, y = [1.0, 4.0, 6.0, 8.0, 11.0], [2.0, 3.0, 5.0, 7.0, 9.0, 10.0]
    found = stats.mannwhitneyu(x, y, method="exact", alternative="less")
    assert u_distribution(5, 6)[: int(found.statistic) + 1].sum() == pytest.approx(found.pvalue)


@pytest.mark.parametrize(
    ("m", "n", "level", "rank"),
    [(3, 3, 0.05, 1), (3, 3, 0.049, 0), (10, 10, 0.025, 24), (5, 5, 0.01, 2), (2, 2, 0.05, 0)],
)
def test_ranks_of_bounds(m: int, n: int, level: float, rank: int) -> None:
    """As printed in tables of Wilcoxon's test (10 v 10 at 5 % two-sided: 23 or less is significant)."""
    assert exact_rank(m, n, level) == rank


def test_bounds_hold_as_often_as_promised() -> None:
    rng = np.random.default_rng(7)
    missed = 0
    for _ in range(600):
        found = compare_ranks(rng.lognormal(size=20), rng.lognormal(size=20), level=0.05)
        missed += found.lower > 1
    assert missed / 600 < 0.05 + 2 * math.sqrt(0.05 * 0.95 / 600)


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1, 1e6])
def test_units_do_not_matter(scale: float) -> None:
    rng = np.random.default_rng(1)
    x, y = 1.3 + 0.3 * rng.normal(size=30), 1 + 0.3 * rng.normal(size=30)
    plain, scaled = (compare_ranks(list(x * by), list(y * by), level=0.01) for by in (1, scale))
    assert (scaled.ratio, scaled.lower, scaled.upper) == pytest.approx((plain.ratio, plain.lower, plain.upper))


def test_without_logarithms() -> None:
    found = compare_ranks([0.0, 0.0, 6.0, 6.0], [0.0, 4.0, 4.0, 4.0], level=0.4)
    assert found.ratio == 1.25  # the median difference is 1, in units of stable's median, 4
    assert found.lower < found.ratio < found.upper


@pytest.mark.parametrize("values", [[0.0] * 12, [3.0] * 12, [-1.0] * 12])
def test_the_same_constant_on_both_sides(values: list[float]) -> None:
    found = compare_ranks(values, values, level=0.01)
    assert (found.ratio, found.lower, found.upper) == (1.0, 1.0, 1.0)


def test_from_nothing_to_something() -> None:
    assert compare_ranks([5.0] * 12, [0.0] * 12, level=0.01).lower > 1.1


def test_few_values_have_no_bounds() -> None:
    found = compare_ranks([100.0, 101.0, 102.0], [1.0, 1.1, 1.2], level=0.01)
    assert (found.lower, found.upper) == (0.0, math.inf)


def wandering(rho: float, n: int, rng: np.random.Generator) -> list[float]:
    values, at = [], rng.normal()
    for _ in range(n):
        values.append(100 + 10 * at)
        at = rho * at + math.sqrt(1 - rho**2) * rng.normal()
    return values


def test_neighbours_in_time_make_a_sample_worth_less() -> None:
    rng = np.random.default_rng(5)
    worth = [compare_ranks(wandering(r, 60, rng), wandering(r, 60, rng), level=0.02).worth for r in (0.0, 0.8)]
    assert worth[0] > 35
    assert worth[1] < 15


def test_false_alarms_of_series_that_wander() -> None:
    """At a nominal 2 % a side; the plain test gives 20 %."""
    rng = np.random.default_rng(11)
    alarms = sum(
        compare_ranks(wandering(0.8, 60, rng), wandering(0.8, 60, rng), level=0.02).lower > 1 for _ in range(400)
    )
    assert alarms / 400 < 0.04


@pytest.mark.parametrize(("series", "expected"), [([[1.0, 1.0, 1.0, 1.0]], 0.25), ([[1.0], [2.0]], 0.0)])
def test_correlation_of_what_has_none(series: list[list[float]], expected: float) -> None:
    assert lag_correlation(series) == expected


@pytest.mark.parametrize("count", [1, 4, 6, 7, 20, 60, 61])
def test_all_is_spent_at_the_end_and_never_more(count: int) -> None:
    spent, levels = Spent(), []
    for number in range(1, count + 1):
        level, spent = spend(spent, number=number, count=count, alpha=0.05)
        levels.append(level)
    assert sum(levels) == pytest.approx(0.05)
    assert levels[-1] > 0
    assert sum(level > 0 for level in levels) <= LOOKS


def test_without_an_end() -> None:
    spent, at, total = Spent(), [], 0.0
    for number in range(1, 2000):
        level, spent = spend(spent, number=number, count=None, alpha=0.05)
        total += level
        at += [number] * (level > 0)
    assert at[:5] == [1, 2, 4, 8, 16]
    assert total < 0.05


def test_what_is_spent_over_time() -> None:
    assert [round(100 * cumulative(0.05, share / 6), 2) for share in range(7)] == [
        0.0,
        0.0,
        0.07,
        0.56,
        1.64,
        3.18,
        5.0,
    ]
