"""Small objects for tests of the engine."""

from __future__ import annotations

from typing import Any


def rollout(name: str = "web", *, version: int = 1, uid: str = "", **extra: Any) -> dict[str, Any]:
    """A Rollout as a watch shows it; `extra` goes beside metadata."""
    metadata = {"name": name, "namespace": "ns", "uid": uid or f"uid-{name}", "resourceVersion": str(version)}
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "metadata": metadata, "spec": {}, **extra}


def replica_set(name: str, *, version: int = 1, owner: str = "", **metadata: Any) -> dict[str, Any]:
    """A ReplicaSet, controlled by the Rollout named `owner` if any."""
    reference = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": owner, "uid": f"uid-{owner}"}
    known = {"name": name, "namespace": "ns", "uid": f"uid-{name}", "resourceVersion": str(version), **metadata}
    if owner:
        known["ownerReferences"] = [{**reference, "controller": True}]
    return {"apiVersion": "apps/v1", "kind": "ReplicaSet", "metadata": known, "spec": {"replicas": 1}}


def template(name: str, *, embeds: tuple[str, ...] = (), version: int = 1) -> dict[str, Any]:
    """An AnalysisTemplate."""
    metadata = {"name": name, "namespace": "ns", "uid": f"uid-{name}", "resourceVersion": str(version)}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AnalysisTemplate",
        "metadata": metadata,
        "spec": {"templates": [{"templateName": other} for other in embeds]},
    }
