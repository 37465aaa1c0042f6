"""Design effects of made series, batches that stay few, saturation of large looks."""

from __future__ import annotations

import math

import numpy as np
import pytest

from analysis.statistics.counts import CountJudge
from analysis.statistics.dispersion import (
    MOST_BATCHES,
    PRIOR,
    Batches,
    common_ratio,
    design_effect,
    saturated,
)
from analysis.statistics.evidence import NOTHING, Counts, counts


def series(*, rho: float, sd: float, looks: int = 90, requests: int = 1000, seed: int = 1) -> list[Counts]:
    """Error rates of each side wander by `sd` in the logarithm, with correlation `rho` from look to look."""
    rng = np.random.default_rng(seed)
    state = rng.normal(size=2)
    found = []
    for _ in range(looks):
        canary, stable = 0.05 * np.exp(sd * state)
        found.append(counts(rng.binomial(requests, canary), requests, rng.binomial(requests, stable), requests))
        state = rho * state + math.sqrt(1 - rho**2) * rng.normal(size=2)
    return found


def effect(looks: list[Counts]) -> float:
    batches = Batches()
    for look in looks:
        batches = batches.after(look)
    return batches.discount().effect


def test_independent_requests_count_in_full() -> None:
    effects = [effect(series(rho=0, sd=0, seed=seed)) for seed in range(20)]
    assert np.median(effects) < 1.6


def test_a_steady_regression_is_no_scatter() -> None:
    looks = [counts(3 * look.canary_errors, 1000, look.stable_errors, 1000) for look in series(rho=0, sd=0)]
    assert effect(looks) < 3.5  # tripling counts triples their variance, and nothing more


def test_wandering_rates_count_for_less_and_correlated_ones_for_still_less() -> None:
    still, wandering, lasting = (
        np.median([effect(series(rho=rho, sd=sd, seed=seed)) for seed in range(10)])
        for rho, sd in ((0, 0), (0, 0.5), (0.8, 0.5))
    )
    assert still * 2 < wandering * 1.0 < lasting


@pytest.mark.parametrize(
    ("deviations", "expected"),
    [
        ([], 16 / 8),
        ([1.0], (16 + 1) / 8),
        ([1.15, -1.15] * 4, (16 + 8 * 1.15**2) / 15),
        ([0.0] * 24, 1.0),
    ],
)
def test_design_effects(deviations: list[float], expected: float) -> None:
    """Alternating deviations have negative covariances, which are not taken for knowledge."""
    assert design_effect(deviations) == pytest.approx(max(1.0, expected))
    assert PRIOR == 2


@pytest.mark.parametrize(("lost", "expected"), [(0.0, 2.0), (0.5, 3.25), (0.9, 4.25), (1.0, 4.5)])
def test_what_saturation_took_away_makes_neighbours_suspect(lost: float, expected: float) -> None:
    """Before the first batch tells anything; as batches come in, it counts for less and less."""
    assert Batches().discount(lost=lost).effect == pytest.approx(expected)
    assert design_effect([1.15, -1.15] * 4, prior=expected) == pytest.approx((8 * expected + 8 * 1.15**2) / 15)


def test_a_judge_of_much_traffic_is_more_careful_with_few_looks() -> None:
    little, much = (CountJudge.new() for _ in range(2))
    for _ in range(3):
        little, much = little.after(counts(3, 500, 3, 500)), much.after(counts(3000, 500_000, 3000, 500_000))
    assert little.discount.effect < 3 < 3.5 < much.discount.effect
    assert CountJudge.new().discount.effect == 2


def test_batches_stay_few_and_lose_nothing() -> None:
    batches, total = Batches(), NOTHING
    for look in series(rho=0.5, sd=0.5, looks=1000):
        batches, total = batches.after(look), total + look
        assert len(batches.items) <= MOST_BATCHES
    assert sum(batches.items, start=NOTHING) == total


def test_a_batch_is_filled_before_the_next() -> None:
    batches = Batches()
    for _ in range(12):
        batches = batches.after(counts(1, 100, 0, 100))
    assert [item.errors for item in batches.items] == [5, 5, 2]


@pytest.mark.parametrize(
    ("look", "worth"),
    [
        (counts(0, 500, 0, 500), 0),
        (counts(2, 500, 2, 500), 4 / 1.49),
        (counts(500, 5000, 500, 5000), 1000 / 123.5),
        (counts(1e6, 1e7, 1e6, 1e7), 8.16),
    ],
)
def test_saturation(look: Counts, worth: float) -> None:
    assert saturated(look).errors == pytest.approx(worth, rel=1e-3)


def test_the_common_ratio_does_not_mix_weights_with_rates() -> None:
    """More traffic and a worse hour at once look like a bad canary to a plain quotient of sums; not to this."""
    night, day = counts(0.5, 50, 9.5, 950), counts(250, 5000, 250, 5000)
    pooled = night + day
    naive = (pooled.canary_errors / pooled.canary_total) / (pooled.stable_errors / pooled.stable_total)
    assert naive > 1.1
    assert common_ratio([night, day]) == pytest.approx(1, abs=0.01)
