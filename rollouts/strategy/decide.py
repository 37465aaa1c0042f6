"""`decide(snapshot, now) -> Plan`: the stages put together for one Rollout. Pure; no clock, no client.

A plan is complete: carried out, it makes the next plan on the resulting world empty until the world moves by itself
(pods become available, a pause ends, a run finishes) or somebody asks for something.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from rollouts.plan import Plan
from rollouts.strategy import canary, events, invalid, measure, moves, progressing, report, restart, runs, writes
from rollouts.strategy.commands import Intent, heed
from rollouts.strategy.course import Course, follow, inconclusive
from rollouts.strategy.decision import Abort, Decision
from rollouts.strategy.podtemplate.gojson import EncodingError
from rollouts.strategy.recorded import Recorded, recall
from rollouts.strategy.revisions import Revisions, identify
from rollouts.strategy.snapshot import Run, Snapshot
from rollouts.strategy.steps import Hold
from rollouts.strategy.wants import Wants, wants


def decide(snapshot: Snapshot, now: datetime) -> Plan:
    """What to do now about this Rollout. `now` is timezone-aware."""
    rollout = snapshot.rollout
    if rollout["metadata"].get("deletionTimestamp"):
        return Plan()
    errors = invalid.problems(snapshot)
    if errors:
        return invalid.plan(rollout, errors, now=now)
    try:
        decision = decision_for(snapshot, now)
    except EncodingError as error:
        return invalid.plan(rollout, (f"spec.template.{error}",), now=now)
    status = report.status(decision)
    return Plan(
        writes=writes.of(decision),
        status=status.patch,
        events=events.of(decision),
        requeue_after=status.look_again,
    )


def decision_for(snapshot: Snapshot, now: datetime) -> Decision:
    """All stages for a valid canary; also what the simulator and the pages use."""
    want = wants(snapshot.rollout)
    recorded = recall(snapshot.rollout)
    revisions = identify(snapshot, recorded, template=want.template, steps=want.steps)
    intent = heed(recorded=recorded, revisions=revisions, paused=want.paused, steps=len(want.steps))
    first = not recorded.stable_hash
    promoted = not first and recorded.stable_hash == revisions.hash
    history = tuple(Run.of(raw) for raw in snapshot.analysis_runs)
    attempt = runs.attempt(history, recorded=recorded, revisions=revisions, fresh=first or intent.reset or intent.retry)
    course = follow(
        steps=want.steps,
        intent=intent,
        first=first,
        promoted=promoted,
        attempt=attempt,
        at_desired=lambda index: _at_desired(want, revisions, index),
        now=now,
    )
    if not first and not promoted and not intent.abort and not intent.promote_full:
        course = measure.heed_background(course, want, attempt, intent, now=now)
        course = _heed_deadline(course, want, recorded, now=now)
    abort = None if first or promoted else _abort(recorded, revisions, intent, course)
    if abort is not None:
        course = Course(index=0, hold=Hold(kind="Aborted", reason=abort.message))
    decision = Decision(
        rollout=snapshot.rollout,
        now=now,
        wants=want,
        recorded=recorded,
        revisions=revisions,
        intent=intent,
        course=course,
        counts=_counts(want, revisions, intent, course, aborted=abort is not None, full=first or promoted),
        runs=history,
        current_runs=(),
        first=first,
        promoted=promoted,
        abort=abort,
        restart=restart.restart(
            wants=want, recorded=recorded, revisions=revisions, pods=snapshot.pods, reset=intent.reset, now=now
        ),
        promote=_promotion(want, revisions, intent, course, first=first, settled=promoted or abort is not None),
    )
    return replace(decision, current_runs=measure.current_runs(decision, attempt, snapshot))


def _at_desired(want: Wants, revisions: Revisions, index: int) -> bool:
    """Whether all pods a step wants are there, and no older ones serve any more."""
    new, stable = revisions.new, revisions.distinct_stable
    desired_new, desired_stable = canary.desired_counts(
        limits=want.limits, weight=canary.weight_at(want.steps, index), distinct_stable=stable is not None
    )
    here = (new.replicas, new.available) if new else (0, 0)
    return (
        here == (desired_new, desired_new)
        and all(rs.settled for rs in (new, stable) if rs)
        and (stable is None or stable.replicas == stable.current == desired_stable)
        and not any(rs.available for rs in revisions.others)
    )


def _heed_deadline(course: Course, want: Wants, recorded: Recorded, *, now: datetime) -> Course:
    if not want.deadline_aborts or course.abort or report.waits(course):
        return course
    expires = progressing.expiry(recorded, deadline=want.deadline)
    if expires is None or now <= expires or course.completed:
        return course
    return replace(course, abort="progress deadline exceeded")


def _abort(recorded: Recorded, revisions: Revisions, intent: Intent, course: Course) -> Abort | None:
    if not intent.abort and course.abort is None:
        return None
    fresh = intent.aborted_at is None
    before = recorded.condition("Progressing") or {}
    if not fresh and before.get("reason") == "RolloutAborted":
        return Abort(message=before.get("message") or "", fresh=False, by_person=False)
    message = f"Rollout aborted update to revision {revisions.number}"
    if course.abort:
        message += f": {course.abort}"
    return Abort(message=message, fresh=fresh, by_person=course.abort is None)


def _counts(
    want: Wants, revisions: Revisions, intent: Intent, course: Course, *, aborted: bool, full: bool
) -> moves.Counts:
    new, stable, others = revisions.new, revisions.distinct_stable, revisions.others
    if _frozen(want, revisions, intent, course):
        return moves.Counts(
            new=new.replicas if new else 0,
            stable=stable.replicas if stable else 0,
            others=tuple(rs.replicas for rs in others),
        )
    weight = canary.FULL if full else 0 if aborted else canary.weight_at(want.steps, course.index)
    desired = canary.desired_counts(limits=want.limits, weight=weight, distinct_stable=stable is not None)
    return moves.furthest(limits=want.limits, desired=desired, new=new, stable=stable, others=others)


def _frozen(want: Wants, revisions: Revisions, intent: Intent, course: Course) -> bool:
    """A person's pause, or an inconclusive analysis, holds all pods where they are, unless N itself changed."""
    held = intent.paused or inconclusive(course.pauses)
    active = [rs for rs in (revisions.new, revisions.distinct_stable) if rs and rs.replicas]
    return held and not any(rs.desired is not None and rs.desired != want.limits.replicas for rs in active)


def _promotion(
    want: Wants, revisions: Revisions, intent: Intent, course: Course, *, first: bool, settled: bool
) -> str | None:
    if settled or course.hold is not None:
        return None
    if first:
        return "Initial deploy"
    if revisions.new is None or revisions.new.available < want.limits.replicas or intent.paused:
        return None
    if intent.promote_full:
        return "Full promotion requested"
    if course.index >= len(want.steps):
        return f"Completed all {len(want.steps)} canary steps"
    return None
