"""What a person told the sync to leave alone, and contested fields: taken over from the live object (R7, R9).

Ignored means ignored in the comparison **and** in what is applied, at exactly that path: the live value is sent, since
leaving it out would give the field up, and a field that nobody owns is deleted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rollouts.api import fieldpaths
from rollouts.api.fieldpaths import Each, FieldPath
from rollouts.api.gitsync import IgnoreDifference
from rollouts.gitops.objects import JSON, Ref, ref_of
from rollouts.gitops.terms import Adjust

_STEP = re.compile(r"\[(?P<field>\w+)=(?P<value>[^\]]*)\]|\[(?P<index>\d+)\]|\[(?P<odd>[^\]]+)\]|\.?(?P<key>[^.\[\]]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Paths of certain objects; None in group, kind, name or namespace: any."""

    paths: tuple[FieldPath, ...]
    group: str | None = None
    kind: str | None = None
    name: str | None = None
    namespace: str | None = None

    def fits(self, ref: Ref) -> bool:
        """Whether the rule is about this object."""
        wanted = ((self.group, ref.group), (self.kind, ref.kind), (self.name, ref.name))
        return all(mine in (None, theirs) for mine, theirs in (*wanted, (self.namespace, ref.namespace)))


def adjust_of(ignored: Iterable[IgnoreDifference], contested: Iterable[JSON]) -> Adjust | None:
    """The function that takes ignored fields over; None when there is nothing to ignore."""
    rules = [*map(_ignored, ignored), *map(_contested, contested)]
    if not rules:
        return None

    def adjust(wanted: JSON, live: JSON) -> JSON:
        ref = ref_of(wanted)
        adjusted: Any = wanted
        for path in (path for rule in rules if rule.fits(ref) for path in rule.paths):
            adjusted = fieldpaths.copied(adjusted, live, path)
        return wanted if adjusted == wanted else dict(adjusted)

    return adjust


def _ignored(row: IgnoreDifference) -> Rule:
    pointers = [fieldpaths.pointer(text) for text in row.json_pointers or ()]
    expressions = [fieldpaths.expression(text) for text in row.jq_path_expressions or ()]
    return Rule(
        paths=(*pointers, *expressions),
        group=None if row.group == "*" else row.group or "",
        kind=None if row.kind == "*" else row.kind,
        name=row.name,
        namespace=row.namespace,
    )


def _contested(row: JSON) -> Rule:
    ref = Ref.parse(str(row["resource"]))
    return Rule(paths=(read(str(row["path"])),), group=ref.group, kind=ref.kind, name=ref.name, namespace=ref.namespace)


def named(path: Sequence[str | int], live: Any) -> FieldPath:
    """A path with positions replaced by names where a list's items have them: order may change, names stay."""
    steps: list[str | int | Each] = []
    for step in path:
        if isinstance(step, int):
            item = live[step] if isinstance(live, list) and step < len(live) else None
            name = item.get("name") if isinstance(item, dict) else None
            steps.append(step if name is None else Each("name", str(name)))
            live = item
        else:
            steps.append(step)
            live = live.get(step) if isinstance(live, dict) else None
    return tuple(steps)


def read(text: str) -> FieldPath:
    """The path that `fieldpaths.shown` wrote: `spec.ports[name=http].port`."""
    return tuple(_step(found) for found in _STEP.finditer(text))


def _step(found: re.Match[str]) -> str | int | Each:
    parts = found.groupdict()
    if parts["field"]:
        return Each(parts["field"], parts["value"])
    return int(parts["index"]) if parts["index"] else parts["odd"] or parts["key"]
