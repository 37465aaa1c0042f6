"""Report: the status and conditions that follow from a decision (its events: events.py).

Only changed keys are written. Pod counts alone are not worth a write in the middle of things: they are written when
something else changes too, or once the status has stood for `SETTLE` seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from rollouts.strategy import (
    ailing,
    conditions,
    duration,
    ephemeral,
    keys,
    kstatus,
    patching,
    phase,
    progressing,
    runs,
    services,
    times,
    trouble,
)
from rollouts.strategy.canary import pointing
from rollouts.strategy.course import Course
from rollouts.strategy.decision import Decision
from rollouts.strategy.snapshot import ReplicaSet
from rollouts.strategy.wants import selector_text
from rollouts.traffic import Destination

JSON = Mapping[str, Any]

SETTLE: Final = timedelta(seconds=2)
_REPLICA_FAILURE: Final = (conditions.REPLICA_FAILURE,)
_COUNTS: Final = frozenset(
    {"HPAReplicas", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "message", "conditions"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The merge patch for status, and when to look again (seconds from now)."""

    patch: JSON
    look_again: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pods:
    """Pod counts: `total` of all ReplicaSets, `updated` of the new one. The rest is what serves users: of all
    ReplicaSets of a canary, of the active one of a blue/green Rollout."""

    total: int
    updated: int
    ready: int
    available: int
    scalable: int


def waits(course: Course) -> bool:
    """Whether something that may take its time holds us, so that the progress deadline does not count."""
    return course.hold is not None and course.hold.patient


def status(decision: Decision) -> Status:
    """The status to write now."""
    before = decision.recorded.raw
    pods = _pods(decision)
    facts = _facts(decision, pods)
    story = progressing.condition(facts)
    name, message = _phase(decision, pods, facts, story)
    message = ailing.message(name, message, facts.trouble)
    after: dict[str, Any] = {
        **_identity(decision),
        **_counts(pods),
        **_commands(decision),
        "canary": _canary(decision),
        "blueGreen": _blue_green(decision),
        "conditions": kstatus.added(
            _conditions(decision, pods, story, name, complete=facts.complete),
            phase=name,
            message=message,
            now=decision.now,
        ),
        "phase": name,
        "message": message or None,
    }
    spent = _duration(decision, complete=facts.complete)
    after["duration"] = patching.replaced(before.get("duration") or {}, spent) if spent else None
    patch = patching.difference(before, _only_needed(after, before))
    patch = {} if kstatus.alone(before, patch) else patch
    wait = _settling(patch, before, decision.now)
    if wait is not None:
        return Status(patch={}, look_again=wait)
    return Status(patch=patch, look_again=_look_again(decision, after["conditions"]))


def _only_needed(after: dict[str, Any], before: JSON) -> dict[str, Any]:
    """Without the sections that have nothing to say and never had."""
    empty = [key for key in ("canary", "blueGreen") if not before.get(key) and not _says_something(after[key])]
    return {key: value for key, value in after.items() if key not in empty}


def _says_something(section: JSON) -> bool:
    return any(value is not None for value in section.values())


def _canary(decision: Decision) -> dict[str, Any]:
    section: dict[str, Any] = {
        kind.status_key: _run_status(decision, kind) for kind in runs.KINDS if kind.section == "canary"
    }
    canary = decision.wants.canary
    turns = canary is not None and canary.ping_pong is not None
    pong = turns and pointing.pong_is_stable(decision.at, promote=decision.promote is not None)
    return {
        **section,
        "currentExperiment": decision.trial.name if decision.trial else None,
        "weights": _weights(decision),
        "stablePingPong": ("pong" if pong else "ping") if turns else None,
    }


def _weights(decision: Decision) -> dict[str, Any] | None:
    """What the routers were told: now, or last time when they can't be told anything now."""
    before = (decision.recorded.raw.get("canary") or {}).get("weights") or {}
    if decision.wants.routed is None:
        return None
    traffic = decision.target.traffic
    if traffic is None:
        return before or None
    split = traffic.split
    told = {
        "canary": _destination(split.canary),
        "stable": _destination(split.stable),
        "additional": [_destination(part) for part in split.additional] or None,
        "verified": traffic.verified,
    }
    return patching.replaced(before, {key: value for key, value in told.items() if value is not None})


def _destination(part: Destination) -> dict[str, Any]:
    service = {"serviceName": part.service} if part.service else {}
    return {"weight": part.weight, **service, "podTemplateHash": part.hash}


