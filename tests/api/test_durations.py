"""Durations and percentages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.api.durations import parse_duration, seconds
from rollouts.api.percentages import percentage, resolve


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("30s", 30),
        ("1m30s", 90),
        ("1h", 3600),
        ("500ms", 0.5),
        ("1.5h", 5400),
        (".5s", 0.5),
        ("1.s", 1),
        ("+1m", 60),
        ("-1m", -60),
        ("2us", 2e-6),
        ("2µs", 2e-6),
        ("3ns", 3e-9),
        ("1s1s", 2),
    ],
)
def test_go_durations(text: str, expected: float) -> None:
    assert parse_duration(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    "text", ["", "5", "s", "1d", "1 m", "m1", "1m ", "--1s", "1e3s", "٣s", "9" * 30 + "h", "1s" * 99]
)
def test_what_is_no_go_duration(text: str) -> None:
    with pytest.raises(ValueError, match="invalid duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("duration", "expected"), [(30, 30), ("30", 30), ("30s", 30), ("1m", 60), ("1500ms", 1), (0, 0), ("0", 0)]
)
def test_a_pause_takes_bare_numbers_as_seconds(duration: int | str, expected: float) -> None:
    assert seconds(duration) == expected


@pytest.mark.parametrize("duration", [-1, "-1", "-5s", 2**31, "10000000h", "soon", ""])
def test_a_pause_refuses(duration: int | str) -> None:
    with pytest.raises(ValueError, match="duration"):
        seconds(duration)


@given(st.text())
def test_any_text_gives_seconds_or_a_message(text: str) -> None:
    try:
        assert seconds(text) >= 0
    except ValueError as error:
        assert "duration" in str(error)


@pytest.mark.parametrize(
    ("value", "total", "up", "expected"),
    [
        (3, 10, True, 3),
        ("25%", 10, True, 3),
        ("25%", 10, False, 2),
        ("25", 10, True, 3),
        ("0%", 10, True, 0),
        ("100%", 7, False, 7),
        ("1%", 1, True, 1),
        ("1%", 1, False, 0),
    ],
)
def test_shares_are_rounded_up_or_down(value: int | str, total: int, up: bool, expected: int) -> None:
    assert resolve(value, total=total, up=up) == expected


@pytest.mark.parametrize("text", ["", "%", "-5%", "5 %", "5.5%", "abc", "٣%"])
def test_what_is_no_percentage(text: str) -> None:
    with pytest.raises(ValueError, match="percentage"):
        percentage(text)
