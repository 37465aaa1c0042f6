"""Plain manifests: every `.yaml`, `.yml` and `.json` file below the folder, several documents to a file.

All files are read before anything is said, so one pass over a broken commit names every mistake in it. Kinds named
`…List` are opened into their items. Files that hold no Kubernetes object (no apiVersion and kind) are an error and not
skipped: a typo in `kind` must never look like an object that was removed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rollouts.gitops.errors import RenderError, RenderFailedError
from rollouts.gitops.materialise import Tree
from rollouts.gitops.objects import Manifest
from rollouts.gitops.render.documents import Document, documents

SUFFIXES = (".yaml", ".yml", ".json")
MAX_OBJECTS = 5_000


def render(tree: Tree) -> tuple[Manifest, ...]:
    """The objects of all files, by file and line. RenderFailedError with everything that is wrong."""
    manifests: list[Manifest] = []
    errors: list[RenderError] = []
    for file in (path for path in tree.files if path.endswith(SUFFIXES) and not _hidden(path)):
        for result in _read(file, tree.files[file]):
            (errors if isinstance(result, RenderError) else manifests).append(result)  # type: ignore[arg-type]
    if len(manifests) > MAX_OBJECTS:
        errors.append(RenderError(f"more than {MAX_OBJECTS} objects; split the folder", file=tree.path))
    if errors:
        raise RenderFailedError(tuple(errors))
    return tuple(manifests)


def _hidden(path: str) -> bool:
    return any(part.startswith(".") for part in path.split("/"))


def _read(file: str, data: bytes) -> Iterator[Manifest | RenderError]:
    try:
        found = documents(data.decode("utf-8-sig"), file=file)
    except UnicodeDecodeError as error:
        yield RenderError(f"not UTF-8 (byte {error.start})", file=file)
        return
    except RenderError as error:
        yield error
        return
    for document in found:
        yield from _objects(file, document)


def _objects(file: str, document: Document) -> Iterator[Manifest | RenderError]:
    value = document.value
    if _is_list(value):
        for item in value["items"]:
            yield from _objects(file, Document(line=document.line, value=item))
        return
    complaint = complain(value)
    if complaint:
        yield RenderError(complaint, file=file, line=document.line)
    else:
        yield Manifest(body=value, file=file, line=document.line)


def _is_list(value: Any) -> bool:
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
    if not isinstance(metadata.get("name"), str) or not metadata["name"]:
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
