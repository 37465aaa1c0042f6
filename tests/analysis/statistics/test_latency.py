"""Histograms: which bounds are compared, what is found, what is remembered."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from analysis.statistics.counts import StateError
from analysis.statistics.evidence import Counts, counts
from analysis.statistics.latency import LatencyJudge, choose, slower

BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, math.inf)


def histogram(rng: np.random.Generator, requests: int, factor: float = 1.0) -> dict[float, float]:
    values = 0.1 * factor * rng.lognormal(sigma=0.8, size=requests)
    return {bound: float((values <= bound).sum()) for bound in BOUNDS}


def after(factor: float, *, looks: int = 20, seed: int = 1, only: float | None = None) -> LatencyJudge:
    rng = np.random.default_rng(seed)
    judge = LatencyJudge.new(allowed=1.1)
    for _ in range(looks):
        canary, stable = histogram(rng, 200, factor), histogram(rng, 800)
        judge = LatencyJudge.restore(json.loads(json.dumps(judge.state())), allowed=1.1)
        judge = judge.after(canary, stable, minimum=100, only=only)
    return judge


def test_slower_than() -> None:
    canary, stable = {0.1: 60.0, 1.0: 99.0, math.inf: 100.0}, {0.1: 700.0, 1.0: 900.0, 2.0: 950.0, math.inf: 1000.0}
    assert slower(canary, stable) == {0.1: counts(40, 100, 300, 1000), 1.0: counts(1, 100, 100, 1000)}


def test_the_bounds_that_are_compared() -> None:
    shares = {0.1: 0.4, 0.25: 0.09, 0.5: 0.03, 1.0: 0.008, 2.5: 0.001}
    found: dict[float, Counts] = {bound: counts(10 * share, 10, 90 * share, 90) for bound, share in shares.items()}
    assert choose(found) == (0.1, 0.25, 1.0)
    assert choose({0.1: counts(1, 10, 1, 10)}) == (0.1,)


@pytest.mark.parametrize(("factor", "alarm"), [(0.5, False), (1.0, False), (2.0, True)])
def test_good_and_bad(factor: float, alarm: bool) -> None:
    findings = after(factor).findings(alpha=0.05)
    assert any(found.alarm for found in findings.values()) is alarm
    assert len(findings) == 3


def test_one_bound_only() -> None:
    assert list(after(1.0, only=0.5).findings(alpha=0.05)) == [0.5]


def test_small_looks_are_added_up_until_there_is_a_choice() -> None:
    rng = np.random.default_rng(1)
    judge = LatencyJudge.new()
    sizes = []
    for _ in range(6):
        judge = judge.after(histogram(rng, 25), histogram(rng, 100), minimum=100)
        sizes.append(len(judge.judges))
    assert sizes[:3] == [0, 0, 0]
    assert sizes[3] > 0
    totals = {found.totals.canary_total for found in judge.findings(alpha=0.05).values()}
    assert totals == {150}


def test_what_is_remembered_is_small() -> None:
    assert len(json.dumps(after(1.0, looks=200).state(), separators=(",", ":"))) < 6000


@pytest.mark.parametrize(
    ("canary", "stable", "said"),
    [
        ({0.1: 1.0, math.inf: 2.0}, {0.2: 1.0, math.inf: 2.0}, "no bounds in common"),
        ({0.1: 1.0}, {0.1: 1.0, math.inf: 2.0}, r"lack \+Inf"),
    ],
)
def test_histograms_that_cannot_be_compared(canary: dict[float, float], stable: dict[float, float], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        LatencyJudge.new().after(canary, stable, minimum=1)


def test_a_bound_there_is_not() -> None:
    with pytest.raises(ValueError, match=r"no bound of 0\.3 s; it has 0\.05, 0\.1"):
        after(1.0, only=0.3)


@pytest.mark.parametrize("state", [None, {}, {"judges": 3, "waiting": {}}, {"judges": {"x": {}}, "waiting": {}}])
def test_a_state_that_cannot_be_read(state: object) -> None:
    with pytest.raises(StateError):
        LatencyJudge.restore(state)
