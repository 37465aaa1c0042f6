"""Which ConfigMaps and Secrets revisions that may still run use: those outlive their file in Git.

A ConfigMap whose name carries a hash of its content is replaced, not changed, with each commit. While a canary runs,
the stable ReplicaSet still mounts the old one; a pod of it that restarts must find it. So it is pruned by a later pass,
when no ReplicaSet with replicas names it any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rollouts.gitops.claims import dig
from rollouts.gitops.objects import JSON, Ref

KINDS = frozenset({"ConfigMap", "Secret"})
_KEYS: Mapping[str, tuple[str, str]] = {
    "configMap": ("ConfigMap", "name"),
    "configMapRef": ("ConfigMap", "name"),
    "configMapKeyRef": ("ConfigMap", "name"),
    "secret": ("Secret", "secretName"),
    "secretRef": ("Secret", "name"),
    "secretKeyRef": ("Secret", "name"),
}


def in_use(replica_sets: Iterable[JSON]) -> frozenset[Ref]:
    """What the pod templates of ReplicaSets that have, or should have, replicas refer to."""
    running = (body for body in replica_sets if _running(body))
    return frozenset(
        Ref(group="", kind=kind, namespace=body["metadata"]["namespace"], name=name)
        for body in running
        for kind, name in _names(dig(body, "spec", "template", "spec"))
    )


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
