"""Kayenta's classes and scores: the order of its cases, its arithmetic, and where we differ on purpose."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from analysis.statistics.classify import (
    ERROR,
    HIGH,
    LOW,
    NODATA,
    NODATA_FAIL,
    PASS,
    Options,
    classify,
    shift_interval,
    standardised,
    without_outliers,
)
from analysis.statistics.scores import Judged, group_weights, score

NAN = math.nan
RISING = [float(value) for value in range(1, 13)]
HIGHER = [value + 20 for value in RISING]
ROWS: list[tuple[str, list[float], list[float], dict[str, Any], str]] = [
    ("both empty", [], [], {}, NODATA),
    ("one empty", [], RISING, {}, NODATA),
    ("all missing", [NAN, NAN], RISING, {}, NODATA),
    ("must have data", [], RISING, {"must_have_data": True}, NODATA_FAIL),
    ("must have data, critical", [], RISING, {"must_have_data": True, "critical": True}, NODATA),
    ("empty, replaced", [], RISING, {"nan_strategy": "replace"}, PASS),
    ("fewer than wanted", RISING[:9], HIGHER, {"minimum": 10}, NODATA),
    ("identical", RISING, list(reversed(RISING)), {}, PASS),
    ("one value", [5.0] * 10, [5.0] * 12, {}, PASS),
    ("two constants", [10.0] * 10, [5.0] * 10, {}, HIGH),
    ("higher", HIGHER, RISING, {}, HIGH),
    ("lower", RISING, HIGHER, {}, LOW),
    ("higher is fine", HIGHER, RISING, {"direction": "decrease"}, PASS),
    ("lower is fine", RISING, HIGHER, {"direction": "increase"}, PASS),
    ("higher is bad", HIGHER, RISING, {"direction": "increase"}, HIGH),
    ("higher, but allowed", HIGHER, RISING, {"allowed_increase": 5.0}, PASS),
    ("higher than allowed", HIGHER, RISING, {"allowed_increase": 4.0}, HIGH),
    ("by probability", HIGHER, RISING, {"measure": "cles", "allowed_increase": 0.9}, HIGH),
    ("missing as nothing", [NAN] * 12, HIGHER, {"nan_strategy": "replace"}, LOW),
    ("infinite", [math.inf] * 12, RISING, {}, ERROR),
    ("7 of 10 a hundred times as high", [100.0] * 7 + [1.0] * 3, [1.0] * 10, {}, PASS),
    ("8 of 10 a hundred times as high", [100.0] * 8 + [1.0] * 2, [1.0] * 10, {}, HIGH),
]


@pytest.mark.parametrize(("canary", "stable", "fields", "label"), [row[1:] for row in ROWS], ids=[r[0] for r in ROWS])
def test_classes(canary: list[float], stable: list[float], fields: dict[str, Any], label: str) -> None:
    assert classify(canary, stable, Options(**fields)).label == label


def test_the_interval_of_rare_high_values() -> None:
    """The case of kayenta#780, digit for digit."""
    lower, upper, estimate = shift_interval(np.array([100.0] * 7 + [1.0] * 3), np.array([1.0] * 10))
    assert (lower, upper) == pytest.approx((6.8e-5, 99), abs=1e-4)
    assert estimate == pytest.approx(98.9999, abs=1e-4)


@pytest.mark.parametrize("shift", [0.0, 1.0, -3.0])
def test_the_statistic_is_that_of_mann_and_whitney(shift: float) -> None:
    x, y = np.array([1.0, 2, 2, 5, 7, 9]), np.array([2.0, 3, 4, 4, 8])
    found = stats.mannwhitneyu(x - shift, y, method="asymptotic", use_continuity=True, alternative="two-sided")
    assert 2 * stats.norm.sf(abs(standardised(shift, x, y))) == pytest.approx(found.pvalue)


def test_outliers() -> None:
    values = np.array([*range(100), 1e6, -1e6], dtype=float)
    assert without_outliers(values, 3.0).tolist() == list(range(100))
    assert without_outliers(np.array([1.0, 2, 3, 50]), 3.0).tolist() == [1, 2, 3, 50]  # within its own last percentile
    assert without_outliers(np.array([]), 3.0).size == 0


@pytest.mark.parametrize(
    ("fields", "critical"),
    [({}, False), ({"critical": True}, True), ({"critical": True, "critical_increase": 10.0}, False)],
)
def test_critical_metrics(fields: dict[str, Any], critical: bool) -> None:
    found = classify(HIGHER, RISING, Options(**fields))
    assert (found.label, found.critical) == (HIGH, critical)


def one(name: str, label: str, *groups: str, **fields: Any) -> Judged:
    return Judged(name=name, label=label, groups=groups, **fields)


SCORES: list[tuple[list[Judged], dict[str, float], float | None]] = [
    ([one("a", PASS, "g"), one("b", HIGH, "g"), one("c", PASS, "h")], {"g": 60, "h": 40}, 70),
    ([one("a", PASS, "g"), one("b", HIGH, "g"), one("c", PASS, "h")], {}, 75),
    ([one("a", PASS, "g"), one("b", LOW, "h"), one("c", PASS, "i")], {"g": 50}, 75),
    ([one("a", PASS, "g"), one("b", HIGH, "h"), one("c", HIGH, "h")], {}, 50),
    ([one("a", HIGH, "g", "h"), one("b", PASS, "g")], {}, 25),
    ([one("a", PASS), one("b", HIGH)], {}, 50),
    ([one("a", PASS), one("b", HIGH, muted=True)], {}, 100),
    ([one("a", PASS), one("b", HIGH, critical=True)], {}, 0),
    ([one("a", PASS), one("b", NODATA, critical=True), one("c", PASS)], {}, 0),
    ([one("a", PASS, "g"), one("b", NODATA, "g"), one("c", PASS, "g")], {}, 100),
    ([one("a", PASS), one("b", PASS), one("c", NODATA)], {}, 100),
    ([one("a", PASS), one("b", NODATA_FAIL)], {}, 50),
    ([one("a", PASS), one("b", ERROR)], {}, 50),
    ([one("a", ERROR)], {}, 0),
    ([one("a", PASS), one("b", NODATA)], {}, None),
    ([], {}, None),
    ([one("a", PASS, muted=True)], {}, None),
]


@pytest.mark.parametrize(("results", "weights", "expected"), SCORES)
def test_scores(results: list[Judged], weights: dict[str, float], expected: float | None) -> None:
    assert score(results, weights).value == expected


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ({}, {"a": 50, "b": 50}),
        ({"a": 30}, {"a": 30, "b": 70}),
        ({"a": 30, "b": 70}, {"a": 30, "b": 70}),
    ],
)
def test_weights(weights: dict[str, float], expected: dict[str, float]) -> None:
    assert group_weights(["a", "b"], weights) == expected


def test_why_a_score_is_low() -> None:
    found = score([one("latency", HIGH, "g"), one("errors", PASS, "g")])
    assert (found.reason, dict(found.groups)) == ("latency is High", {"g": 50})
    critical = score([one("latency", HIGH, critical=True, reason="higher than stable")])
    assert critical.reason == "critical metric latency is High: higher than stable"
