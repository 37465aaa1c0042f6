"""Labels and annotations pods carry for their role: canary or preview while new, stable or active afterwards (§2.13).

    role changes ─► ReplicaSet: template, annotation of what it carries, note of what its pods may still carry
                 ─► next decision: pods listed, each that differs patched, the note taken away

New pods are right from the first write on. The note (`keys.STALE_METADATA`) is on the ReplicaSet, so a controller that
dies on the way leaves no pod behind; only while there is one are pods listed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from rollouts.api import kinds
from rollouts.plan import Patch
from rollouts.strategy import identity, keys, patching
from rollouts.strategy.revisions import Revisions
from rollouts.strategy.snapshot import ReplicaSet
from rollouts.strategy.wants import Wants

if TYPE_CHECKING:
    from rollouts.strategy.decision import Decision

JSON = Mapping[str, Any]
_PARTS = ("labels", "annotations")


def first(wants: Wants, revisions: Revisions) -> JSON | None:
    """The metadata a ReplicaSet is made with: without anything stable beside it, it is the stable one itself."""
    return wants.new_metadata if revisions.stable else wants.stable_metadata


def annotation(metadata: JSON | None) -> dict[str, str]:
    """How a ReplicaSet says what its template carries for its role; nothing when it carries nothing."""
    carried = _filled(metadata)
    return {keys.EPHEMERAL_METADATA: json.dumps(carried, separators=(",", ":"))} if carried else {}


def injected(template: JSON, metadata: JSON | None) -> dict[str, Any]:
    """The pod template with the metadata of a role."""
    return patching.joined(template, {"metadata": _filled(metadata)} if _filled(metadata) else {})


def pending(replica_sets: Iterable[JSON]) -> bool:
    """Whether pods of some ReplicaSet may carry the metadata of a former role: only then are they listed."""
    return any(keys.STALE_METADATA in (rs["metadata"].get("annotations") or {}) for rs in replica_sets)


def changing(decision: Decision) -> bool:
    """Whether a role changes with this decision, so that the pods are next."""
    return any(change(decision, rs) is not None for rs in decision.revisions.all)


def change(decision: Decision, rs: ReplicaSet) -> JSON | None:
    """The merge patch of a ReplicaSet whose role is another now; None when it carries what it should."""
    carried, wanted = _filled(identity.ephemeral_metadata(rs.raw)), _wanted(decision, rs)
    if wanted is None or carried == wanted:
        return None
    annotations: dict[str, Any] = {keys.EPHEMERAL_METADATA: annotation(wanted).get(keys.EPHEMERAL_METADATA)}
    if rs.replicas or rs.current:
        annotations[keys.STALE_METADATA] = json.dumps(patching.joined(_stale(rs), carried), separators=(",", ":"))
    template = {"metadata": _replacing(carried, wanted, decision.wants.template)}
    return {"metadata": {"annotations": annotations}, "spec": {"template": template}}


def _wanted(decision: Decision, rs: ReplicaSet) -> dict[str, Any] | None:
    """What a ReplicaSet should carry; None to leave it as it is. What is left behind carries nothing."""
    wants = decision.wants
    if rs.hash == (decision.stable_hash or decision.revisions.hash):
        return _filled(wants.stable_metadata)
    if rs.hash == decision.revisions.hash:
        return _filled(wants.new_metadata)
    return {} if rs.replicas else None


def pods(decision: Decision) -> Iterator[Patch]:
    """Patches of the pods that differ from their ReplicaSet, then of the ReplicaSets that are through."""
    for rs in decision.revisions.all:
        if keys.STALE_METADATA not in rs.annotations or change(decision, rs) is not None:
            continue
        carried = _filled(identity.ephemeral_metadata(rs.raw))
        for pod in _pods_of(rs, decision.at.snapshot.pods):
            patch = _pod_patch(pod, _replacing(_stale(rs), carried, decision.wants.template))
            if patch is not None:
                yield patch
        yield _patch(kinds.REPLICA_SET, rs.raw, {"annotations": {keys.STALE_METADATA: None}})


def _pods_of(rs: ReplicaSet, pods: Iterable[JSON]) -> Iterator[JSON]:
    for pod in pods:
        owners = [ref.get("uid") for ref in pod["metadata"].get("ownerReferences") or () if ref.get("controller")]
        if rs.raw["metadata"].get("uid") in owners and not pod["metadata"].get("deletionTimestamp"):
            yield pod


def _pod_patch(pod: JSON, wanted: JSON) -> Patch | None:
    metadata = {part: pod["metadata"].get(part) or {} for part in _PARTS}
    difference = patching.difference(metadata, wanted)
    return _patch(kinds.POD, pod, difference) if difference else None


def _patch(kind: kinds.Kind, raw: JSON, metadata: JSON) -> Patch:
    return Patch(
        kind=kind,
        namespace=raw["metadata"]["namespace"],
        name=raw["metadata"]["name"],
        body={"metadata": metadata},
    )


def _replacing(before: JSON, after: JSON, template: JSON) -> dict[str, Any]:
    """Merge patch of metadata: what is carried no more falls back to the template's own value, or goes."""
    own = template.get("metadata") or {}
    patch = {}
    for part in _PARTS:
        gone = {key: (own.get(part) or {}).get(key) for key in before.get(part) or {}}
        entries = {**gone, **(after.get(part) or {})}
        if entries:
            patch[part] = entries
    return patch


def _stale(rs: ReplicaSet) -> dict[str, Any]:
    try:
        found = json.loads(rs.annotations.get(keys.STALE_METADATA) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _filled(metadata: JSON | None) -> dict[str, Any]:
    return {part: dict(metadata[part]) for part in _PARTS if (metadata or {}).get(part)} if metadata else {}
