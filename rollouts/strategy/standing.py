"""Where an update stands, in the words of the condition Progressing and of the phase."""

from __future__ import annotations

from rollouts.strategy import ailing, conditions, phase, progressing, trouble
from rollouts.strategy.course import Course
from rollouts.strategy.decision import Decision
from rollouts.strategy.sections import Pods, cut_over


def waits(course: Course) -> bool:
    """Whether something that may take its time holds us, so that the progress deadline does not count."""
    return course.hold is not None and course.hold.patient


def facts(decision: Decision, pods: Pods) -> progressing.Facts:
    wanted = decision.wants.limits.replicas
    promoted = decision.stable_hash == decision.revisions.hash
    alone = pods.updated == pods.total if decision.wants.blue_green is None else cut_over(decision)
    complete = promoted and alone and pods.updated == wanted and pods.available >= wanted
    return progressing.Facts(
        recorded=decision.recorded,
        replica_set=decision.revisions.name if not decision.revisions.new else decision.revisions.new.name,
        created=decision.revisions.new is None,
        abort=decision.abort.message if decision.abort else None,
        paused=bool(decision.course.pauses) or decision.wants.paused,
        retry=decision.intent.retry,
        complete=complete,
        progressed=_progressed(decision, pods),
        short_of_pods=pods.available < decision.wants.limits.replicas,
        waiting=waits(decision.course),
        deadline=decision.wants.deadline,
        now=decision.now,
        promoted=promoted,
        trouble="" if decision.abort else ailing.words(decision.at),
        trouble_before=ailing.said_before(decision.recorded.raw.get("conditions") or (), (conditions.PROGRESSING,)),
    )


def _progressed(decision: Decision, pods: Pods) -> bool:
    before = decision.recorded.raw
    old_pods_before = before.get("replicas", 0) - before.get("updatedReplicas", 0)
    loops = trouble.crashing(ailing.troubles(decision.at))
    return (
        pods.updated > before.get("updatedReplicas", 0)
        or (pods.ready > before.get("readyReplicas", 0) and not loops)
        or (pods.available > before.get("availableReplicas", 0) and not loops)
        or pods.total - pods.updated < old_pods_before
        or bool(decision.course.completed)
        or decision.revisions.hash != decision.recorded.current_hash
        or decision.stable_hash != decision.recorded.stable_hash
        or decision.revisions.restepped
    )


def phase_of(
    decision: Decision, pods: Pods, facts: progressing.Facts, story: conditions.Condition | None
) -> tuple[str, str]:
    if story is None:
        kept = decision.recorded.condition(conditions.PROGRESSING) or {}
        story = conditions.Condition(
            type=conditions.PROGRESSING,
            status=kept.get("status", ""),
            reason=kept.get("reason", ""),
            message=kept.get("message", ""),
        )
    return phase.phase(
        phase.Standing(
            progressing=story,
            paused=decision.wants.paused,
            pauses=decision.course.pauses,
            restarting=decision.restart.pending,
            wanted=decision.wants.limits.replicas,
            updated=pods.updated,
            available=pods.available,
            unfinished=_unfinished(decision, pods),
            obstacle=_obstacle(decision.course),
        )
    )


def _obstacle(course: Course) -> str:
    return course.hold.reason if course.hold is not None and course.hold.kind == "Traffic" else ""


def _unfinished(decision: Decision, pods: Pods) -> str:
    """What is still to do once the new pods are there, in the peer's words; empty when nothing is."""
    wants, promoted = decision.wants, decision.stable_hash == decision.revisions.hash
    if wants.blue_green is not None:
        if not cut_over(decision):
            return "active service cutover pending"
        waits_for = "post-promotion verification" if wants.blue_green.post is None else "analysis"
        return "" if promoted else f"waiting for {waits_for} to complete"
    if wants.routed is None and pods.total > pods.updated:
        return "old replicas are pending termination"
    return "" if promoted else "waiting for all steps to complete"
