"""An Experiment that can't be carried out: every error with its path, and nothing moves until it is mended.

One that had not begun is in phase Error, so a Rollout that waits for it goes back to stable; mended, it begins. One
that had begun keeps its phase and its pods.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rollouts.experiments.recorded import ERROR, recall
from rollouts.plan import Event, Plan
from rollouts.strategy import conditions, patching

JSON = Mapping[str, Any]


def plan(experiment: JSON, errors: Sequence[str], *, now: datetime) -> Plan:
    """Say so on the Experiment and leave everything else as it is; an edit wakes it again."""
    before = recall(experiment).raw
    joined = errors[0] if len(errors) == 1 else f"[{', '.join(errors)}]"
    message = f'The Experiment "{experiment["metadata"]["name"]}" is invalid: {joined}'
    condition = conditions.invalid(message)
    known: JSON = next((c for c in before.get("conditions") or () if c.get("type") == condition.type), {})
    after: dict[str, Any] = {
        "conditions": conditions.merge(list(before.get("conditions") or ()), [condition], drop=frozenset(), now=now)
    }
    if not before.get("templateStatuses"):
        after |= {"phase": ERROR, "message": f"InvalidSpec: {message}"}
    news = known.get("message") != message
    events = (Event(reason=conditions.INVALID_SPEC, message=message, type="Warning"),) if news else ()
    return Plan(status=patching.difference(before, after), events=events)
