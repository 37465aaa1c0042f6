"""`decide(snapshot, now) -> Plan`: the stages put together for one Rollout. Pure; no clock, no client.

A plan is complete: carried out, it makes the next plan on the resulting world empty until the world moves by itself
(pods become available, a pause ends, a run finishes) or somebody asks for something. Where the next plan has to see
what routers or Services made of this one, it says so by looking again at once.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from types import ModuleType

from rollouts.plan import Plan
from rollouts.strategy import (
    ailing,
    bluegreen,
    canary,
    events,
    invalid,
    measure,
    progressing,
    report,
    restart,
    runs,
    standing,
    trials,
    trouble,
    workload,
    writes,
)
from rollouts.strategy.commands import heed
from rollouts.strategy.course import Course
from rollouts.strategy.decision import Abort, Decision
from rollouts.strategy.podtemplate.gojson import EncodingError
from rollouts.strategy.recorded import recall
from rollouts.strategy.revisions import identify
from rollouts.strategy.situation import Situation
from rollouts.strategy.snapshot import Run, Snapshot
from rollouts.strategy.steps import Hold
from rollouts.strategy.wants import Wants, wants
from rollouts.traffic import ROUTERS, Routers


@workload.resolving
def decide(snapshot: Snapshot, now: datetime, *, routers: Routers = ROUTERS) -> Plan:
    """What to do now about this Rollout. `now` is timezone-aware; `routers`: the table of traffic routers."""
    rollout = snapshot.rollout
    if rollout["metadata"].get("deletionTimestamp"):
        return Plan()
    errors = invalid.problems(snapshot, routers)
    if errors:
        return invalid.plan(rollout, errors, now=now)
    try:
        decision = decision_for(snapshot, now, routers=routers)
    except EncodingError as error:
        return invalid.plan(rollout, (f"spec.template.{error}",), now=now)
    status = report.status(decision)
    return Plan(
        writes=writes.of(decision),
        status=status.patch,
        events=(*events.of(decision), *ailing.events(decision.at, status.patch)),
        requeue_after=status.look_again,
    )


def decision_for(snapshot: Snapshot, now: datetime, *, routers: Routers = ROUTERS) -> Decision:
    """All stages for a valid Rollout; also what the simulator and the pages use."""
    at = situation(snapshot, now, routers=routers)
    strategy = _strategy(at.wants)
    course: Course = strategy.course(at)
    if at.underway and not at.intent.promote_full:
        course = _heed_deadline(course, at)
    abort = None if at.first or at.promoted else _abort(at, course)
    if abort is not None:
        course = Course(index=0, hold=Hold(kind="Aborted", reason=abort.message))
    promote = None if at.promoted or abort else strategy.promotion(at, course)
    goes_on = at.underway and abort is None and promote is None and not at.fast
    return Decision(
        at=at,
        course=course,
        target=strategy.target(at, course, aborted=abort is not None, promote=promote is not None),
        current_runs=measure.current_runs(at, course) if goes_on else (),
        trial=trials.current(at, course.index, begins=course.begin is not None) if goes_on else None,
        abort=abort,
        promote=promote,
        restart=restart.restart(
            wants=at.wants,
            recorded=at.recorded,
            revisions=at.revisions,
            pods=snapshot.pods,
            reset=at.intent.reset,
            now=now,
        ),
    )


def situation(snapshot: Snapshot, now: datetime, *, routers: Routers) -> Situation:
    """The stages before any decision: recall, identify, heed."""
    want, recorded = wants(snapshot.rollout), recall(snapshot.rollout)
    revisions = identify(snapshot, recorded, template=want.template, steps=want.steps)
    intent = heed(recorded=recorded, revisions=revisions, paused=want.paused, steps=len(want.steps))
    history = tuple(Run.of(raw) for raw in snapshot.analysis_runs)
    fresh = not recorded.stable_hash or intent.reset or intent.retry
    return Situation(
        snapshot=snapshot,
        now=now,
        wants=want,
        recorded=recorded,
        revisions=revisions,
        intent=intent,
        attempt=runs.attempt(history, recorded=recorded, revisions=revisions, fresh=fresh),
        runs=history,
        routers=routers,
    )


def _strategy(want: Wants) -> ModuleType:
    return canary if want.canary is not None else bluegreen


def _heed_deadline(course: Course, at: Situation) -> Course:
    if not at.wants.deadline_aborts or course.abort or standing.waits(course):
        return course
    if hopeless := trouble.fatal(ailing.troubles(at)):
        return replace(course, abort=hopeless)
    expires = progressing.expiry(at.recorded, deadline=at.wants.deadline)
    if expires is None or at.now <= expires or course.completed:
        return course
    return replace(course, abort="progress deadline exceeded")


def _abort(at: Situation, course: Course) -> Abort | None:
    intent = at.intent
    if not intent.abort and course.abort is None:
        return None
    fresh = intent.aborted_at is None
    before = at.recorded.condition("Progressing") or {}
    if not fresh and before.get("reason") == "RolloutAborted":
        return Abort(message=before.get("message") or "", fresh=False, by_person=False)
    message = f"Rollout aborted update to revision {at.revisions.number}"
    if course.abort:
        message += f": {course.abort}"
    return Abort(message=message, fresh=fresh, by_person=course.abort is None)
