"""From decisions to writes: the ReplicaSets, AnalysisRuns and Rollout fields a plan creates, patches and deletes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rollouts.api import kinds
from rollouts.plan import Create, Delete, Patch
from rollouts.strategy import ephemeral, identity, keys, patching, times
from rollouts.strategy.revisions import Revisions
from rollouts.strategy.runs import RunKind
from rollouts.strategy.snapshot import ReplicaSet, Run
from rollouts.strategy.wants import Wants

JSON = Mapping[str, Any]


def owner_reference(rollout: JSON) -> dict[str, Any]:
    """The controller reference children of a Rollout carry."""
    return {
        "apiVersion": kinds.ROLLOUT.api_version,
        "kind": kinds.ROLLOUT.kind,
        "name": rollout["metadata"]["name"],
        "uid": rollout["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def new_replica_set(rollout: JSON, wants: Wants, revisions: Revisions, *, replicas: int, sized: bool = True) -> Create:
    """The ReplicaSet of a revision, at the size it should have now. `sized`: as of `replica_set_patch`."""
    template = _template(wants, revisions)
    selector = dict(wants.selector)
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), keys.POD_HASH: revisions.hash}
    spec: dict[str, Any] = {"replicas": replicas, "selector": selector, "template": template}
    if wants.min_ready_seconds:
        spec["minReadySeconds"] = wants.min_ready_seconds
    body = {
        "apiVersion": kinds.REPLICA_SET.api_version,
        "kind": kinds.REPLICA_SET.kind,
        "metadata": {
            "name": revisions.name,
            "namespace": wants.namespace,
            "labels": dict(template["metadata"]["labels"]),
            "annotations": {
                **_copied(rollout),
                **ephemeral.annotation(ephemeral.first(wants, revisions)),
                keys.REVISION: str(revisions.number),
                **({keys.DESIRED_REPLICAS: str(wants.limits.replicas)} if sized else {}),
            },
            "ownerReferences": [owner_reference(rollout)],
        },
        "spec": spec,
    }
    return Create(kind=kinds.REPLICA_SET, namespace=wants.namespace, body=body)


def _template(wants: Wants, revisions: Revisions) -> dict[str, Any]:
    """The pod template with all a controller adds: the hash, anti-affinity to the stable pods, the role's metadata."""
    labelled = identity.inject_hash_label(wants.template, revisions.hash)
    stable = revisions.stable.hash if revisions.stable else ""
    apart = identity.inject_anti_affinity(labelled, wants.anti_affinity, stable_hash=stable, namespace=wants.namespace)
    return ephemeral.injected(apart, ephemeral.first(wants, revisions))


def _copied(rollout: JSON) -> dict[str, str]:
    annotations = rollout["metadata"].get("annotations") or {}
    return {key: value for key, value in annotations.items() if key not in keys.NOT_COPIED_TO_REPLICA_SETS}


def apart(rs: ReplicaSet, wants: Wants, stable_hash: str) -> dict[str, Any]:
    """Merge patch for a ReplicaSet that is used again: its pods keep away from those that are stable by now."""
    template = rs.raw["spec"]["template"]
    if identity.kept_apart_from(template) in (set(), {stable_hash}):
        return {}
    injected = identity.inject_anti_affinity(
        template, wants.anti_affinity, stable_hash=stable_hash, namespace=wants.namespace
    )
    return {"spec": {"template": {"spec": {"affinity": injected["spec"].get("affinity")}}}}


