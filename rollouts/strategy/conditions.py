"""Conditions of a Rollout (§1.15): what each says, and how one is replaced without disturbing its times.

`lastTransitionTime` moves only when the status does; `lastUpdateTime` also when reason or message change, or when the
caller says there was progress (the progress deadline counts from it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from rollouts.strategy import times

JSON = Mapping[str, Any]

AVAILABLE: Final = "Available"
PROGRESSING: Final = "Progressing"
PAUSED: Final = "Paused"
COMPLETED: Final = "Completed"
HEALTHY: Final = "Healthy"
INVALID_SPEC: Final = "InvalidSpec"
REPLICA_FAILURE: Final = "ReplicaFailure"
RECONCILE_ERROR: Final = "ReconcileError"
TRAFFIC_FAILURE: Final = "TrafficFailure"
TYPES: Final = frozenset({AVAILABLE, PROGRESSING, PAUSED, COMPLETED, HEALTHY, INVALID_SPEC, REPLICA_FAILURE,
                          RECONCILE_ERROR, TRAFFIC_FAILURE})  # fmt: skip
"""All there are, but for those that only kstatus reads (`kstatus.py`)."""

ABORTED: Final = "RolloutAborted"
TIMED_OUT: Final = "ProgressDeadlineExceeded"
CREATED: Final = "NewReplicaSetCreated"
FOUND: Final = "FoundNewReplicaSet"
UPDATED: Final = "ReplicaSetUpdated"
AVAILABLE_NOW: Final = "NewReplicaSetAvailable"
NOT_AVAILABLE: Final = "ReplicaSetNotAvailable"
RESUMED: Final = "RolloutResumed"
RETRY: Final = "RolloutRetry"
IS_PAUSED: Final = "RolloutPaused"
NOT_CREATED: Final = "ReplicaSetCreateError"
UNDER_WAY: Final = frozenset({CREATED, FOUND, UPDATED})
"""Reasons of Progressing that say the same at different moments: pods of the new ReplicaSet are coming."""
FIRST_WORDS: Final = UNDER_WAY | {RESUMED}
"""Those that give way to one another without a patch of their own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition without its times. `touch`: there was progress, so the update time moves; `still`: it does not move
    for the sake of other words alone."""

    type: str
    status: str
    reason: str
    message: str
    touch: bool = False
    still: bool = False


def available(*, is_available: bool) -> Condition:
    """Available: as many pods as wanted can serve, as with the peer; maxUnavailable has no say here."""
    words = "has minimum availability" if is_available else "does not have minimum availability"
    return Condition(
        type=AVAILABLE, status=_boolean(is_available), reason="AvailableReason", message=f"Rollout {words}"
    )


def paused(*, is_paused: bool) -> Condition:
    """Paused; its message does not change when the pause ends, as with the peer."""
    return Condition(type=PAUSED, status=_boolean(is_paused), reason=IS_PAUSED, message="Rollout is paused")


def completed(*, is_completed: bool) -> Condition:
    """Completed: the stable ReplicaSet is the current one."""
    return Condition(
        type=COMPLETED, status=_boolean(is_completed), reason="RolloutCompleted", message="RolloutCompleted"
    )


def healthy(*, is_healthy: bool) -> Condition:
    """Healthy."""
    words = "healthy" if is_healthy else "not healthy"
    return Condition(type=HEALTHY, status=_boolean(is_healthy), reason="RolloutHealthy", message=f"Rollout is {words}")


def invalid(message: str) -> Condition:
    """InvalidSpec."""
    return Condition(type=INVALID_SPEC, status="True", reason=INVALID_SPEC, message=message)


def reconcile_error(message: str) -> Condition:
    """ReconcileError: what was decided could not be carried out, or nothing could be decided. Ours, not the peer's; it
    goes with the next reconcile that succeeds."""
    return Condition(type=RECONCILE_ERROR, status="True", reason="ReconciliationError", message=message)


def traffic_failure(reason: str, message: str) -> Condition:
    """TrafficFailure: the routers can't be told a weight, or can't say what they serve. Ours, not the peer's, which has
    events only; there only while it is so."""
    return Condition(type=TRAFFIC_FAILURE, status="True", reason=reason, message=message)


def not_created(message: str) -> Condition:
    """Progressing, while the new ReplicaSet can't be created."""
    return Condition(type=PROGRESSING, status="False", reason=NOT_CREATED, message=message)


def merge(existing: list[JSON], wanted: list[Condition], *, drop: frozenset[str], now: datetime) -> list[JSON]:
    """The new list: kept in the order it had, what changed in place, what is new at the end; `drop` types removed."""
    by_type = {condition.type: condition for condition in wanted}
    result = [
        _written(by_type.pop(old.get("type", ""), None), old, now) for old in existing if old.get("type") not in drop
    ]
    return result + [_written(condition, None, now) for condition in by_type.values()]


def _written(condition: Condition | None, old: JSON | None, now: datetime) -> JSON:
    if condition is None:
        return old or {}
    same_status = old is not None and old.get("status") == condition.status
    if old is not None and same_status and not condition.touch and _says(old) == (condition.reason, condition.message):
        return old
    stamp = times.text(now)
    still = condition.still and old is not None and same_status and _alike(old.get("reason", ""), condition.reason)
    return {
        "type": condition.type,
        "status": condition.status,
        "reason": condition.reason,
        "message": condition.message,
        "lastUpdateTime": old.get("lastUpdateTime", stamp) if still and old else stamp,
        "lastTransitionTime": old["lastTransitionTime"] if old and same_status else stamp,
    }


def _alike(one: str, other: str) -> bool:
    return one == other or {one, other} <= UNDER_WAY


def _says(condition: JSON) -> tuple[str, str]:
    return condition.get("reason", ""), condition.get("message", "")


def _boolean(value: bool) -> str:
    return "True" if value else "False"
