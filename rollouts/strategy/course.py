"""Course: where in the steps are we, which of them are done, and what holds us.

The walk starts at the recorded step and goes on for as long as each step says it is done in the world as it is, so
steps that need nothing cost no extra decision and no extra write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from rollouts.strategy import runs
from rollouts.strategy.commands import Intent
from rollouts.strategy.recorded import INCONCLUSIVE, INCONCLUSIVE_EXPERIMENT, Pause
from rollouts.strategy.runs import RunKind
from rollouts.strategy.situation import Situation
from rollouts.strategy.steps import Hold, Position, Verdict, kind_of

Steps = Sequence[Mapping[str, Any]]

_JUDGED: Final = frozenset({INCONCLUSIVE, INCONCLUSIVE_EXPERIMENT})
View = Callable[[int], Position]
"""What step i sees of the world: all of a position but the pauses, which the walk itself knows."""

INITIAL: Final = "Initial deploy"
"""Why the first version becomes stable: there is none yet."""

USER_PAUSE: Final = Hold(kind="UserPause", reason="manually paused: spec.paused is true", patient=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """Where a Rollout stands.

    `index`: the step it is at (len(steps): past the last). `completed`: steps done in this decision. `abort`: the
    reason, when this decision aborts. `begin`: the kind of AnalysisRun that is to begin now. Blue/green: `checkpoint`:
    its pause is over; `cutover`: the active Service belongs to the new ReplicaSet from now on.
    """

    index: int
    pauses: tuple[Pause, ...] = ()
    controller_pause: bool = False
    completed: tuple[int, ...] = ()
    hold: Hold | None = None
    abort: str | None = None
    begin: RunKind | None = None
    checkpoint: bool = False
    cutover: bool = False


def follow(
    *,
    steps: Steps,
    intent: Intent,
    first: bool,
    promoted: bool,
    fast: bool,
    view: View,
) -> Course:
    """The course of a canary. `fast`: steps are skipped. `view`: what a step sees of the world."""
    end = len(steps)
    if first or promoted:
        return Course(index=end)
    if intent.abort:
        return Course(index=0)
    if fast:
        return Course(index=end)
    start = Course(index=intent.index, pauses=intent.pauses, controller_pause=intent.controller_pause)
    if intent.paused:
        return replace(start, hold=USER_PAUSE, abort=_verdict(start, steps=steps, view=view).abort)
    return _walk(start, steps=steps, view=view)


def _walk(course: Course, *, steps: Steps, view: View) -> Course:
    while course.index < len(steps):
        verdict = _verdict(course, steps=steps, view=view)
        if not verdict.done:
            return held(course, verdict, runs.STEP)
        course = replace(
            course,
            index=course.index + 1,
            completed=(*course.completed, course.index),
            pauses=(),
            controller_pause=False,
        )
    return course


def _verdict(course: Course, *, steps: Steps, view: View) -> Verdict:
    """What the step it is at says; past the last that all is done."""
    if course.index >= len(steps):
        return Verdict(done=True)
    kind, value = kind_of(steps[course.index])
    if kind is None:
        return Verdict(hold=Hold(kind="Unsupported", reason="this kind of step is not supported"))
    position = replace(view(course.index), value=value, pauses=_relevant(course.pauses, kind.key))
    return kind.progress(replace(position, controller_pause=course.controller_pause))


def _relevant(pauses: tuple[Pause, ...], step: str) -> tuple[Pause, ...]:
    """Pauses left over from another step (somebody moved the index) don't count; an inconclusive one always does."""
    return tuple(pause for pause in pauses if pause.reason in _JUDGED or step == "pause") if pauses else ()


def held(course: Course, verdict: Verdict, kind: RunKind) -> Course:
    """The course that ends at a verdict which is not `done`. `kind`: of the run it may ask for."""
    return replace(
        course,
        pauses=verdict.pauses,
        controller_pause=verdict.controller_pause,
        hold=verdict.hold,
        abort=verdict.abort,
        begin=kind if verdict.measure else None,
    )


def inconclusive(pauses: Sequence[Pause]) -> bool:
    """Whether an inconclusive analysis or experiment holds the Rollout."""
    return any(pause.reason in _JUDGED for pause in pauses)


def stands_still(at: Situation, course: Course) -> bool:
    """A person's pause, or an inconclusive analysis, holds all pods where they are."""
    return at.intent.paused or inconclusive(course.pauses)


def frozen(at: Situation, course: Course) -> bool:
    """All pods are held where they are, N itself has not changed, and the stable ones are not gone altogether."""
    return stands_still(at, course) and not at.rescaled and not at.alone