def replica_set_patch(
    rs: ReplicaSet,
    rollout: JSON,
    wants: Wants,
    *,
    replicas: int,
    revision: int | None = None,
    active: bool = True,
    deadline: datetime | None = None,
    template: JSON | None = None,
    sized: bool = True,
) -> Patch | None:
    """One patch with all that must change on a ReplicaSet; None when nothing must. `revision`: the number it takes
    over when an older ReplicaSet is used again, and with it the Rollout's annotations. `active`: it is new or stable,
    so it is kept in step with the spec. `deadline`: its scale-down deadline. `template`: a merge patch of metadata and
    pod template (see ephemeral.py). `sized`: this is the size it should have for the replicas wanted. Shrinking rests
    on pods being available, so it is refused on a ReplicaSet that changed meanwhile; growing is not."""
    annotations: dict[str, str | None] = {}
    if deadline != rs.deadline:
        annotations[keys.SCALE_DOWN_DEADLINE] = times.text(deadline) if deadline else None
    if revision is not None and revision != rs.revision:
        annotations |= {key: text for key, text in _copied(rollout).items() if rs.annotations.get(key) != text}
        history = rs.annotations.get(keys.REVISION_HISTORY)
        annotations[keys.REVISION] = str(revision)
        annotations[keys.REVISION_HISTORY] = f"{history},{rs.revision}" if history else str(rs.revision)
    kept_in_step = active and bool(replicas or rs.replicas)
    desired = wants.limits.replicas if sized else None
    if (kept_in_step or replicas != rs.replicas) and rs.desired != desired:
        annotations[keys.DESIRED_REPLICAS] = None if desired is None else str(desired)
    metadata: dict[str, Any] = {"annotations": annotations} if annotations else {}
    if (rs.raw["metadata"].get("labels") or {}).get(keys.POD_HASH) != rs.hash:
        metadata["labels"] = {keys.POD_HASH: rs.hash}
    if not any(ref.get("controller") for ref in rs.raw["metadata"].get("ownerReferences") or ()):
        metadata["ownerReferences"] = [owner_reference(rollout)]
    spec: dict[str, Any] = {} if replicas == rs.replicas else {"replicas": replicas}
    if active and (rs.raw["spec"].get("minReadySeconds") or 0) != wants.min_ready_seconds:
        spec["minReadySeconds"] = wants.min_ready_seconds
    body = {key: value for key, value in (("metadata", metadata), ("spec", spec)) if value}
    body = patching.joined(body, template or {})
    if not body:
        return None
    return Patch(
        kind=kinds.REPLICA_SET,
        namespace=wants.namespace,
        name=rs.name,
        body=body,
        resource_version=rs.raw["metadata"].get("resourceVersion") if replicas < rs.replicas else None,
    )


def release(rs: JSON, rollout: JSON) -> Patch:
    """Let a ReplicaSet go whose labels fit the Rollout no more: it keeps its pods and loses its controller."""
    own = rollout["metadata"]["uid"]
    metadata = rs["metadata"]
    left = [ref for ref in metadata.get("ownerReferences") or () if ref.get("uid") != own]
    return Patch(
        kind=kinds.REPLICA_SET,
        namespace=metadata["namespace"],
        name=metadata["name"],
        body={"metadata": {"ownerReferences": left or None}},
        resource_version=metadata.get("resourceVersion"),
    )


def rollout_patch(rollout: JSON, wants: Wants, *, revision: int) -> Patch | None:
    """The revision annotation, and `spec.replicas: 1` where it is missing (HPA needs it); None if both are there."""
    body: dict[str, Any] = {}
    if (rollout["metadata"].get("annotations") or {}).get(keys.REVISION) != str(revision):
        body["metadata"] = {"annotations": {keys.REVISION: str(revision)}}
    if rollout["spec"].get("replicas") is None:
        body["spec"] = {"replicas": wants.limits.replicas}
    if not body:
        return None
    return Patch(
        kind=kinds.ROLLOUT,
        namespace=wants.namespace,
        name=wants.name,
        body=body,
        resource_version=rollout["metadata"].get("resourceVersion"),
    )


def analysis_run(
    rollout: JSON,
    wants: Wants,
    revisions: Revisions,
    *,
    kind: RunKind,
    name: str,
    spec: JSON,
    step: int | None,
    extra: JSON,
) -> Create:
    """An AnalysisRun of a revision. `extra`: analysisRunMetadata of the analysis block."""
    labels = {
        **(extra.get("labels") or {}),
        **(wants.selector.get("matchLabels") or {}),
        keys.POD_HASH: revisions.hash,
        keys.ROLLOUT_TYPE: kind.label,
    }
    if step is not None:
        labels[keys.STEP_INDEX] = str(step)
    instance = (rollout["metadata"].get("labels") or {}).get(keys.INSTANCE_ID)
    if instance:
        labels[keys.INSTANCE_ID] = instance
    body = {
        "apiVersion": kinds.ANALYSIS_RUN.api_version,
        "kind": kinds.ANALYSIS_RUN.kind,
        "metadata": {
            "name": name,
            "namespace": wants.namespace,
            "labels": labels,
            "annotations": {**(extra.get("annotations") or {}), keys.REVISION: str(revisions.number)},
            "ownerReferences": [owner_reference(rollout)],
        },
        "spec": spec,
    }
    return Create(kind=kinds.ANALYSIS_RUN, namespace=wants.namespace, body=body)


def terminate(run: Run) -> Patch:
    """Ask a run to end."""
    metadata = run.raw["metadata"]
    return Patch(
        kind=kinds.ANALYSIS_RUN,
        namespace=metadata["namespace"],
        name=run.name,
        body={"spec": {"terminate": True}},
    )


def delete(kind: kinds.Kind, raw: JSON) -> Delete:
    """Delete exactly this object."""
    metadata = raw["metadata"]
    return Delete(kind=kind, namespace=metadata["namespace"], name=metadata["name"], uid=metadata["uid"])
