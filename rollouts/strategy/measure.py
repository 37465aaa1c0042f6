"""Measuring during an update: the AnalysisRuns it looks at now, and what background analysis has to say.

Step runs are asked for by the `analysis` step (steps/analysis.py); the background run exists from `startingStep` on
until the update ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from rollouts.strategy import runs, templates
from rollouts.strategy.commands import Intent
from rollouts.strategy.course import Course
from rollouts.strategy.decision import CurrentRun, Decision
from rollouts.strategy.recorded import INCONCLUSIVE, Pause
from rollouts.strategy.runs import Attempt, RunKind
from rollouts.strategy.snapshot import Run, Snapshot
from rollouts.strategy.steps import Hold
from rollouts.strategy.steps.analysis import failure
from rollouts.strategy.wants import Wants

JSON = Mapping[str, Any]


def heed_background(course: Course, want: Wants, attempt: Attempt, intent: Intent, *, now: datetime) -> Course:
    """Abort or pause where the background run says so."""
    run = attempt.current(runs.BACKGROUND) if want.background else None
    if run is None or course.abort:
        return course
    if run.phase in {"Failed", "Error"}:
        return replace(course, abort=failure(runs.BACKGROUND.abort_prefix, run))
    if run.phase != "Inconclusive" or intent.resumed:
        return course
    pauses = intent.pauses or (Pause(reason=INCONCLUSIVE, start=now.replace(microsecond=0)),)
    reason = f"background analysis {run.name} is inconclusive: promote to go on, abort to go back"
    hold = Hold(kind="Inconclusive", reason=reason, since=pauses[0].start)
    return replace(
        course, index=intent.index, completed=(), pauses=pauses, controller_pause=True, hold=hold, measure=None
    )


def current_runs(decision: Decision, attempt: Attempt, snapshot: Snapshot) -> tuple[CurrentRun, ...]:
    """The runs status names after this decision, those to create included."""
    if not decision.in_progress or decision.first or decision.intent.promote_full:
        return ()
    found = (_step(decision, attempt, snapshot), _background(decision, attempt, snapshot))
    return tuple(run for run in found if run is not None)


def _step(decision: Decision, attempt: Attempt, snapshot: Snapshot) -> CurrentRun | None:
    index = decision.course.index
    if index >= len(decision.wants.steps) or "analysis" not in decision.wants.steps[index]:
        return None
    run = attempt.current(runs.STEP, step=index)
    if decision.course.measure != index:
        return None if run is None else CurrentRun(kind=runs.STEP, name=run.name, step=index, run=run)
    block = decision.wants.steps[index]["analysis"] or {}
    return _create(decision, snapshot, kind=runs.STEP, block=block, path=step_path(index), step=index)


def _background(decision: Decision, attempt: Attempt, snapshot: Snapshot) -> CurrentRun | None:
    block = decision.wants.background
    if not block or decision.course.index < (block.get("startingStep") or 0):
        return None
    run = attempt.current(runs.BACKGROUND)
    again = run is not None and run.phase == "Inconclusive" and decision.intent.resumed
    if run is None and decision.course.index >= len(decision.wants.steps):
        return None
    if run is not None and not again:
        return CurrentRun(kind=runs.BACKGROUND, name=run.name, step=None, run=run)
    return _create(decision, snapshot, kind=runs.BACKGROUND, block=block, path=BACKGROUND_PATH, step=None)


def _create(
    decision: Decision, snapshot: Snapshot, *, kind: RunKind, block: JSON, path: str, step: int | None
) -> CurrentRun:
    revisions = decision.revisions
    base = f"{decision.wants.name}-{revisions.hash}-{revisions.number}" + ("" if step is None else f"-{step}")
    spec = templates.run_spec(
        block,
        snapshot,
        path=path,
        stable_hash=decision.recorded.stable_hash,
        latest_hash=revisions.hash,
        background=kind is runs.BACKGROUND,
    )
    name = runs.free_name(base, _names(decision.runs))
    return CurrentRun(
        kind=kind, name=name, step=step, run=None, create=spec, metadata=block.get("analysisRunMetadata") or {}
    )


def _names(existing: tuple[Run, ...]) -> list[str]:
    return [run.name for run in existing]


BACKGROUND_PATH = "spec.strategy.canary.analysis"


def step_path(index: int) -> str:
    """Where an analysis step stands in the object."""
    return f"spec.strategy.canary.steps[{index}].analysis"
