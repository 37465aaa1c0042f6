"""Kustomizations: options are laid over the folder's own file, everything it reaches is looked at, kustomize builds.

Before kustomize runs, each kustomization that can be reached is read here, and every path in it must be a file or
folder of the repository: kustomize would fetch an address from the network, and clone what merely looks like one.
Helm charts inside kustomizations, plugins and functions are off. Files must lie below the kustomization that names them
(kustomize's own `LoadRestrictionsRootOnly`); bases and components may lie anywhere in the repository.

The options do what `kustomize edit` would do to the file, in the child's copy of it.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rollouts.gitops.errors import RenderError, RenderFailedError
from rollouts.gitops.objects import JSON
from rollouts.gitops.render import programs
from rollouts.gitops.render.collect import Results, objects
from rollouts.gitops.render.documents import documents
from rollouts.gitops.render.task import Task

FILES = ("kustomization.yaml", "kustomization.yml", "Kustomization")

_FOLDERS = ("resources", "bases", "components")
_PATHS = ("crds", "configurations")
_PATHS_OR_TEXT = ("patchesStrategicMerge", "generators", "transformers", "validators")
_GENERATORS = ("configMapGenerator", "secretGenerator")
_ITEMS_WITH_PATH = ("patches", "patchesJson6902", "replacements")
_REFUSED = {
    "helmCharts": "point the sync at the chart itself, or commit the rendered chart",
    "helmChartInflationGenerator": "point the sync at the chart itself, or commit the rendered chart",
    "helmGlobals": "point the sync at the chart itself, or commit the rendered chart",
}


def render(task: Task) -> Results:
    """The objects that kustomize builds."""
    file = _file_in(task.tree, task.path)
    if file is None:
        yield RenderError(f"the folder has none of {', '.join(FILES)}", file=task.path)
        return
    written = overlaid(_read(task.tree, file), task.options, exists=lambda path: (task.folder / path).exists())
    (task.tree / file).write_text(json.dumps(written))
    if errors := tuple(_Scan(tree=task.tree).errors(task.path)):
        raise RenderFailedError(errors)
    text = programs.run(task, "build", "--load-restrictor=LoadRestrictionsRootOnly", "--", ".", cwd=task.folder)
    place = f"{task.path} (kustomize)"
    for document in documents(text, file=place):
        yield from objects(document.value, file=place, line=document.line)


def overlaid(kustomization: JSON, options: JSON, *, exists: Callable[[str], bool]) -> dict[str, Any]:
    """The kustomization with the options of a source in it. `exists`: whether a path beside it is there."""
    result = dict(kustomization)
    for key in ("namePrefix", "nameSuffix", "namespace"):
        if options.get(key):
            result[key] = options[key]
    result["images"] = _merged(result.get("images"), map(image, options.get("images") or ()))
    result["replicas"] = _merged(result.get("replicas"), options.get("replicas") or ())
    result["components"] = [*(result.get("components") or ()), *_components(options, exists)]
    result["patches"] = [*(result.get("patches") or ()), *(options.get("patches") or ())]
    result["commonAnnotations"] = {
        **(result.get("commonAnnotations") or {}),
        **(options.get("commonAnnotations") or {}),
    }
    return {key: value for key, value in (result | _labels(result, options)).items() if value not in ({}, [], None)}


def image(text: str) -> dict[str, str]:
    """An image option as an item of `images`.

    >>> image("nginx=host:5000/mirror/nginx:1.2")
    {'name': 'nginx', 'newName': 'host:5000/mirror/nginx', 'newTag': '1.2'}
    >>> image("nginx@sha256:12")
    {'name': 'nginx', 'digest': 'sha256:12'}
    """
    old, renames, new = text.partition("=")
    rest, _, digest = (new if renames else old).partition("@")
    slash = rest.rfind("/")
    colon = rest.find(":", slash + 1)
    name, tag = (rest[:colon], rest[colon + 1 :]) if colon > 0 else (rest, "")
    item = {"name": old if renames else name, "newName": name if renames else "", "newTag": tag, "digest": digest}
    return {key: value for key, value in item.items() if value}


def _merged(present: Any, wanted: Iterable[Mapping[str, Any]]) -> list[Any]:
    """Items by name: a wanted one takes the place of the present one, whose new name it keeps unless it has one."""
    items = {item["name"]: item for item in present or () if isinstance(item, Mapping) and "name" in item}
    for item in wanted:
        kept = {"newName": name} if (name := items.get(item["name"], {}).get("newName")) else {}
        items[item["name"]] = kept | dict(item)
    return list(items.values())


def _components(options: JSON, exists: Callable[[str], bool]) -> list[str]:
    wanted = options.get("components") or ()
    return [path for path in wanted if not options.get("ignoreMissingComponents") or exists(path)]


def _labels(present: JSON, options: JSON) -> dict[str, Any]:
    labels = options.get("commonLabels")
    if not labels:
        return {}
    if not options.get("labelWithoutSelector"):
        return {"commonLabels": {**(present.get("commonLabels") or {}), **labels}}
    item: dict[str, Any] = {"pairs": dict(labels)}
    if options.get("labelIncludeTemplates"):
        item["includeTemplates"] = True
    return {"labels": [*(present.get("labels") or ()), item]}


def _file_in(tree: Path, folder: str) -> str | None:
    return next((file for name in FILES if (tree / (file := posixpath.join(folder, name))).is_file()), None)


def _read(tree: Path, file: str) -> JSON:
    found = documents((tree / file).read_text("utf-8", errors="replace"), file=file)
    if len(found) != 1 or not isinstance(found[0].value, dict):
        raise RenderError("a kustomization is one mapping", file=file)
    return found[0].value


@dataclass(slots=True, kw_only=True)
class _Scan:
    """Follows the paths of kustomizations through the tree."""

    tree: Path
    seen: set[str] = field(default_factory=set)

    def errors(self, folder: str) -> Iterator[RenderError]:
        """What is wrong with the kustomization in `folder` and all it reaches."""
        if folder in self.seen:
            return
        self.seen.add(folder)
        file = _file_in(self.tree, folder)
        if file is None:
            yield RenderError(f"the folder has none of {', '.join(FILES)}", file=folder)
            return
        try:
            content = _read(self.tree, file)
        except RenderError as error:
            yield error
            return
        yield from (RenderError(f"{key} is not rendered: {why}", file=file) for key, why in _refused(content))
        for key, path in references(content):
            yield from self._reference(key, path, folder=folder, file=file)

    def _reference(self, key: str, path: Any, *, folder: str, file: str) -> Iterator[RenderError]:
        if key in _PATHS_OR_TEXT and isinstance(path, str) and "\n" in path:
            return
        if not isinstance(path, str):
            yield RenderError(f"{key} holds {path!r}, which is no path", file=file)
            return
        target = posixpath.normpath(posixpath.join(folder, path))
        if target.startswith(("..", "/")):
            yield RenderError(f"{key}: {path!r} leaves the repository", file=file)
        elif (self.tree / target).is_dir():
            yield from self.errors(target)
        elif not (self.tree / target).is_file():
            yield RenderError(f"{key}: {path!r} {_ABSENT}", file=file)


_ABSENT = "is no file or folder of the repository (nothing is fetched from elsewhere: commit a copy of remote bases)"


def references(content: JSON) -> Iterator[tuple[str, Any]]:
    """Every path a kustomization names, with the field that names it."""
    for key in (*_FOLDERS, *_PATHS, *_PATHS_OR_TEXT):
        yield from ((key, path) for path in _list(content.get(key)))
    for key in _ITEMS_WITH_PATH:
        yield from ((key, item["path"]) for item in _mappings(content.get(key)) if item.get("path"))
    for key in _GENERATORS:
        for item in _mappings(content.get(key)):
            yield from ((f"{key}.files", _after_name(path)) for path in _list(item.get("files")))
            yield from ((f"{key}.envs", path) for path in (*_list(item.get("envs")), item.get("env")) if path)
    yield from (("openapi", item["path"]) for item in _mappings([content.get("openapi")]) if item.get("path"))


def _refused(content: JSON) -> Iterator[tuple[str, str]]:
    return ((key, why) for key, why in _REFUSED.items() if content.get(key))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in _list(value) if isinstance(item, Mapping)]


def _after_name(path: Any) -> Any:
    """`key=path` names the key too."""
    return path.partition("=")[2] or path if isinstance(path, str) else path
