"""Measuring during an update: the AnalysisRuns it looks at now, and what background analysis has to say.

A *place* is a block of the spec that runs come from: an `analysis` step, the canary's background analysis, those before
and after a blue/green switch. Most places ask for their run themselves (`Course.begin`); the background run exists from
`startingStep` on until the update ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rollouts.strategy import runs, templates
from rollouts.strategy.course import Course
from rollouts.strategy.decision import CurrentRun
from rollouts.strategy.runs import RunKind
from rollouts.strategy.situation import Situation
from rollouts.strategy.snapshot import Snapshot
from rollouts.strategy.steps.analysis import failure, inconclusive

JSON = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A block runs come from, and its path in the object. `step`: the index of a step."""

    kind: RunKind
    block: JSON
    path: str
    step: int | None = None


def places(rollout: JSON) -> Iterator[Place]:
    """Every analysis of a Rollout, in the order of its fields."""
    strategy = rollout["spec"]["strategy"]
    for kind, section, key in _BLOCKS:
        block = (strategy.get(section) or {}).get(key)
        if block is not None:
            yield Place(kind=kind, block=block, path=f"spec.strategy.{section}.{key}")
    for index, step in enumerate((strategy.get("canary") or {}).get("steps") or ()):
        if step.get("analysis") is not None:
            path = f"spec.strategy.canary.steps[{index}].analysis"
            yield Place(kind=runs.STEP, block=step["analysis"], path=path, step=index)


_BLOCKS = (
    (runs.BACKGROUND, "canary", "analysis"),
    (runs.PRE, "blueGreen", "prePromotionAnalysis"),
    (runs.POST, "blueGreen", "postPromotionAnalysis"),
)


def problems(snapshot: Snapshot) -> Iterator[str]:
    """What is wrong with the analyses, as `path: message`."""
    for place in places(snapshot.rollout):
        try:
            _spec(place, snapshot, stable="-", latest="-")
        except templates.UnusableAnalysisError as error:
            yield from map(str, error.problems)


def heed_background(course: Course, at: Situation) -> Course:
    """Abort or pause where the background run says so."""
    run = at.attempt.current(runs.BACKGROUND) if at.wants.background else None
    if run is None or course.abort:
        return course
    if run.phase in {"Failed", "Error"}:
        return replace(course, abort=failure(runs.BACKGROUND.abort_prefix, run))
    if run.phase != "Inconclusive" or at.intent.resumed:
        return course
    verdict = inconclusive(at.intent.pauses, run, now=at.now)
    hold = verdict.hold and replace(verdict.hold, reason=f"background {verdict.hold.reason}")
    return Course(index=at.intent.index, pauses=verdict.pauses, controller_pause=True, hold=hold)


def current_runs(at: Situation, course: Course) -> tuple[CurrentRun, ...]:
    """The runs status names while the update goes on, those to create included."""
    found = (_current(at, course, place) for place in places(at.snapshot.rollout))
    return tuple(run for run in found if run is not None)


def _current(at: Situation, course: Course, place: Place) -> CurrentRun | None:
    if place.step is not None and place.step != course.index:
        return None
    run = at.attempt.current(place.kind, step=place.step)
    if _begins(at, course, place):
        return _create(at, place)
    return None if run is None else CurrentRun(kind=place.kind, name=run.name, step=place.step, run=run)


def _begins(at: Situation, course: Course, place: Place) -> bool:
    if place.kind is not runs.BACKGROUND:
        return course.begin is place.kind
    run = at.attempt.current(runs.BACKGROUND)
    if course.index < (place.block.get("startingStep") or 0):
        return False
    if run is None:
        return course.index < len(at.wants.steps)
    return run.phase == "Inconclusive" and at.intent.resumed


def _create(at: Situation, place: Place) -> CurrentRun:
    revisions = at.revisions
    suffix = place.kind.suffix if place.step is None else f"-{place.step}"
    base = f"{at.wants.name}-{revisions.hash}-{revisions.number}{suffix}"
    return CurrentRun(
        kind=place.kind,
        name=runs.free_name(base, [run.name for run in at.runs]),
        step=place.step,
        run=None,
        create=_spec(place, at.snapshot, stable=at.recorded.stable_hash, latest=revisions.hash),
        metadata=place.block.get("analysisRunMetadata") or {},
    )


def _spec(place: Place, snapshot: Snapshot, *, stable: str, latest: str) -> dict[str, Any]:
    return templates.run_spec(
        place.block,
        snapshot,
        path=place.path,
        stable_hash=stable,
        latest_hash=latest,
        background=place.kind is runs.BACKGROUND,
        strict=True,
    )
