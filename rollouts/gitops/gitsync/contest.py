"""Fields that somebody else keeps changing back (R7): found out, named, and left alone from then on.

Self-heal against an autoscaler, a policy engine or a stubborn colleague would go on for ever, and each side would be
right. After the third time in ten minutes that the same field of the same object had to be set back, the field is
*contested*: it is neither compared nor applied any more, and the status says who else writes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from rollouts.gitops.claims import dig
from rollouts.gitops.gitsync.values import Heal
from rollouts.gitops.marks import FIELD_MANAGER
from rollouts.gitops.objects import JSON

TIMES = 3
MOST = 200
"""So many fields fit into the status (R23); what is beyond is set back again and again, with pauses."""
WITHIN = timedelta(minutes=10)

Seen = Mapping[tuple[str, str], tuple[datetime, ...]]
"""By object and field: when it was set back."""


def noticed(seen: Seen, heals: Iterable[Heal], *, at: datetime) -> dict[tuple[str, str], tuple[datetime, ...]]:
    """What was seen so far and is recent, with the heals of one more pass."""
    recent = {key: tuple(moment for moment in moments if at - moment < WITHIN) for key, moments in seen.items()}
    for heal in heals:
        key = (str(heal.ref), heal.path)
        recent[key] = (*recent.get(key, ()), at)
    return {key: moments for key, moments in recent.items() if moments}


def contested(seen: Seen, heals: Iterable[Heal], *, at: datetime, known: Sequence[JSON]) -> tuple[JSON, ...]:
    """The contested fields of a status: those known, and those of this pass that were set back too often."""
    there = {(row.get("resource"), row.get("path")) for row in known}
    stamp = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    fresh = [
        {"resource": str(heal.ref), "path": heal.path, "manager": heal.manager or "unknown", "since": stamp}
        for heal in heals
        if len(seen.get((str(heal.ref), heal.path), ())) >= TIMES and (str(heal.ref), heal.path) not in there
    ]
    return (*known, *fresh)[:MOST]


def manager_of(live: JSON, path: Sequence[str | int]) -> str:
    """Who wrote the value at a path last, beside this sync; empty when nobody is known to."""
    rows = dig(live, "metadata").get("managedFields") or ()
    owners = [row for row in rows if row.get("manager") != FIELD_MANAGER and _owns(row.get("fieldsV1"), live, path)]
    latest: JSON = max(owners, key=lambda row: str(row.get("time") or ""), default={})
    return str(latest.get("manager") or "")


def _owns(fields: Any, value: Any, path: Sequence[str | int]) -> bool:
    """Whether a tree of owned fields covers the path: it goes that deep, or ends above it in a leaf."""
    for step in path:
        if not isinstance(fields, Mapping):
            return False
        inner = [key for key in fields if key != "."]
        if not inner:
            return bool(fields) or fields == {}
        key = _key(fields, value, step)
        if key is None:
            return False
        value = _below(value, step)
        fields = fields[key]
    return isinstance(fields, Mapping)


def _key(fields: Mapping[str, Any], value: Any, step: str | int) -> str | None:
    if isinstance(step, str):
        return f"f:{step}" if f"f:{step}" in fields else None
    item = _below(value, step)
    return next((key for key in fields if key.startswith("k:") and _matches(key[2:], item)), None)


def _matches(text: str, item: Any) -> bool:
    wanted = json.loads(text)
    return isinstance(item, Mapping) and all(item.get(name) == value for name, value in wanted.items())


def _below(value: Any, step: str | int) -> Any:
    if isinstance(step, str):
        return value.get(step) if isinstance(value, Mapping) else None
    return value[step] if isinstance(value, list) and step < len(value) else None
