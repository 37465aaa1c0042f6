"""From a value that some renderer made to Kubernetes objects, or to what is wrong with it.

Kinds named `…List` are opened into their items. A value that is no Kubernetes object (no apiVersion and kind) is an
error and not skipped: a typo in `kind` must never look like an object that was removed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rollouts.gitops.errors import RenderError, RenderFailedError
from rollouts.gitops.objects import Manifest

Results = Iterator[Manifest | RenderError]


def objects(value: Any, *, file: str, line: int) -> Results:
    """The object in a document, or those of a list."""
    if is_list(value):
        for item in value["items"]:
            yield from objects(item, file=file, line=line)
        return
    complaint = complain(value)
    if complaint:
        yield RenderError(complaint, file=file, line=line or None)
    else:
        yield Manifest(body=value, file=file, line=line)


def collect(results: Iterator[Manifest | RenderError]) -> tuple[Manifest, ...]:
    """All objects, or RenderFailedError with everything that is wrong."""
    manifests: list[Manifest] = []
    errors: list[RenderError] = []
    for result in results:
        if isinstance(result, RenderError):
            errors.append(result)
        else:
            manifests.append(result)
    if errors:
        raise RenderFailedError(tuple(errors))
    return tuple(manifests)


def is_list(value: Any) -> bool:
    """Whether the value is a List, such as `v1 List` or `RolloutList`."""
    return (
        isinstance(value, Mapping) and str(value.get("kind")).endswith("List") and isinstance(value.get("items"), list)
    )


def complain(value: Any) -> str | None:
    """Why the value is no Kubernetes object, None when it is one."""
    if not isinstance(value, Mapping):
        return "not a Kubernetes object: expected a mapping with apiVersion, kind and metadata"
    missing = [key for key in ("apiVersion", "kind") if not isinstance(value.get(key), str) or not value[key]]
    metadata = value.get("metadata")
    if missing:
        return f"not a Kubernetes object: {' and '.join(missing)} missing or not text"
    if not isinstance(metadata, Mapping):
        return f"{value['kind']} has no metadata"
    if not isinstance(metadata.get("name") or "", str):
        return f"{value['kind']}: metadata.name must be text; put it in quotes"
    if not metadata.get("name"):
        return f"{value['kind']} has no metadata.name" + (
            " (generateName makes a new object each sync; give it a name)" if "generateName" in metadata else ""
        )
    return _complain_annotations(value["kind"], metadata)


def _complain_annotations(kind: str, metadata: Mapping[str, Any]) -> str | None:
    for field in ("labels", "annotations"):
        values = metadata.get(field)
        for key, value in (values or {}).items() if isinstance(values or {}, Mapping) else [(field, None)]:
            if not isinstance(value, str):
                return f"{kind} {metadata['name']}: metadata.{field}[{key!r}] must be text; put it in quotes"
    return None