def _blue_green(decision: Decision) -> dict[str, Any]:
    section: dict[str, Any] = {
        kind.status_key: _run_status(decision, kind) for kind in runs.KINDS if kind.section == "blueGreen"
    }
    wanted = decision.wants.blue_green
    if wanted is None:
        return {**section, "activeSelector": None, "previewSelector": None, "scaleUpPreviewCheckPoint": None}
    return {
        **section,
        "activeSelector": _selects(decision, wanted.active_service) or None,
        "previewSelector": _selects(decision, wanted.preview_service) or None,
        "scaleUpPreviewCheckPoint": True if decision.course.checkpoint and decision.in_progress else None,
    }


def _selects(decision: Decision, service: str | None) -> str:
    return services.after(decision.at.snapshot.services, decision.target.switches, service)


def _active(decision: Decision) -> ReplicaSet | None:
    """Blue/green: the ReplicaSet that serves users."""
    wanted = decision.wants.blue_green
    return decision.at.labelled(_selects(decision, wanted.active_service)) if wanted else None


def _pods(decision: Decision) -> Pods:
    every, active = decision.revisions.all, _active(decision)
    serving = every if active is None else (active,)
    return Pods(
        total=sum(rs.current for rs in every),
        updated=decision.revisions.new.current if decision.revisions.new else 0,
        ready=sum(rs.ready for rs in serving),
        available=sum(rs.available for rs in serving),
        scalable=sum(rs.current for rs in serving),
    )


def _facts(decision: Decision, pods: Pods) -> progressing.Facts:
    wanted = decision.wants.limits.replicas
    promoted = decision.stable_hash == decision.revisions.hash
    alone = pods.updated == pods.total if decision.wants.blue_green is None else _cut_over(decision)
    complete = promoted and alone and pods.updated == wanted and pods.available >= wanted
    return progressing.Facts(
        recorded=decision.recorded,
        replica_set=decision.revisions.name if not decision.revisions.new else decision.revisions.new.name,
        abort=decision.abort.message if decision.abort else None,
        paused=bool(decision.course.pauses) or decision.wants.paused,
        retry=decision.intent.retry,
        complete=complete,
        progressed=_progressed(decision, pods),
        short_of_pods=pods.available < decision.wants.limits.replicas,
        waiting=waits(decision.course),
        deadline=decision.wants.deadline,
        now=decision.now,
        trouble="" if decision.abort else ailing.words(decision.at),
        trouble_before=ailing.said_before(decision.recorded.raw.get("conditions") or ()),
    )


def _cut_over(decision: Decision) -> bool:
    active = _active(decision)
    return active is not None and active.hash == decision.revisions.hash


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


