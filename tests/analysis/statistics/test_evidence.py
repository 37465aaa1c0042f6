"""The e-process: its promise by exact arithmetic, its bounds, and that discounts only ever weaken it."""

from __future__ import annotations

import math
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as some

from analysis.statistics.evidence import COARSE, OCTAVES, Counts, Discount, Evidence, canary_odds, counts, log_mean_exp


def chance(successes: int, n: int, p: float) -> float:
    return math.comb(n, successes) * p**successes * (1 - p) ** (n - successes)


@pytest.mark.parametrize(
    ("found", "ratio", "odds"),
    [
        (counts(0, 100, 0, 900), 1, 0.1),
        (counts(0, 100, 0, 900), 2, 200 / 1100),
        (counts(0, 500, 0, 500), 1, 0.5),
        (counts(0, 500, 0, 500), 3, 0.75),
    ],
)
def test_whose_error_it_is(found: Counts, ratio: float, odds: float) -> None:
    assert canary_odds(found, ratio) == pytest.approx(odds)


@pytest.mark.parametrize("rate", [0.01, 0.2, 0.5, 0.9])
@pytest.mark.parametrize(("canary", "stable"), [(5, 5), (3, 12), (12, 3)])
@pytest.mark.parametrize("allowed", [1.0, 1.1])
def test_the_mean_of_the_evidence_is_at_most_one(rate: float, canary: int, stable: int, allowed: float) -> None:
    """Over all outcomes of one look, by their probability: what makes the promise hold, without any approximation."""
    mean = sum(
        chance(x, canary, rate * allowed)
        * chance(y, stable, rate)
        * math.exp(Evidence(allowed=allowed).after(counts(x, canary, y, stable)).against_at_most())
        for x, y in product(range(canary + 1), range(stable + 1))
        if rate * allowed <= 1
    )
    assert mean <= 1 + 1e-3  # likelihoods are rounded to four digits


def test_the_mean_stays_at_most_one_over_two_looks_with_another_rate_and_weight() -> None:
    looks = [(0.1, 2, 6), (0.5, 4, 4)]
    mean = 0.0
    for x1, y1, x2, y2 in product(range(3), range(7), range(5), range(5)):
        (q1, n1, m1), (q2, n2, m2) = looks
        weight = chance(x1, n1, q1) * chance(y1, m1, q1) * chance(x2, n2, q2) * chance(y2, m2, q2)
        evidence = Evidence().after(counts(x1, n1, y1, m1)).after(counts(x2, n2, y2, m2))
        mean += weight * math.exp(evidence.against_at_most())
    assert mean <= 1 + 1e-3


def test_three_errors_where_stable_has_none() -> None:
    """At a weight of 5 % three errors, all of them the canary's, are 1 in 8000 by chance."""
    evidence = Evidence().after(counts(3, 500, 0, 9500))
    assert evidence.against_at_most() > math.log(20)
    assert evidence.bounds(alpha=0.05)[1] == math.inf


@pytest.mark.parametrize(
    "found", [counts(0, 100, 0, 900), counts(5, 100, 0, 0), counts(0, 0, 5, 100), counts(0, 0, 0, 0)]
)
def test_what_says_nothing_changes_nothing(found: Counts) -> None:
    assert Evidence().after(found) == Evidence()
    assert Evidence().against_at_most() == 0
    assert Evidence().bounds(alpha=0.05) == (0.0, math.inf)


@pytest.mark.parametrize("ratio", [0.5, 1.0, 2.0, 4.0])
def test_bounds_close_in_on_the_ratio(ratio: float) -> None:
    few, many = Evidence(allowed=1.1), Evidence(allowed=1.1)
    few = few.after(counts(100 * ratio, 10_000, 100, 10_000))
    many = many.after(counts(10_000 * ratio, 1e6, 10_000, 1e6))
    low, high = few.bounds(alpha=0.05)
    lower, upper = many.bounds(alpha=0.05)
    assert low < lower < ratio < upper < high
    assert upper / lower < 1.4


def test_an_alarm_is_a_lower_bound_above_what_is_allowed() -> None:
    for errors in range(100, 200, 5):
        evidence = Evidence(allowed=1.1).after(counts(errors, 10_000, 100, 10_000))
        alarm = evidence.against_at_most() >= math.log(20)
        assert alarm == (evidence.bounds(alpha=0.05)[0] > 1.1)


AMOUNT = some.integers(min_value=0, max_value=300)


@given(x=AMOUNT, y=AMOUNT, effect=some.floats(1, 50), freedom=some.floats(1, 100))
def test_a_discount_never_strengthens(x: int, y: int, effect: float, freedom: float) -> None:
    evidence = Evidence().after(counts(x, 300, y, 900))
    discount = Discount(effect=effect, freedom=freedom)
    plain = evidence.against_at_most()
    assert evidence.against_at_most(discount=discount) <= max(plain, 0) + 1e-9
    low, high = evidence.bounds(alpha=0.05)
    lower, upper = evidence.bounds(alpha=0.05, discount=discount)
    assert lower <= low * 1.0001
    assert upper >= high * 0.9999


@given(some.lists(some.tuples(AMOUNT, AMOUNT), max_size=6), some.sampled_from([OCTAVES, COARSE]))
def test_looks_add_up_in_any_order(looks: list[tuple[int, int]], octaves: tuple[float, ...]) -> None:
    there, back = Evidence(octaves=octaves), Evidence(octaves=octaves)
    for x, y in looks:
        there = there.after(counts(x, 300, y, 600))
    for x, y in reversed(looks):
        back = back.after(counts(x, 300, y, 600))
    assert there.against_at_most() == pytest.approx(back.against_at_most(), abs=0.01)


def test_means_of_large_exponentials() -> None:
    assert log_mean_exp([1000.0, 1000.0]) == 1000.0
    assert log_mean_exp([0.0, -2000.0]) == pytest.approx(math.log(0.5))
