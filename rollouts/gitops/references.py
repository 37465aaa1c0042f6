"""Which ConfigMaps and Secrets revisions that may still run use: those outlive their file in Git.

A ConfigMap whose name carries a hash of its content is replaced, not changed, with each commit. While a canary runs,
the stable ReplicaSet still mounts the old one; a pod of it that restarts must find it. So it is pruned by a later pass,
when no ReplicaSet with replicas names it any more, nor one that a Rollout would go back to: with `dynamicStableScale`
the stable one may have none for a while.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rollouts.gitops.claims import dig
from rollouts.gitops.marks import POD_HASH
from rollouts.gitops.objects import JSON, Ref

KINDS = frozenset({"ConfigMap", "Secret"})
_KEYS: Mapping[str, tuple[str, str]] = {
    "configMap": ("ConfigMap", "name"),
    "configMapRef": ("ConfigMap", "name"),
    "configMapKeyRef": ("ConfigMap", "name"),
    "secret": ("Secret", "secretName"),
    "secretRef": ("Secret", "name"),
    "nodePublishSecretRef": ("Secret", "name"),
    "azureFile": ("Secret", "secretName"),
    "secretKeyRef": ("Secret", "name"),
}


_LISTS: Mapping[str, str] = {"imagePullSecrets": "Secret"}
"""Lists of references by name."""


def in_use(replica_sets: Iterable[JSON], rollouts: Iterable[JSON] = ()) -> frozenset[Ref]:
    """What the pod templates of ReplicaSets refer to that have, or should have, replicas, or that a Rollout steers."""
    steered = {(dig(body, "metadata").get("namespace"), hash_) for body in rollouts for hash_ in _hashes(body)}
    running = (body for body in replica_sets if _running(body) or _hash(body) in steered)
    return frozenset(
        Ref(group="", kind=kind, namespace=body["metadata"]["namespace"], name=name)
        for body in running
        for kind, name in _names(dig(body, "spec", "template", "spec"))
    )


def _hashes(rollout: JSON) -> Iterator[str]:
    """The revisions a Rollout goes between: stable and new, active and preview."""
    status = dig(rollout, "status")
    found = (status.get("stableRS"), status.get("currentPodHash"))
    yield from (
        str(value) for value in (*found, *dig(status, "blueGreen").values()) if isinstance(value, str) and value
    )


def _hash(body: JSON) -> tuple[Any, str]:
    metadata = dig(body, "metadata")
    return metadata.get("namespace"), str((metadata.get("labels") or {}).get(POD_HASH) or "")


def _running(body: JSON) -> bool:
    return bool(dig(body, "spec").get("replicas", 1) or dig(body, "status").get("replicas"))


def _names(value: Any) -> Iterator[tuple[str, str]]:
    """References anywhere below: volumes, projected volumes, env and envFrom alike."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in _KEYS and isinstance(inner, Mapping):
                kind, field = _KEYS[key]
                # A projected volume calls a Secret's name `name`, a plain one `secretName`.
                yield from ((kind, str(name)) for name in {inner.get(field), inner.get("name")} if name)
            if key in _LISTS and isinstance(inner, list):
                yield from (
                    (_LISTS[key], str(row["name"])) for row in inner if isinstance(row, Mapping) and row.get("name")
                )
            yield from _names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner)


def images(manifests: Iterable[JSON]) -> tuple[str, ...]:
    """The images of all pod templates, sorted, each once."""
    return tuple(sorted({image for body in manifests for image in _images(body.get("spec"))}))


def _images(spec: Any) -> Iterator[str]:
    template = dig(spec, "template", "spec") if isinstance(spec, Mapping) else {}
    for key in ("initContainers", "containers"):
        for row in template.get(key) or ():
            if isinstance(row, Mapping) and isinstance(row.get("image"), str):
                yield row["image"]
