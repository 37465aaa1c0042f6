"""A small, seeded part of the simulation behind docs/statistics.md: the promise, and what it costs."""

from __future__ import annotations

import math
from statistics import median

import numpy as np
import pytest

from tests.performance.simulation import (
    ALPHA,
    BAD,
    GOOD,
    LOOKS,
    WANDERING,
    Service,
    by_kayenta,
    by_ranks,
    by_share,
    failed_at,
    gauge,
    interval,
    release,
    sequential,
    z_test,
)

RELEASES = 40
MOST = ALPHA * RELEASES + 2 * math.sqrt(ALPHA * (1 - ALPHA) * RELEASES)
"""Good releases that may be failed: what is promised, and two standard deviations of this small sample."""


@pytest.mark.parametrize("service", [Service(), WANDERING], ids=["independent", "autocorrelated"])
def test_good_releases_pass_at_every_look(service: Service) -> None:
    assert len(failed_at(sequential(1.0), service, RELEASES)) <= MOST
    assert len(failed_at(z_test, service, RELEASES)) > 1.5 * MOST


@pytest.mark.parametrize(("ratio", "latest"), [(2, 60), (4, 25)])
def test_bad_releases_are_found(ratio: float, latest: int) -> None:
    found = failed_at(sequential(1.1), Service(ratio=ratio), RELEASES)
    assert len(found) > 0.9 * RELEASES
    assert median(found) < latest


def test_gauges() -> None:
    rng = np.random.default_rng(1)
    good = [gauge(rng, rho=0.8) for _ in range(RELEASES)]
    assert sum(by_ranks(*pair) is not None for pair in good) <= MOST
    assert sum(by_kayenta(*pair) is not None for pair in good[:15]) >= 3
    assert by_ranks(*gauge(rng, rho=0.0, factor=1.5)) is not None


def test_the_router() -> None:
    rng = np.random.default_rng(1)
    assert [by_share(rng, wanted=0.2, given=0.2, apart=0.2) for _ in range(20)] == [None] * 20
    assert all(by_share(rng, wanted=0.2, given=0.5, apart=0.2) for _ in range(10))


def test_how_sure_a_share_is() -> None:
    low, high = interval(10, 200)
    assert (round(100 * low, 1), round(100 * high, 1)) == (2.7, 9.0)
    assert interval(0, 1000)[0] == 0
    assert interval(0, 1000)[1] < 0.005


def test_a_release_follows_from_its_seed() -> None:
    first, second = (list(release(WANDERING, np.random.default_rng(5))) for _ in range(2))
    assert first == second
    assert len(first) == LOOKS
    assert len(GOOD) + len(BAD) == 17
