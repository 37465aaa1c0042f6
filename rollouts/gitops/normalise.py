"""From what files say to what is sent: namespaces filled in, noise dropped, duplicates refused, our mark added.

Whether a kind lives in a namespace is asked of the cluster's discovery, or, for a kind whose CRD is in the same commit,
of that CRD. Only then can two documents be told to mean the same object: `default/web` and `web` may be one.
Pure; everything that is wrong is reported at once, with both places of a duplicate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rollouts.api.kinds import Kind
from rollouts.gitops import hooks, marks, objectoptions
from rollouts.gitops.errors import RenderError, RenderFailedError
from rollouts.gitops.objects import JSON, Manifest, Ref

_NOT_OURS = (
    "creationTimestamp",
    "managedFields",
    "resourceVersion",
    "uid",
    "generation",
    "selfLink",
    "ownerReferences",
)

KindKey = tuple[str, str]
"""apiVersion and kind."""


def key_of(manifest: Manifest) -> KindKey:
    """What discovery is asked for."""
    return manifest.api_version, str(manifest.body["kind"])


def declared_kinds(manifests: Iterable[Manifest]) -> dict[KindKey, Kind]:
    """The kinds that CRDs among the manifests will bring."""
    return {key: kind for manifest in manifests if is_crd(manifest) for key, kind in _kinds_of(manifest.body)}


def normalise(
    manifests: Iterable[Manifest], *, kinds: Mapping[KindKey, Kind], namespace: str, sync: str
) -> tuple[Manifest, ...]:
    """The manifests as they are to be applied, in their order.

    `kinds`: what the cluster knows and the commit declares. `namespace`: where objects go that name none.
    `sync`: the name of this sync, for the tracking mark. RenderFailedError with all unknown kinds and duplicates.
    """
    errors: list[RenderError] = []
    found: dict[Ref, Manifest] = {}
    for manifest in manifests:
        kind = kinds.get(key_of(manifest))
        if kind is None:
            errors.append(_unknown(manifest))
            continue
        cleaned = _cleaned(manifest, kind=kind, namespace=namespace)
        wrong = hooks.problem(cleaned) or objectoptions.problem(cleaned)
        if wrong:
            errors.append(RenderError(wrong, file=manifest.file, line=manifest.line))
            continue
        if cleaned.ref in found:
            errors.append(_twice(cleaned, first=found[cleaned.ref]))
        found.setdefault(cleaned.ref, _marked(cleaned, sync=sync))
    if errors:
        raise RenderFailedError(tuple(errors))
    return tuple(found.values())


def _cleaned(manifest: Manifest, *, kind: Kind, namespace: str) -> Manifest:
    metadata = {key: value for key, value in manifest.body["metadata"].items() if key not in _NOT_OURS}
    metadata.pop("namespace", None)
    if kind.namespaced:
        metadata["namespace"] = manifest.body["metadata"].get("namespace") or namespace
    body = {key: value for key, value in manifest.body.items() if key != "status"}
    return manifest.with_body({**body, "metadata": metadata})


def _marked(manifest: Manifest, *, sync: str) -> Manifest:
    metadata = manifest.body["metadata"]
    return manifest.with_metadata(
        labels={**(metadata.get("labels") or {}), marks.MANAGED: "true"},
        annotations={**(metadata.get("annotations") or {}), marks.TRACKING: marks.tracking(sync, manifest.ref)},
    )


def is_crd(manifest: Manifest) -> bool:
    """Whether the object defines a kind."""
    return key_of(manifest) == ("apiextensions.k8s.io/v1", "CustomResourceDefinition")


def _kinds_of(crd: JSON) -> Iterable[tuple[KindKey, Kind]]:
    spec: Mapping[str, Any] = crd.get("spec") or {}
    names: Mapping[str, Any] = spec.get("names") or {}
    group, kind, plural = spec.get("group"), names.get("kind"), names.get("plural")
    if not (isinstance(group, str) and isinstance(kind, str) and isinstance(plural, str)):
        return
    for version in spec.get("versions") or ():
        name = str(version.get("name"))
        namespaced = spec.get("scope") != "Cluster"
        yield (
            (f"{group}/{name}", kind),
            Kind(group=group, version=name, kind=kind, plural=plural, namespaced=namespaced),
        )


def _unknown(manifest: Manifest) -> RenderError:
    api_version, kind = key_of(manifest)
    return RenderError(
        f"the cluster has no kind {kind} in {api_version}: check the spelling, or install its CRD "
        f"first; if it comes by other means: {marks.SYNC_OPTIONS}: SkipDryRunOnMissingResource=true",
        file=manifest.file,
        line=manifest.line,
    )


def _twice(manifest: Manifest, *, first: Manifest) -> RenderError:
    return RenderError(
        f"{manifest.ref.label} is there already, at {first.place}", file=manifest.file, line=manifest.line
    )
