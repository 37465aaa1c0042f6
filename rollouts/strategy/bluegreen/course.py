"""How far a blue/green update is: one function per stage, each done or saying what holds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from rollouts.strategy import conditions, runs, services
from rollouts.strategy.course import INITIAL, USER_PAUSE, Course, held
from rollouts.strategy.recorded import BLUE_GREEN_PAUSE, Pause
from rollouts.strategy.runs import RunKind
from rollouts.strategy.situation import Situation
from rollouts.strategy.snapshot import ReplicaSet
from rollouts.strategy.steps import Hold, Position, Verdict
from rollouts.strategy.steps.analysis import judge
from rollouts.strategy.wants import BlueGreen

DONE = Verdict(done=True)
Stage = Callable[[Situation, BlueGreen], Verdict]


def course(at: Situation) -> Course:
    """Where it stands. A fast rollback and a full promotion only wait for the pods."""
    wanted = at.wants.blue_green
    if wanted is None or not at.underway:
        return Course(index=0)
    switched = is_switched(at, wanted)
    if at.intent.paused:
        start = Course(index=0, pauses=at.intent.pauses, controller_pause=at.intent.controller_pause)
        failed = _pre(at, wanted).abort or _post(at, wanted, switched=switched).abort
        return replace(start, hold=USER_PAUSE, cutover=switched, checkpoint=at.checkpoint, abort=failed)
    if unserved(at, wanted):
        return Course(index=0, cutover=True)
    return _walk(at, wanted, switched=switched)


def _walk(at: Situation, wanted: BlueGreen, *, switched: bool) -> Course:
    """Stages before the switch, the switch, stages after it."""
    passed = at.checkpoint or (_pauses(wanted) and _resumed(at))
    if not switched:
        for stage, kind in () if at.fast or passed else _BEFORE:
            verdict = stage(at, wanted)
            if not verdict.done:
                return held(Course(index=0), verdict, kind)
        passed = passed or _pauses(wanted) or wanted.preview_replicas is not None
        verdict = _in_full(at)
        if not verdict.done:
            return replace(held(Course(index=0), verdict, runs.POST), checkpoint=passed)
    after = DONE if at.fast else _post(at, wanted, switched=switched)
    if not after.done:
        return replace(held(Course(index=0), after, runs.POST), cutover=True, checkpoint=passed)
    return Course(index=0, cutover=True, checkpoint=passed)


def is_switched(at: Situation, wanted: BlueGreen) -> bool:
    """Whether the active Service selects the new pods already."""
    return services.selected(at.snapshot.services, wanted.active_service) == at.revisions.hash


def unserved(at: Situation, wanted: BlueGreen) -> bool:
    """Whether the first deploy is not over: the Rollout was never Healthy, the active Service still selects all pods,
    and the version deployed first can't take it. Then the newer version takes that one's place, as with the peer;
    there is nothing to compare it with, and nobody to keep it from."""
    stable = at.revisions.distinct_stable
    taken = services.selected(at.snapshot.services, wanted.active_service)
    return stable is not None and not taken and not stable.full and not at.recorded.condition(conditions.HEALTHY)


def _ready(at: Situation, wanted: BlueGreen) -> Verdict:
    needed = at.wants.limits.replicas if wanted.preview_replicas is None else wanted.preview_replicas
    here = at.revisions.new.available if at.revisions.new else 0
    if here >= needed or _was_ready(at):
        return DONE
    return Verdict(hold=Hold(kind="Replicas", reason=f"waiting for the preview: {here} of {needed} pods are available"))


def _was_ready(at: Situation) -> bool:
    """What comes after was begun already; pods lost meanwhile are waited for before the switch."""
    return at.attempt.current(runs.PRE) is not None or bool(at.intent.pauses) or at.intent.resumed


def _pre(at: Situation, wanted: BlueGreen) -> Verdict:
    return _judged(at, wanted.pre, runs.PRE)


def _post(at: Situation, wanted: BlueGreen, *, switched: bool) -> Verdict:
    if wanted.post is not None and not switched:
        return Verdict(hold=Hold(kind="Service", reason="waiting for the active Service to switch"))
    return _judged(at, wanted.post, runs.POST)


def _judged(at: Situation, block: Any, kind: RunKind) -> Verdict:
    if block is None:
        return DONE
    return judge(_position(at, block, kind), kind.abort_prefix)


def _position(at: Situation, block: Any, kind: RunKind) -> Position:
    return Position(
        now=at.now,
        index=0,
        value=block,
        at_desired=True,
        pauses=tuple(pause for pause in at.intent.pauses if pause.reason != BLUE_GREEN_PAUSE),
        controller_pause=at.intent.controller_pause,
        run=at.attempt.current(kind),
    )


def _pauses(wanted: BlueGreen) -> bool:
    return wanted.auto_seconds != 0


def _pause(at: Situation, wanted: BlueGreen) -> Verdict:
    """Until a person clears the pause, or for autoPromotionSeconds."""
    if not _pauses(wanted):
        return DONE
    before = next((pause for pause in at.intent.pauses if pause.reason == BLUE_GREEN_PAUSE), None)
    pause = before or Pause(reason=BLUE_GREEN_PAUSE, start=at.now.replace(microsecond=0))
    until = None if wanted.auto_seconds is None else pause.start + timedelta(seconds=wanted.auto_seconds)
    if until is not None and at.now >= until:
        return DONE
    reason = "paused until somebody promotes" if until is None else f"paused for {wanted.auto_seconds}s"
    hold = Hold(kind="Pause", reason=reason, since=pause.start, until=until, patient=True)
    return Verdict(hold=hold, pauses=(pause,), controller_pause=True)


def _resumed(at: Situation) -> bool:
    """Somebody ended this pause, and not that of an inconclusive analysis before it."""
    before = at.recorded.run(runs.PRE.section, runs.PRE.status_key).get("status")
    return at.intent.resumed and before != "Inconclusive"


def _in_full(at: Situation) -> Verdict:
    if in_full(at, at.revisions.new):
        return DONE
    here, needed = at.revisions.new.available if at.revisions.new else 0, at.wants.limits.replicas
    return Verdict(hold=Hold(kind="Replicas", reason=f"waiting for all pods: {here} of {needed} are available"))


def in_full(at: Situation, rs: ReplicaSet | None) -> bool:
    """Whether a ReplicaSet could take all traffic: it was sized for N, and N pods are available."""
    wanted = at.wants.limits.replicas
    return rs is not None and rs.settled and rs.replicas == wanted and rs.available >= wanted


_BEFORE: tuple[tuple[Stage, RunKind], ...] = ((_ready, runs.PRE), (_pre, runs.PRE), (_pause, runs.PRE))


def promotion(at: Situation, course: Course) -> str | None:
    """Why new becomes stable now; None when it does not yet."""
    if at.first:
        return INITIAL
    wanted = at.wants.blue_green
    if wanted is None or course.hold is not None or not course.cutover:
        return None
    return at.fast or (INITIAL if unserved(at, wanted) else "Completed blue-green update")
