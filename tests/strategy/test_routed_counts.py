"""Arithmetic behind a router in tables: worked by hand from argo-rollouts.md §2.2 and §2.3."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.strategy.routed import back, bearable, canary_pods, reached, scale_at, share, stable_pods


@pytest.mark.parametrize(
    ("replicas", "weight", "full", "least", "pods"),
    [
        pytest.param(10, 25, 100, 1, 3, id="rounded up"),
        pytest.param(10, 0, 100, 3, 0, id="nothing stays nothing"),
        pytest.param(10, 100, 100, 1, 10, id="all"),
        pytest.param(10, 1, 100, 2, 2, id="lifted to the least"),
        pytest.param(3, 1, 100, 5, 3, id="but never above all"),
        pytest.param(10, 250, 1000, 1, 3, id="parts of maxTrafficWeight"),
        pytest.param(0, 50, 100, 2, 0, id="of none"),
    ],
)
def test_the_pods_of_a_weight(replicas: int, weight: int, full: int, least: int, pods: int) -> None:
    assert share(replicas, weight, full=full, least=least) == pods


SCALE: list[dict[str, Any]] = [
    {"setWeight": 20},
    {"setCanaryScale": {"replicas": 3}},
    {"setCanaryScale": {"weight": 50}},
    {"pause": {}},
    {"setCanaryScale": {"matchTrafficWeight": True}},
    {"pause": {}},
]


@pytest.mark.parametrize(
    ("index", "scale", "pods"),
    [
        (0, None, 2),
        (1, {"replicas": 3}, 3),
        (2, {"weight": 50}, 5),
        (3, {"weight": 50}, 5),
        (4, None, 2),
        (5, None, 2),
        (6, None, 2),
    ],
)
def test_the_set_canary_scale_in_force(index: int, scale: dict[str, Any] | None, pods: int) -> None:
    found = scale_at(SCALE, index)
    assert found == scale
    assert canary_pods(found, replicas=10, weight=20, full=100, least=1) == pods


@pytest.mark.parametrize(
    ("weight", "served", "dynamic", "pods"),
    [
        pytest.param(25, 75, False, 10, id="all of them"),
        pytest.param(25, 75, True, 8, id="what the rest needs"),
        pytest.param(25, 90, True, 9, id="after its traffic"),
        pytest.param(25, 60, True, 8, id="before its traffic"),
        pytest.param(100, 0, True, 0, id="none"),
    ],
)
def test_the_pods_of_the_stable(weight: int, served: int, dynamic: bool, pods: int) -> None:
    assert stable_pods(replicas=10, weight=weight, served=served, full=100, least=1, dynamic=dynamic) == pods


@pytest.mark.parametrize(
    ("available", "replicas", "least"), [(7, 10, 30), (10, 10, 0), (12, 10, 0), (0, 10, 100), (0, 0, 100)]
)
def test_the_weight_the_stable_can_bear(available: int, replicas: int, least: int) -> None:
    assert bearable(available=available, replicas=replicas, full=100) == least


@pytest.mark.parametrize(
    ("current", "least", "weight"),
    [
        pytest.param(60, 0, 0, id="at once, when it can"),
        pytest.param(60, 30, 40, id="the lowest that can be borne"),
        pytest.param(60, 60, 60, id="not yet"),
        pytest.param(50, 45, 50, id="between two, it stays"),
        pytest.param(10, 0, 0, id="never up"),
    ],
)
def test_the_way_back(current: int, least: int, weight: int) -> None:
    steps = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 40}, {"setWeight": 60}]
    assert back(steps, current=current, least=least) == weight


@pytest.mark.parametrize(
    ("threshold", "wanted", "available", "enough"),
    [
        (None, 5, 4, False),
        (None, 5, 5, True),
        (("Percent", 60), 5, 2, False),
        (("Percent", 60), 5, 3, True),
        (("Pods", 2), 5, 1, False),
        (("Pods", 2), 5, 2, True),
        (("Pods", 9), 5, 5, True),
        (("Percent", 60), 0, 0, True),
        (("Pods", 1), 0, 1, False),
    ],
)
def test_replica_progress_threshold(
    threshold: tuple[str, int] | None, wanted: int, available: int, enough: bool
) -> None:
    assert reached(threshold, wanted=wanted, available=available) is enough
