"""Step plugins (argo-rollouts.md §2.14): what is to be asked of one now, and what its answers make of the status.

A plugin acts on the world, so it is not part of a decision: the engine asks it *before* one, when `due` says so, and
the answer comes in as `Snapshot.plugin`. Everything remembered is in `status.canary.stepPluginStatuses`, one entry per
step and operation.

    step reached ─► Run, again after each requeueAfter, until it says Successful, Failed or Error (Error: again in 30 s)
    step left early (promoted, skipped) ─► Terminate what runs        aborted ─► Abort what was run, last one first
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from rollouts.api.durations import parse_duration
from rollouts.api.loose import listed, mapping
from rollouts.strategy import times

JSON = Mapping[str, Any]

RUN: Final = "Run"
TERMINATE: Final = "Terminate"
ABORT: Final = "Abort"
ENDED: Final = frozenset({"Successful", "Failed"})
LEAST_SECONDS: Final = 10.0
USUAL_SECONDS: Final = 30.0
_AT_ONCE: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One question to a plugin. `state` is what it asked to be remembered, None the first time."""

    index: int
    operation: str
    name: str
    config: JSON
    state: JSON | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A plugin's answer. `phase`: Running, Successful, Failed or Error. `again`: seconds until it wants to be asked.
    `absent`: there is no such plugin, so nothing was asked."""

    call: Call
    phase: str
    message: str = ""
    again: float | None = None
    state: JSON | None = None
    absent: bool = False


def due(rollout: JSON, *, now: datetime) -> Call | None:
    """What to ask now; None when there is nothing, or it is not time yet. The Rollout may be anything at all."""
    entries = recorded(mapping(rollout.get("status")))
    return next((call for call in _calls(rollout, entries) if _time_of(entries, call) <= now), None)


def next_look(rollout: JSON) -> datetime | None:
    """When the next question is due, going by the status; None when there is none to come."""
    entries = recorded(mapping(rollout.get("status")))
    return min((_time_of(entries, call) for call in _calls(rollout, entries)), default=None)


def _calls(rollout: JSON, entries: tuple[JSON, ...]) -> list[Call]:
    """The questions that are open, whether or not it is time for them."""
    status, steps = mapping(rollout.get("status")), _steps(rollout)
    if not any(_block(steps, index) for index in range(len(steps))):
        return []
    if str(status.get("observedGeneration")) != str(rollout["metadata"].get("generation", 0)):
        return []
    left = _left(status, entries, steps)
    calls = left if left or status.get("abort") else _running(rollout, status, entries, steps)
    return [call for call in calls if next_time(entry_of(entries, call.index, call.operation)) is not None]


def _running(rollout: JSON, status: JSON, entries: tuple[JSON, ...], steps: list[Any]) -> list[Call]:
    """The step it is at, unless something holds it."""
    index = status.get("currentStepIndex")
    paused = mapping(rollout.get("spec")).get("paused") or status.get("pauseConditions")
    if paused or status.get("phase") != "Progressing" or not isinstance(index, int):
        return []
    return [call for call in (_call(steps, index, RUN, entries),) if call]


def _left(status: JSON, entries: tuple[JSON, ...], steps: list[Any]) -> list[Call]:
    """Plugins to be told that their step is over: aborted ones last first, then those that were skipped."""
    ran = [entry for entry in entries if entry.get("operation") == RUN and isinstance(entry.get("index"), int)]
    if status.get("abort") and status.get("abortedAt"):
        found = [_call(steps, entry["index"], ABORT, entries) for entry in reversed(ran)]
    else:
        now_at, hurried = status.get("currentStepIndex"), bool(status.get("promoteFull"))
        cut_short = [entry for entry in ran if entry.get("phase") not in ENDED]
        over = [entry for entry in cut_short if hurried or entry["index"] != now_at]
        found = [_call(steps, entry["index"], TERMINATE, entries) for entry in over]
    return [call for call in found if call]


def _call(steps: list[Any], index: int, operation: str, entries: Iterable[JSON]) -> Call | None:
    block = _block(steps, index)
    if block is None:
        return None
    before = entry_of(entries, index, operation) or entry_of(entries, index, RUN) or {}
    state = before.get("status")
    return Call(
        index=index,
        operation=operation,
        name=str(block.get("name") or ""),
        config=mapping(block.get("config")),
        state=mapping(state) if state is not None else None,
    )


def _steps(rollout: JSON) -> list[Any]:
    strategy = mapping(mapping(rollout.get("spec")).get("strategy"))
    return listed(mapping(strategy.get("canary")).get("steps"))


def _block(steps: list[Any], index: int) -> JSON | None:
    step = mapping(steps[index]) if 0 <= index < len(steps) else {}
    return mapping(step.get("plugin")) or None


def _time_of(entries: Iterable[JSON], call: Call) -> datetime:
    return next_time(entry_of(entries, call.index, call.operation)) or _AT_ONCE


def next_time(entry: JSON | None) -> datetime | None:
    """When a plugin is to be asked (again); None when it has said its last word."""
    if entry is None:
        return _AT_ONCE
    if entry.get("phase") in ENDED:
        return None
    asked = times.moment(entry.get("updatedAt"))
    return asked + timedelta(seconds=_seconds(entry.get("backoff"))) if asked else None


def _seconds(duration: object) -> float:
    try:
        return max(parse_duration(str(duration)), LEAST_SECONDS)
    except ValueError:
        return USUAL_SECONDS


def recorded(status: JSON) -> tuple[JSON, ...]:
    """What plugins have said so far."""
    entries = listed(mapping(status.get("canary")).get("stepPluginStatuses"))
    return tuple(entry for entry in entries if isinstance(entry, Mapping))


def entry_of(entries: Iterable[JSON], index: int, operation: str = RUN) -> JSON | None:
    """The entry of a step and operation."""
    return next((e for e in entries if (e.get("index"), e.get("operation")) == (index, operation)), None)


def taken_in(entries: tuple[JSON, ...], outcome: Outcome | None, *, now: datetime) -> tuple[JSON, ...]:
    """The entries with a new answer among them."""
    if outcome is None:
        return entries
    call, stamp = outcome.call, times.text(now)
    before = entry_of(entries, call.index, call.operation)
    ended = outcome.phase in ENDED
    again = max(USUAL_SECONDS if outcome.again is None else outcome.again, LEAST_SECONDS)
    told = {
        "index": call.index,
        "name": call.name,
        "operation": call.operation,
        "phase": outcome.phase,
        "message": outcome.message or None,
        "startedAt": (before or {}).get("startedAt") or stamp,
        "updatedAt": stamp,
        "finishedAt": stamp if ended else None,
        "backoff": None if ended else f"{again:g}s",
        "executions": int((before or {}).get("executions") or 0) + 1,
        "status": outcome.state,
    }
    after = {key: value for key, value in told.items() if value is not None}
    return (*(entry for entry in entries if entry is not before), after)
