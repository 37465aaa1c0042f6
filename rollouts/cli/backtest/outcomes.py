"""What would have come of a run begun at each moment of the past: the tracks of a replay, judged by `assess`. Pure.

A run begun at 12:00 takes its measurements from the tracks, at the moments its intervals, delays and errors lead to,
until it has a verdict. One that has none at the end of the range is left out, unless it was meant to go on for ever
(no count): then it would have been ended as Successful. Templates with comparisons are replayed by `turns`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from analysis.assess import assess
from analysis.record import Measured, record
from analysis.spec import COMPLETED, Measurement, RunSpec, RunStatus
from rollouts.cli.backtest.replay import Track

MOST = 300
"""Runs judged; with more moments, every second, third, … of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A run begun at `begun`: its phase, when that was clear, and why."""

    begun: datetime
    ended: datetime
    phase: str
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Tape:
    """The measurements of all metrics by time."""

    tracks: dict[str, Track]
    times: dict[str, list[datetime]]

    @classmethod
    def of(cls, tracks: Sequence[Track]) -> Tape:
        """The tape of some tracks."""
        times = {track.metric: [item.started_at for item in track.measurements if item.started_at] for track in tracks}
        return cls(tracks={track.metric: track for track in tracks}, times=times)

    def at(self, metric: str, now: datetime) -> Measurement:
        """The newest measurement of the metric at that moment, as if it had been taken then."""
        place = max(0, bisect_right(self.times[metric], now) - 1)
        found = self.tracks[metric].measurements[place]
        return found.model_copy(update={"started_at": now, "finished_at": now})


def outcomes(spec: RunSpec, tracks: Sequence[Track], *, end: datetime) -> tuple[Outcome, ...]:
    """Outcomes in order of their beginning; the first is of the run begun with the range."""
    tape = Tape.of(tracks)
    found = (_outcome(spec, tape, begin, end) for begin in _beginnings(tracks))
    return tuple(outcome for outcome in found if outcome is not None)


def _beginnings(tracks: Sequence[Track]) -> Iterator[datetime]:
    finest = min(tracks, key=lambda track: track.interval)
    times = [item.started_at for item in finest.measurements if item.started_at]
    yield from times[:: max(1, -(-len(times) // MOST))]


def _outcome(spec: RunSpec, tape: Tape, begin: datetime, end: datetime) -> Outcome | None:
    status, now = RunStatus(), begin
    while True:
        look = assess(spec=spec, status=status, now=now)
        status = look.status
        if status.phase in COMPLETED:
            return Outcome(begun=begin, ended=now, phase=str(status.phase), message=status.message or "")
        if look.due:
            taken = [Measured(metric=task.name, measurement=tape.at(task.name, now)) for task in look.due]
            status = record(spec=spec, status=status, measured=taken)
        elif look.next_look is None or look.next_look > end:
            return unfinished(spec, status, begin, end)
        else:
            now = max(look.next_look, now + timedelta(milliseconds=1))


def unfinished(spec: RunSpec, status: RunStatus, begin: datetime, end: datetime) -> Outcome | None:
    """The verdict at the end of the range, for a run without an end of its own; None: it would still be running."""
    if any(metric.effective_count is not None for metric in spec.metrics):
        return None
    ended = assess(spec=spec.model_copy(update={"terminate": True}), status=status, now=end).status
    return Outcome(begun=begin, ended=end, phase=str(ended.phase), message=ended.message or "")


def counted(found: Sequence[Outcome]) -> dict[str, int]:
    """How many runs came to which phase, the best first."""
    counts = Counter(outcome.phase for outcome in found)
    return {phase: counts[phase] for phase in ("Successful", "Inconclusive", "Error", "Failed") if counts[phase]}
