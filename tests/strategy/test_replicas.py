"""Replica arithmetic in tables: worked by hand from argo-rollouts.md §2.1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.strategy.replicas import Count, Limits, max_surge, max_unavailable, scale_down, scale_up, split


@pytest.mark.parametrize(
    ("replicas", "weight", "surge", "expected"),
    [
        (10, 10, 1, (1, 9)),
        (10, 30, 3, (3, 7)),
        (10, 25, 0, (3, 7)),
        (10, 95, 0, (9, 1)),
        (5, 20, 1, (1, 4)),
        (5, 60, 1, (3, 2)),
        (5, 99, 1, (5, 1)),
        (3, 50, 1, (2, 2)),
        (1, 5, 1, (1, 1)),
        (1, 95, 1, (1, 1)),
        (1, 50, 0, (1, 0)),
        (4, 1, 0, (1, 3)),
        (2, 75, 0, (1, 1)),
        (7, 0, 1, (0, 7)),
        (7, 100, 1, (7, 0)),
        (0, 50, 1, (0, 0)),
    ],
)
def test_split(replicas: int, weight: int, surge: int, expected: tuple[int, int]) -> None:
    assert split(replicas=replicas, weight=weight, surge=surge) == expected


@given(st.integers(0, 200), st.integers(0, 100), st.integers(0, 50))
def test_split_stays_within_surge_and_starves_nobody(replicas: int, weight: int, surge: int) -> None:
    canary, stable = split(replicas=replicas, weight=weight, surge=surge)
    assert min(canary, stable) >= 0
    assert replicas <= canary + stable <= replicas + min(surge, 1)
    if 0 < weight < 100 and replicas > 0 and (replicas, surge) != (1, 0):
        assert canary > 0
        assert stable > 0


@pytest.mark.parametrize(
    ("value", "replicas", "surge", "unavailable"),
    [
        (None, 5, 2, 1),
        ("25%", 4, 1, 1),
        ("25", 4, 1, 1),
        ("10%", 5, 1, 0),
        (3, 10, 3, 3),
        ("100%", 4, 4, 4),
        (0, 4, 0, 1),
        (9, 4, 9, 4),
    ],
)
def test_limits_from_counts_and_percentages(
    value: int | str | None, replicas: int, surge: int, unavailable: int
) -> None:
    assert max_surge(value, replicas) == surge
    assert max_unavailable(value, replicas, surge) == unavailable


@pytest.mark.parametrize(
    ("limits", "desired", "new", "stable", "others", "expected"),
    [
        pytest.param((10, 3, 0), (3, 7), 0, 10, 0, (3, 10), id="as far as the surge allows"),
        pytest.param((10, 1, 0), (3, 7), 0, 10, 0, (1, 10), id="one at a time"),
        pytest.param((10, 0, 5), (3, 7), 0, 10, 0, (0, 10), id="no surge, no room"),
        pytest.param((5, 1, 0), (0, 5), 3, 2, 0, (3, 3), id="stable grows first on the way back"),
        pytest.param((5, 2, 0), (2, 4), 1, 3, 0, (2, 4), id="stable first, the rest to new"),
        pytest.param((5, 1, 0), (1, 5), 0, 4, 2, (0, 4), id="pods of older revisions count"),
    ],
)
def test_scale_up(
    limits: tuple[int, int, int],
    desired: tuple[int, int],
    new: int,
    stable: int,
    others: int,
    expected: tuple[int, int],
) -> None:
    n, surge, unavailable = limits
    result = scale_up(
        limits=Limits(replicas=n, surge=surge, unavailable=unavailable),
        desired=desired,
        new=Count(replicas=new),
        stable=Count(replicas=stable),
        others=others,
    )
    assert result == expected


@pytest.mark.parametrize(
    ("limits", "desired", "new", "stable", "expected"),
    [
        pytest.param((10, 1, 1), (1, 9), (0, 0), (10, 10), (0, 9), id="one may be missing"),
        pytest.param((10, 0, 5), (3, 7), (0, 0), (10, 10), (0, 7), id="down to what is wanted"),
        pytest.param((5, 1, 0), (1, 4), (1, 0), (5, 5), (1, 5), id="not before the canary is available"),
        pytest.param((5, 1, 0), (1, 4), (1, 1), (5, 5), (1, 4), id="then one for one"),
        pytest.param((5, 1, 0), (5, 0), (3, 3), (3, 1), (3, 2), id="broken stable pods don't block the way on"),
        pytest.param((5, 1, 0), (0, 5), (2, 0), (4, 4), (1, 4), id="broken canary pods don't block the way back"),
        pytest.param((5, 1, 0), (0, 5), (2, 2), (5, 5), (0, 5), id="abort drains the canary"),
    ],
)
def test_scale_down(
    limits: tuple[int, int, int],
    desired: tuple[int, int],
    new: tuple[int, int],
    stable: tuple[int, int],
    expected: tuple[int, int],
) -> None:
    n, surge, unavailable = limits
    result = scale_down(
        limits=Limits(replicas=n, surge=surge, unavailable=unavailable),
        desired=desired,
        new=Count(replicas=new[0], available=new[1]),
        stable=Count(replicas=stable[0], available=stable[1]),
    )
    assert result == expected
