"""Jsonnet files (and what was once written for ksonnet): one evaluation to a file, imports from the tree only.

The result may be an object, a list, or a mapping of names to objects, however deep; `null` stands for nothing. Imports
are searched beside the importing file and then in the `libs` folders. The binding's own importer would read any file of
the machine, so ours is the only one: it takes a path apart itself and never leaves the tree. There are no native
functions, and the depth of the evaluation is bounded.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from rollouts.gitops.errors import RenderError
from rollouts.gitops.objects import JSON
from rollouts.gitops.render.collect import Results, is_list, objects
from rollouts.gitops.render.task import Task

MAX_STACK = 500
MAX_NESTING = 20

_Importer = Callable[[str, str], tuple[str, bytes]]


def render(task: Task, file: str) -> Results:
    """The objects a `.jsonnet` file evaluates to; `file` is its path in the tree."""
    import _jsonnet

    options: JSON = task.options.get("jsonnet") or {}
    source = (task.tree / file).read_text("utf-8", errors="replace")
    try:
        text = _jsonnet.evaluate_snippet(
            file,
            source,
            max_stack=MAX_STACK,
            import_callback=importer(task.tree, options.get("libs") or ()),
            **_variables("ext", options.get("extVars") or ()),
            **_variables("tla", options.get("tlas") or ()),
        )
        yield from _objects(json.loads(text), file=file, depth=0)
    except RuntimeError as error:
        yield RenderError(_first_lines(str(error)), file=file)


def importer(tree: Path, libs: Iterable[str]) -> _Importer:
    """The callback that finds imports: `(folder of the importing file, what it asks for) -> (path, content)`."""
    folders = [posixpath.normpath(lib) for lib in libs]
    return partial(_find, tree, folders)


def _find(tree: Path, libs: Iterable[str], folder: str, wanted: str) -> tuple[str, bytes]:
    for start in (folder, *libs):
        path = posixpath.normpath(posixpath.join(start, wanted))
        if path.startswith(("../", "/")) or path == "..":
            raise RuntimeError(f"the import {wanted!r} leaves the repository")
        if (tree / path).is_file():
            return path, (tree / path).read_bytes()
    raise RuntimeError(f"the import {wanted!r} is neither beside the file nor in libs ({', '.join(libs) or 'none'})")


def _variables(prefix: str, variables: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    texts, codes = ("ext_vars", "ext_codes") if prefix == "ext" else ("tla_vars", "tla_codes")
    found: dict[str, dict[str, str]] = {texts: {}, codes: {}}
    for variable in variables:
        found[codes if variable.get("code") else texts][variable["name"]] = str(variable["value"])
    return found


def _objects(value: Any, *, file: str, depth: int) -> Results:
    if depth > MAX_NESTING:
        yield RenderError(f"objects are nested deeper than {MAX_NESTING}", file=file)
    elif isinstance(value, list):
        for item in value:
            yield from _objects(item, file=file, depth=depth + 1)
    elif isinstance(value, dict) and not {"apiVersion", "kind"} & value.keys() and not is_list(value):
        for item in value.values():
            yield from _objects(item, file=file, depth=depth + 1)
    elif value is not None:
        yield from objects(value, file=file, line=0)


def _first_lines(text: str) -> str:
    """The message and where it arose, without the rest of the stack."""
    return " ".join(line.strip() for line in text.strip().splitlines()[:2])
