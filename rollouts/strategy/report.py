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
    kstatus,
    patching,
    plugins,
    progressing,
    standing,
    times,
    unrouted,
    window,
)
from rollouts.strategy.course import INITIAL
from rollouts.strategy.decision import Decision
from rollouts.strategy.sections import Pods, blue_green, canary, counts, pods_of, selector

JSON = Mapping[str, Any]

SETTLE: Final = timedelta(seconds=2)
VERIFY: Final = timedelta(seconds=10)
_OVER: Final = frozenset({conditions.INVALID_SPEC, conditions.RECONCILE_ERROR})
_REPLICA_FAILURE: Final = (conditions.REPLICA_FAILURE,)
_TRAFFIC_FAILURE: Final = (conditions.TRAFFIC_FAILURE,)
_COUNTS: Final = frozenset(
    {"HPAReplicas", "replicas", "updatedReplicas", "readyReplicas", "availableReplicas", "message", "conditions"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The merge patch for status, and when to look again (seconds from now)."""

    patch: JSON
    look_again: float | None


def status(decision: Decision) -> Status:
    """The status to write now."""
    before = decision.recorded.raw
    pods = pods_of(decision)
    facts = standing.facts(decision, pods)
    story = progressing.condition(facts)
    name, message = standing.phase_of(decision, pods, facts, story)
    message = ailing.message(name, message, facts.trouble)
    after: dict[str, Any] = {
        **_identity(decision),
        **counts(pods),
        **_commands(decision),
        "canary": canary(decision),
        "blueGreen": blue_green(decision),
        "conditions": kstatus.added(
            _conditions(decision, pods, story, name, complete=facts.complete),
            phase=name,
            message=ailing.aside(name, message, facts.trouble),
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
    return Status(patch=patch, look_again=_look_again(decision, after))


def _only_needed(after: dict[str, Any], before: JSON) -> dict[str, Any]:
    """Without the sections that have nothing to say and never had."""
    empty = [key for key in ("canary", "blueGreen") if not before.get(key) and not _says_something(after[key])]
    return {key: value for key, value in after.items() if key not in empty}


def _says_something(section: JSON) -> bool:
    return any(value is not None for value in section.values())


def _identity(decision: Decision) -> dict[str, Any]:
    revisions = decision.revisions
    return {
        "observedGeneration": kstatus.generation(decision.rollout),
        "currentPodHash": revisions.hash,
        "stableRS": decision.stable_hash or None,
        "currentStepHash": revisions.step_hash,
        "currentStepIndex": decision.course.index if decision.wants.steps else None,
        "collisionCount": revisions.collision_count,
        "restartedAt": decision.restart.done,
        "selector": selector(decision),
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
        "controllerPause": True if course.controller_pause and (waiting or decision.intent.resumed_meanwhile) else None,
    }


def _conditions(
    decision: Decision, pods: Pods, story: conditions.Condition | None, phase_now: str, *, complete: bool
) -> list[JSON]:
    """Healthy comes, as with the peer, only once the pods left behind are gone, though the phase says so before."""
    recorded = decision.recorded
    is_paused = bool(decision.course.pauses) or decision.wants.paused
    wanted = [
        conditions.available(is_available=pods.available >= decision.wants.limits.replicas),
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
    wanted += [fault] if (fault := unrouted.condition(decision)) else []
    drop = _OVER.union(() if failure else _REPLICA_FAILURE, _TRAFFIC_FAILURE if unrouted.over(decision) else ())
    return conditions.merge(list(recorded.raw.get("conditions") or ()), wanted, drop=drop, now=decision.now)


def _duration(decision: Decision, *, complete: bool) -> dict[str, Any]:
    before = decision.recorded.raw.get("duration") or {}
    begins = not decision.recorded.current_hash or decision.revisions.updated or decision.intent.retry
    begins = begins or (decision.revisions.restepped and not decision.at.promoted)
    begins = begins and not (decision.rolls_back and duration.unfinished(before))
    if not begins and not before:
        return {}
    over = decision.rolls_back or decision.abort is not None or decision.promote not in (None, INITIAL)
    return duration.track(
        before,
        now=decision.now,
        begins=begins,
        outcome=_outcome(decision),
        finished=complete or over,
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
        return "RolledBack" if window.goes_back(decision.revisions) else "Promoted"
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
    """Types, statuses and reasons, where reasons that give way to one another count as one."""
    return sorted((c.get("type", ""), *_telling(c)) for c in conditions_)


def _telling(condition: JSON) -> tuple[str, str]:
    status, reason = str(condition.get("status") or ""), str(condition.get("reason") or "")
    return ("True", conditions.UPDATED) if reason in conditions.FIRST_WORDS else (status, reason)


def _look_again(decision: Decision, after: JSON) -> float | None:
    moments = [decision.course.hold.until] if decision.course.hold and decision.course.hold.until else []
    if not standing.waits(decision.course) and decision.abort is None:
        expires = progressing.expiry_of(after["conditions"], deadline=decision.wants.deadline)
        moments += [expires + timedelta(seconds=1)] if expires else []
    moments += [decision.restart.at] if decision.restart.at else []
    moments += decision.target.looks(decision.now)
    moments += [decision.now] if ephemeral.changing(decision) else []
    traffic = decision.target.traffic
    moments += [decision.now + VERIFY] if traffic is not None and traffic.verified is False else []
    asks = plugins.next_look({**decision.rollout, "status": {**decision.recorded.raw, **after}})
    moments += [asks] if asks else []
    seconds = [(moment - decision.now).total_seconds() for moment in moments]
    return max(min(seconds), 0.0) if seconds else None
