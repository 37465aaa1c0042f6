"""Becoming the owner of what an earlier tool has applied (R11), so that a field Git drops leaves the cluster too.

Server-side apply removes a field when its last owner no longer sends it. An object that came by `kubectl apply`, Argo
CD or Flux has those as owners, and they will never send it again: what Git drops later would stay for ever. So at first
contact, while the object does not carry our mark, the entries of such managers in `metadata.managedFields` become ours:

    before   kubectl-client-side-apply  Update  data.a, data.b        Git has data.a only
    moved    rollouts-gitops            Apply   data.a, data.b
    applied  rollouts-gitops            Apply   data.a                data.b is gone

Only managers that write whole manifests are followed. What people change with `kubectl patch`, `scale`, `set image` or
`rollout restart` stays theirs, and so do `paused` and `restartAt` of a Rollout, whoever edited them. The API server
puts everything an object had before its first apply under one name, `before-first-apply`; of that, what
`last-applied-configuration` lists was applied, and the rest belongs to controllers. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from rollouts.gitops import fieldsets, marks
from rollouts.gitops.claims import dig
from rollouts.gitops.fieldsets import Tree
from rollouts.gitops.objects import JSON, annotation

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
BEFORE = "before-first-apply"
_UPDATE, _APPLY = "Update", "Apply"
_BOTH = frozenset({_UPDATE, _APPLY})

FORMER: Mapping[str, frozenset[str]] = {
    "kubectl-client-side-apply": frozenset({_UPDATE}),
    "kubectl-create": frozenset({_UPDATE}),
    "kubectl-replace": frozenset({_UPDATE}),
    "kubectl-edit": frozenset({_UPDATE}),
    BEFORE: frozenset({_UPDATE}),
    "kubectl": frozenset({_APPLY}),
    "argocd-controller": _BOTH,
    "argocd-application-controller": _BOTH,
    "kustomize-controller": _BOTH,
    "helm-controller": _BOTH,
    "helm": _BOTH,
    marks.FIELD_MANAGER: frozenset({_UPDATE}),
}
"""Managers that write whole manifests, and the operations by which they do. Ours does with `Replace=true`."""

_VERBS: Tree = {"f:spec": {"f:paused": {}, "f:restartAt": {}}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover:
    """Whose fields become ours. `managed`: what `metadata.managedFields` is to be, of the object at `version`. `also`:
    managers that are followed beside those of `FORMER`.
    """

    managers: tuple[str, ...]
    also: frozenset[str] = frozenset()
    version: str
    fields: Tree = field(repr=False)
    managed: tuple[JSON, ...] = field(repr=False)

    @property
    def patch(self) -> list[dict[str, Any]]:
        """The JSON patch that does it, refused with a conflict when the object is another version by now."""
        return [
            {"op": "replace", "path": "/metadata/resourceVersion", "value": self.version},
            {"op": "add", "path": "/metadata/managedFields", "value": list(self.managed)},
        ]

    def expected(self, answer: JSON) -> JSON:
        """What a dry run that knew nothing of the takeover would have answered with it: without what falls away."""
        theirs = [row for row in _rows(answer) if not _ours(row) and not _taken(row, self.also)]
        ours = [row for row in _rows(answer) if _ours(row)]
        left = [row for row in self.managed if _taken(row, self.also)]
        kept = fieldsets.union(row.get("fieldsV1") or {} for row in (*theirs, *ours, *left))
        found: JSON = fieldsets.without(answer, self.fields, kept=kept)
        return found


def unfinished(live: JSON) -> bool:
    """Whether something was written as a whole by us and is not yet owned as what we apply."""
    return any(row.get("manager") == marks.FIELD_MANAGER and _taken(row) for row in _rows(live))


def of(live: JSON, answer: JSON | None = None, *, also: frozenset[str] = frozenset()) -> Takeover | None:
    """What is to be taken over of a live object; None when nothing is.

    `answer`: of a dry run. What an object without any entries had before is first listed there. `also`: managers whose
    updates are followed, too.
    """
    rows = _rows(live) or [row for row in _rows(answer or {}) if row.get("manager") == BEFORE]
    split = [(row, _theirs(row, live, also)) for row in rows]
    taken = [(row, tree) for row, tree in split if tree]
    if not taken:
        return None
    fields = fieldsets.union(tree for _, tree in taken)
    rest = [_rest(row, tree) for row, tree in split if not _ours(row)]
    return Takeover(
        managers=tuple(sorted({str(row["manager"]) for row, _ in taken})),
        also=also,
        version=str(live["metadata"]["resourceVersion"]),
        fields=fields,
        managed=(*(row for row in rest if row), _owner(live, [row for row, _ in taken], fields)),
    )


def _rows(body: JSON) -> Iterable[JSON]:
    return dig(body, "metadata").get("managedFields") or ()


def _ours(row: JSON) -> bool:
    return row.get("manager") == marks.FIELD_MANAGER and row.get("operation") == _APPLY and not row.get("subresource")


def _taken(row: JSON, also: frozenset[str] = frozenset()) -> bool:
    manager, operation = str(row.get("manager")), row.get("operation")
    followed = operation in FORMER.get(manager, ()) or (manager in also and operation == _UPDATE)
    return followed and not row.get("subresource")


def _theirs(row: JSON, live: JSON, also: frozenset[str]) -> Tree:
    """Which of an entry's fields become ours."""
    if not _taken(row, also):
        return {}
    fields: Tree = row.get("fieldsV1") or {}
    if row["manager"] == BEFORE:
        return fieldsets.within(fields, _applied(live))
    return fieldsets.minus(fields, _VERBS) if _by_hand(row, live) else fields


def _by_hand(row: JSON, live: JSON) -> bool:
    return row["manager"] == "kubectl-edit" and live.get("kind") == "Rollout"


def _applied(live: JSON) -> JSON:
    """The last manifest of `kubectl apply`, with the annotation that holds it; empty when there is none."""
    text = annotation(live, LAST_APPLIED)
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    if not isinstance(found, dict) or not found:
        return {}
    metadata = dig(found, "metadata")
    return {**found, "metadata": {**metadata, "annotations": {**dig(metadata, "annotations"), LAST_APPLIED: text}}}


def _rest(row: JSON, taken: Tree) -> JSON:
    """The entry without what was taken of it; empty when nothing is left."""
    left = fieldsets.minus(row.get("fieldsV1") or {}, taken) if taken else row.get("fieldsV1")
    return {**row, "fieldsV1": left} if left or not taken else {}


def _owner(live: JSON, taken: list[JSON], fields: Tree) -> JSON:
    """Our entry, with what we own already."""
    own = next((row for row in _rows(live) if _ours(row)), None)
    newest = own or max(taken, key=lambda row: str(row.get("time") or ""))
    return {
        "manager": marks.FIELD_MANAGER,
        "operation": _APPLY,
        "apiVersion": newest["apiVersion"],
        "time": newest.get("time"),
        "fieldsType": "FieldsV1",
        "fieldsV1": fieldsets.union([own.get("fieldsV1") or {} if own else {}, fields]),
    }
