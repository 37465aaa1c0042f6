"""A Rollout that can't be carried out: every error with its path, phase Degraded, and nothing moves until it is mended.

Three sources: the shape and rules of the object (`rollouts.api`), what its analyses refer to, and what this version of
the controller can't do yet. The last is refused loudly: half a release is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from rollouts.api import kinds
from rollouts.api.errors import FieldError
from rollouts.api.parsing import Parsed, check
from rollouts.api.validation.references import Existing, missing
from rollouts.plan import Event, Plan
from rollouts.strategy import conditions, events, kstatus, measure, patching, trials
from rollouts.strategy.recorded import recall
from rollouts.strategy.snapshot import Snapshot
from rollouts.strategy.unsupported import unsupported
from rollouts.traffic import Routers

JSON = Mapping[str, Any]

RECHECK_SECONDS: Final = 20.0
_SERVICE: Final = re.compile(r'spec\.strategy\.\S+Service: Invalid value: "[^"]*": service "', re.IGNORECASE)
"""An error about a Service that is named, as `api.validation.references` words it."""


def problems(snapshot: Snapshot, routers: Routers) -> tuple[str, ...]:
    """Every error as `path: message`; empty for a Rollout that can be carried out."""
    checked = snapshot.reading.checked
    found = [str(error) for error in _of_itself(snapshot.rollout, checked, routers)]
    if checked.model is not None:
        found += [str(error) for error in missing(checked.model, Existing(services=snapshot.services))]
    return tuple(found) or (*measure.problems(snapshot), *trials.problems(snapshot))


def of_itself(rollout: JSON, routers: Routers) -> tuple[FieldError, ...]:
    """The errors that the Rollout has whatever else there is: what can be told of a file."""
    return _of_itself(rollout, check(kinds.ROLLOUT, rollout), routers)


def _of_itself(rollout: JSON, checked: Parsed, routers: Routers) -> tuple[FieldError, ...]:
    more = () if checked.model is None else unsupported(rollout["spec"], routers)
    return (*checked.errors, *more)


def plan(rollout: JSON, errors: tuple[str, ...], *, now: datetime) -> Plan:
    """Say so on the Rollout, leave everything else as it is, and look again later."""
    recorded = recall(rollout)
    name = rollout["metadata"]["name"]
    message = f'The Rollout "{name}" is invalid: {_joined(errors)}'
    unwell = [conditions.healthy(is_healthy=False)] if recorded.condition(conditions.HEALTHY) else []
    written = conditions.merge(
        list(recorded.raw.get("conditions") or ()),
        [*unwell, conditions.invalid(message)],
        drop=frozenset({conditions.RECONCILE_ERROR}),
        now=now,
    )
    status = {
        "conditions": kstatus.added(written, phase="Degraded", message=f"InvalidSpec: {message}", now=now),
        "observedGeneration": kstatus.generation(rollout),
        "phase": "Degraded",
        "message": f"InvalidSpec: {message}",
    }
    patch = patching.difference(recorded.raw, status)
    patch = {} if kstatus.alone(recorded.raw, patch) else patch
    before = str((recorded.condition(conditions.INVALID_SPEC) or {}).get("message") or "")
    told = _told(message, errors, before) if "message" in patch else ()
    return Plan(status=patch, events=(*events.added(rollout), *told), requeue_after=RECHECK_SECONDS)


def _told(message: str, errors: tuple[str, ...], before: str) -> Iterator[Event]:
    """InvalidSpec is ours, with all errors; for each Service that can't be used the peer's reason comes with it, once.
    `before`: what the condition said so far."""
    yield Event(reason="InvalidSpec", message=message, type="Warning")
    for error in errors:
        if _SERVICE.match(error) and error not in before:
            yield Event(reason="ServiceReferenceError", message=error, type="Warning")


def _joined(errors: tuple[str, ...]) -> str:
    return errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]"
