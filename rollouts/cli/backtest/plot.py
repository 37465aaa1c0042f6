"""A replay on a terminal: each metric over time, its phases below, and what runs would have come to. Pure.

    success-rate, every 1m: 361 measurements, ✔ 340  ✖ 15  ? 6
      1 ┤••••••••••   •••••
        │          ••
    0.8 ┤            •
         ✔✔✔✔✔✔✔✔✔✔✖✖✖✔✔✔✔✔
         2026-01-02 06:00:00 … 2026-01-02 12:00:00

A column stands for a span of time: its dot is the value farthest from the middle, its sign the worst phase.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from analysis.spec.compare import VERDICT
from rollouts.cli.backtest.outcomes import Outcome, counted
from rollouts.cli.backtest.replay import Track
from rollouts.cli.text import BOLD, FAINT, Line, Span, age, count, state

HEIGHT = 8
WIDTH = 72
WORST = ("Error", "Failed", "Inconclusive", "Successful")


def plot(tracks: Sequence[Track], found: Sequence[Outcome]) -> list[Line]:
    """All of it."""
    lines = [line for track in tracks for line in (*chart(track), ())]
    return [*lines, *summary(found)]


def chart(track: Track, *, width: int = WIDTH, height: int = HEIGHT) -> Iterator[Line]:
    """One metric."""
    yield _title(track)
    columns = buckets(len(track.measurements), width)
    dots = [_dot(track, column) for column in columns]
    known = [dot for dot in dots if dot is not None]
    height = 1 if len(set(known)) == 1 else height
    marks = [worst(track, column) for column in columns]
    labels = _labels(min(known), max(known), height) if known else {}
    indent = " " * (max(map(len, labels.values()), default=0) + 4)
    if known:
        yield from _rows(dots, marks, labels=labels, low=min(known), high=max(known), height=height)
    else:
        yield (Span(f"{indent}no values at all", FAINT),)
    yield from _foot(track, marks, indent)
    yield from verdicts(track, indent)


def _labels(low: float, high: float, height: int) -> dict[int, str]:
    """What stands at the axis, by row."""
    if low == high:
        return {level(low, low=low, high=high, height=height): f"{low:.4g}"}
    return {height - 1: f"{high:.4g}", 0: f"{low:.4g}"}


def verdicts(track: Track, indent: str) -> Iterator[Line]:
    """How often a comparison judged how, in its own words."""
    found = Counter(words for item in track.measurements if (words := (item.metadata or {}).get(VERDICT)))
    if found:
        yield (Span(indent + ", ".join(f"{words} {times}" for words, times in found.most_common()), FAINT),)


def _title(track: Track) -> Line:
    phases = Counter(str(item.phase) for item in track.measurements)
    tail = [
        Span(f"  {state(phase).glyph} {phases[phase]}", state(phase).style)
        for phase in reversed(WORST)
        if phases[phase]
    ]
    every = age(track.interval) or f"{track.interval:g}s"
    measured = count(len(track.measurements), "measurement")
    return (Span(track.metric, BOLD), Span(f", every {every}: {measured}"), *tail)


def buckets(total: int, width: int) -> list[range]:
    """`total` measurements over at most `width` columns, evenly."""
    columns = min(total, width)
    return [range(at * total // columns, (at + 1) * total // columns) for at in range(columns)]


def _dot(track: Track, column: range) -> float | None:
    """The value of a column farthest from the mean of all, so that no spike is lost."""
    known = [value for value in track.numbers if value is not None]
    here = [value for at in column if (value := track.numbers[at]) is not None]
    if not here:
        return None
    middle = sum(known) / len(known)
    return max(here, key=lambda value: abs(value - middle))


def worst(track: Track, column: range) -> str:
    """The worst phase of a column."""
    phases = {str(track.measurements[at].phase) for at in column}
    return next((phase for phase in WORST if phase in phases), "Error")


def _rows(
    dots: Sequence[float | None],
    marks: Sequence[str],
    *,
    labels: Mapping[int, str],
    low: float,
    high: float,
    height: int,
) -> Iterator[Line]:
    levels = [None if dot is None else level(dot, low=low, high=high, height=height) for dot in dots]
    wide = max(map(len, labels.values()))
    for row in reversed(range(height)):
        axis = "┤" if row in labels else "│"
        cells = tuple(
            Span("•", state(mark).style) if at == row else Span(" ") for at, mark in zip(levels, marks, strict=True)
        )
        yield (Span(f"  {labels.get(row, ''):>{wide}} {axis}", FAINT), *cells)


def level(value: float, *, low: float, high: float, height: int) -> int:
    """The row of a value, from 0 at the lowest; the middle where all are the same."""
    return height // 2 if high == low else round((value - low) / (high - low) * (height - 1))


def _foot(track: Track, marks: Sequence[str], indent: str) -> Iterator[Line]:
    times = [item.started_at for item in track.measurements if item.started_at]
    yield (Span(indent), *(Span(state(mark).glyph, state(mark).style) for mark in marks))
    if times:
        yield (Span(f"{indent}{_time(times[0])} … {_time(times[-1])}", FAINT),)


def _time(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def summary(found: Sequence[Outcome]) -> Iterator[Line]:
    """What runs would have come to."""
    if not found:
        yield (Span("No run would have ended within this time: ask about more of it.", FAINT),)
        return
    yield from _first(found[0])
    if len(found) > 1:
        counts = [Span(f"  {state(phase)} {number}", state(phase).style) for phase, number in counted(found).items()]
        yield (Span(f"Of {count(len(found), 'run')} begun one after the other:"), *counts)


def _first(first: Outcome) -> Iterator[Line]:
    shown = state(first.phase)
    took = age((first.ended - first.begun).total_seconds())
    yield (Span(f"A run begun at {_time(first.begun)}: "), Span(str(shown), shown.style), Span(f" after {took}"))
    if first.message:
        yield (Span(f"  {first.message}"),)
