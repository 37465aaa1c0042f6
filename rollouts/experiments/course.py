"""Where an Experiment stands: has it begun, does it end, and with what result.

It ends when it is told to (`spec.terminate`), when a template or an analysis comes to a bad end, or by itself: after
its duration, counted from the moment all templates were available, but not before the required analyses have finished;
without a duration, once they have. A failure decides at once; success waits until every run has finished, since a run
told to end may still turn out badly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from analysis.spec.durations import as_timedelta
from rollouts.api.experiment import Experiment, ExperimentSpec
from rollouts.experiments import analyses, looks
from rollouts.experiments.analyses import Analysis
from rollouts.experiments.looks import Look
from rollouts.experiments.recorded import (
    BAD,
    ERROR,
    FAILED,
    FINAL,
    INCONCLUSIVE,
    PENDING,
    PROGRESSING,
    RUNNING,
    SUCCESSFUL,
    Recorded,
)
from rollouts.experiments.snapshot import Snapshot

_WORST: Final = (FAILED, ERROR, INCONCLUSIVE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Templates and analyses as they stand, and what follows. `ends`: nothing is started or kept up any more."""

    looks: tuple[Look, ...]
    analyses: tuple[Analysis, ...]
    available_at: datetime | None
    ends: bool
    phase: str
    message: str


def follow(snapshot: Snapshot, model: Experiment, recorded: Recorded, *, now: datetime) -> Course:
    """The course of an Experiment. `now` in whole seconds. Raises `EncodingError` like `looks.look`."""
    found = looks.look(snapshot, model, recorded, now=now)
    available_at = recorded.available_at or (now if all(each.status == RUNNING for each in found) else None)
    ends = recorded.over or bool(model.spec.terminate) or _bad(found)
    if ends or available_at is None:
        judged = analyses.known(snapshot, model, recorded)
    else:
        judged = analyses.look(snapshot, model, recorded, found, available_at=available_at)
    ends = ends or _bad(judged) or _finished(model.spec, judged, available_at, now=now)
    if ends:
        found = tuple(each.ended(now) for each in found)
        judged = tuple(each for each in judged if each.create is None)
    phase, message = _phase(recorded, found, judged, ends=ends, expected=len(model.spec.analyses or ()))
    return Course(looks=found, analyses=judged, available_at=available_at, ends=ends, phase=phase, message=message)


def ends_at(spec: ExperimentSpec, available_at: datetime | None) -> datetime | None:
    """When the duration is over; None when that is not known."""
    if available_at is None or spec.duration is None:
        return None
    return available_at + as_timedelta(spec.duration)


def _bad(parts: Sequence[Look | Analysis]) -> bool:
    return any(part.status in BAD for part in parts)


def _finished(
    spec: ExperimentSpec, judged: Sequence[Analysis], available_at: datetime | None, *, now: datetime
) -> bool:
    required = [each for each in judged if each.required]
    if available_at is None or not all(each.status in FINAL for each in required):
        return False
    over = ends_at(spec, available_at)
    return bool(required) if over is None else now >= over


def _phase(
    recorded: Recorded, found: Sequence[Look], judged: Sequence[Analysis], *, ends: bool, expected: int
) -> tuple[str, str]:
    if recorded.over:
        return recorded.phase, recorded.message
    parts: tuple[Look | Analysis, ...] = (*found, *judged)
    for phase in _WORST:
        bad = next((part for part in parts if part.status == phase), None)
        if bad is not None and (phase != INCONCLUSIVE or not _waits(judged)):
            return phase, bad.message
    if ends and not _waits(judged):
        return SUCCESSFUL, ""
    under_way = [*(each.status for each in found), *(each.status for each in judged)]
    running = len(judged) == expected and set(under_way) <= {RUNNING, SUCCESSFUL}
    waits_for = next((each.message for each in found if each.status == PROGRESSING and each.message), "")
    return (RUNNING, "") if ends or running else (PENDING, waits_for)


def _waits(judged: Sequence[Analysis]) -> bool:
    return any(each.ongoing for each in judged)