def _phase(
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
        if not _cut_over(decision):
            return "active service cutover pending"
        waits_for = "post-promotion verification" if wants.blue_green.post is None else "analysis"
        return "" if promoted else f"waiting for {waits_for} to complete"
    if wants.routed is None and pods.total > pods.updated:
        return "old replicas are pending termination"
    return "" if promoted else "waiting for all steps to complete"


def _identity(decision: Decision) -> dict[str, Any]:
    revisions = decision.revisions
    return {
        "observedGeneration": str(decision.rollout["metadata"].get("generation", 0)),
        "currentPodHash": revisions.hash,
        "stableRS": decision.stable_hash or None,
        "currentStepHash": revisions.step_hash,
        "currentStepIndex": decision.course.index if decision.wants.steps else None,
        "collisionCount": revisions.collision_count,
        "restartedAt": decision.restart.done,
        "selector": _selector(decision),
    }


def _selector(decision: Decision) -> str:
    """What a HorizontalPodAutoscaler counts: of a blue/green Rollout only the pods that serve users."""
    active = _active(decision)
    text = selector_text(decision.wants.selector)
    return f"{text},{keys.POD_HASH}={active.hash}" if active else text


def _counts(pods: Pods) -> dict[str, Any]:
    return {
        "HPAReplicas": pods.scalable or None,
        "replicas": pods.total or None,
        "updatedReplicas": pods.updated or None,
        "readyReplicas": pods.ready or None,
        "availableReplicas": pods.available or None,
    }


def _commands(decision: Decision) -> dict[str, Any]:
    abort, course = decision.abort, decision.course
    stamped = decision.recorded.raw.get("abortedAt") if abort and not abort.fresh else times.text(decision.now)
    waiting = [{"reason": pause.reason, "startTime": times.text(pause.start)} for pause in course.pauses]
    void = {"abort": None} if decision.recorded.abort or decision.intent.reset else {}
    return {
        **({"abort": True} if abort else void),
        "abortedAt": stamped if abort else None,
        "promoteFull": True if decision.intent.promote_full and decision.in_progress else None,
        "pauseConditions": waiting or None,
        "controllerPause": True if course.controller_pause and waiting else None,
    }


def _run_status(decision: Decision, kind: runs.RunKind) -> dict[str, Any] | None:
    current = next((run for run in decision.current_runs if run.kind is kind), None)
    if current is None:
        return None
    phase_now = current.run.phase if current.run else ""
    message = current.run.message if current.run else ""
    return {"name": current.name, "status": phase_now, "message": message or None}


def _conditions(
    decision: Decision, pods: Pods, story: conditions.Condition | None, phase_now: str, *, complete: bool
) -> list[JSON]:
    """Healthy comes, as with the peer, only once the pods left behind are gone, though the phase says so before."""
    recorded = decision.recorded
    is_paused = bool(decision.course.pauses) or decision.wants.paused
    wanted = [
        conditions.available(is_available=pods.available >= decision.wants.limits.floor),
        conditions.completed(is_completed=decision.stable_hash == decision.revisions.hash),
    ]
    wanted += [story] if story else []
    settled = decision.abort is not None and not decision.abort.fresh
    if is_paused or (recorded.condition(conditions.PAUSED) and not settled):
        wanted.append(conditions.paused(is_paused=is_paused))
    before = recorded.condition(conditions.HEALTHY)
    if phase_now == "Healthy" or before:
        well = complete or (before or {}).get("status") == "True"
        wanted.append(conditions.healthy(is_healthy=phase_now == "Healthy" and well))
    wanted += (failure := ailing.replica_failure(decision.at))
    drop = frozenset({conditions.INVALID_SPEC, conditions.RECONCILE_ERROR, *(() if failure else _REPLICA_FAILURE)})
    return conditions.merge(list(recorded.raw.get("conditions") or ()), wanted, drop=drop, now=decision.now)


def _duration(decision: Decision, *, complete: bool) -> dict[str, Any]:
    before = decision.recorded.raw.get("duration") or {}
    begins = not decision.recorded.current_hash or decision.intent.reset or decision.intent.retry
    if not begins and not before:
        return {}
    return duration.track(
        before,
        now=decision.now,
        begins=begins,
        outcome=_outcome(decision),
        finished=complete or decision.abort is not None or (decision.promote is not None and not decision.at.first),
        manual_pause=_only_a_person_can_end(decision),
    )


def _outcome(decision: Decision) -> str | None:
    if decision.abort:
        return "Aborted"
    if decision.rolls_back:
        return "FastRolledBack"
    if decision.promote and decision.at.fast:
        return "FastPromoted" if decision.intent.promote_full else "FastRolledBack"
    if decision.promote:
        return "Promoted"
    return None


def _only_a_person_can_end(decision: Decision) -> bool:
    hold = decision.course.hold
    return hold is not None and hold.until is None and hold.kind in {"Pause", "Inconclusive", "UserPause"}


def _settling(patch: JSON, before: JSON, now: datetime) -> float | None:
    """How long a patch of counts alone still waits, in seconds; None when it is to be written now."""
    if not patch or not set(patch) <= _COUNTS or before.get("phase") != "Progressing":
        return None
    if "conditions" in patch and _gist(patch["conditions"]) != _gist(before.get("conditions") or ()):
        return None
    stamps = [times.moment(c.get("lastUpdateTime")) for c in before.get("conditions") or ()]
    newest = max((stamp for stamp in stamps if stamp), default=None)
    if newest is None or now - newest >= SETTLE:
        return None
    return (newest + SETTLE - now).total_seconds()


def _gist(conditions_: Any) -> list[tuple[str, str, str]]:
    return sorted((c.get("type", ""), c.get("status", ""), c.get("reason", "")) for c in conditions_)


def _look_again(decision: Decision, after: list[JSON]) -> float | None:
    moments = [decision.course.hold.until] if decision.course.hold and decision.course.hold.until else []
    if not waits(decision.course) and decision.abort is None:
        expires = progressing.expiry_of(after, deadline=decision.wants.deadline)
        moments += [expires + timedelta(seconds=1)] if expires else []
    moments += [decision.restart.at] if decision.restart.at else []
    moments += decision.target.looks(decision.now)
    moments += [decision.now] if ephemeral.changing(decision) else []
    seconds = [(moment - decision.now).total_seconds() for moment in moments]
    return max(min(seconds), 0.0) if seconds else None
