"""The objects of an Experiment: the ReplicaSet and the Service of a template, the run of an analysis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rollouts.api import kinds
from rollouts.experiments import services
from rollouts.experiments.analyses import Analysis
from rollouts.experiments.looks import Look
from rollouts.plan import Create, Patch
from rollouts.strategy import identity, keys

JSON = Mapping[str, Any]


def replica_set(experiment: JSON, each: Look) -> Create:
    """The ReplicaSet of a template, at the size it asks for."""
    template = identity.inject_hash_label(each.pods, each.hash)
    spec: dict[str, Any] = {"replicas": each.wanted, "selector": _selector(each), "template": template}
    if each.spec.min_ready_seconds:
        spec["minReadySeconds"] = each.spec.min_ready_seconds
    return _create(
        kinds.REPLICA_SET,
        experiment,
        name=each.name,
        labels=template["metadata"]["labels"],
        annotations=_marks(experiment, each),
        spec=spec,
    )


def service(experiment: JSON, each: Look) -> Create:
    """The Service of a template; its name is `each.service`."""
    selector = {**(_selector(each).get("matchLabels") or {}), keys.POD_HASH: each.hash}
    return _create(
        kinds.SERVICE,
        experiment,
        name=each.service or each.name,
        labels={},
        annotations=_marks(experiment, each),
        spec={"selector": selector, "ports": services.ports(each.pods)},
    )


def analysis_run(experiment: JSON, each: Analysis) -> Create:
    """The AnalysisRun of an analysis that is to start."""
    extra = experiment["spec"].get("analysisRunMetadata") or {}
    labels = dict(extra.get("labels") or {})
    instance = (experiment["metadata"].get("labels") or {}).get(keys.INSTANCE_ID)
    if instance:
        labels[keys.INSTANCE_ID] = instance
    return _create(
        kinds.ANALYSIS_RUN,
        experiment,
        name=each.run,
        labels=labels,
        annotations=extra.get("annotations") or {},
        spec=each.create or {},
    )


def kept_up(each: Look) -> Patch | None:
    """What must change on the ReplicaSet of a template that is wanted; None when nothing must."""
    rs = each.set
    if rs is None:
        return None
    body: dict[str, Any] = {}
    if rs.replicas != each.wanted:
        body["spec"] = {"replicas": each.wanted}
    if keys.SCALE_DOWN_DEADLINE in rs.annotations:
        body["metadata"] = {"annotations": {keys.SCALE_DOWN_DEADLINE: None}}
    return patch(rs.raw, body) if body else None


def patch(raw: JSON, body: JSON) -> Patch:
    """A patch of a ReplicaSet."""
    metadata = raw["metadata"]
    return Patch(kind=kinds.REPLICA_SET, namespace=metadata["namespace"], name=metadata["name"], body=body)


def _selector(each: Look) -> dict[str, Any]:
    written = {
        key: value for key, value in (each.spec.selector.to_api() if each.spec.selector else {}).items() if value
    }
    return {**written, "matchLabels": {**(written.get("matchLabels") or {}), keys.POD_HASH: each.hash}}


def _marks(experiment: JSON, each: Look) -> dict[str, str]:
    return {keys.EXPERIMENT_NAME: experiment["metadata"]["name"], keys.EXPERIMENT_TEMPLATE: each.spec.name}


def _create(kind: kinds.Kind, experiment: JSON, *, name: str, labels: JSON, annotations: JSON, spec: JSON) -> Create:
    namespace = experiment["metadata"]["namespace"]
    metadata = {
        "name": name,
        "namespace": namespace,
        "labels": dict(labels),
        "annotations": dict(annotations),
        "ownerReferences": [_owner_reference(experiment)],
    }
    body = {"apiVersion": kind.api_version, "kind": kind.kind, "metadata": metadata, "spec": spec}
    return Create(kind=kind, namespace=namespace, body=body)


def _owner_reference(experiment: JSON) -> dict[str, Any]:
    return {
        "apiVersion": kinds.EXPERIMENT.api_version,
        "kind": kinds.EXPERIMENT.kind,
        "name": experiment["metadata"]["name"],
        "uid": experiment["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
