"""A folder of manifests: every `.yaml`, `.yml`, `.json` and `.jsonnet` file in it, several documents to a file.

All files are read before anything is said, so one pass over a broken commit names every mistake in it. Hidden files
and folders are left out, and so is a file that says `+argocd:skip-file-rendering`. `include` and `exclude` are
patterns on the path within the folder, in which `*` also stands for slashes and `{a,b}` for either:

    >>> bool(pattern("{*.yml,envs/*}").fullmatch("envs/prod/web.json"))
    True
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from rollouts.gitops.errors import RenderError
from rollouts.gitops.objects import JSON
from rollouts.gitops.render.collect import Results, objects
from rollouts.gitops.render.documents import documents
from rollouts.gitops.render.task import Task

SUFFIXES = (".yaml", ".yml", ".json")
JSONNET = ".jsonnet"
SKIP = "+argocd:skip-file-rendering"
_GLOB = {"*": ".*", "?": ".", "{": "(?:", "}": ")", ",": "|"}


def render(task: Task) -> Results:
    """The objects of all files, by file and line, and everything that is wrong."""
    files = sorted(_files(task.folder, task.options))
    total = sum(file.stat().st_size for file in files)
    if total > task.manifest_bytes:
        text = f"its manifests hold {total} bytes, more than {task.manifest_bytes}: split it"
        yield RenderError(text, file=task.path, budget="manifest-bytes")
        return
    for file in files:
        name = str(file.relative_to(task.tree))
        if file.suffix == JSONNET:
            from rollouts.gitops.render import jsonnet

            yield from jsonnet.render(task, name)
        else:
            yield from read(name, file.read_bytes())


def read(file: str, data: bytes) -> Results:
    """The objects of one YAML or JSON file."""
    if SKIP.encode() in data:
        return
    try:
        for document in documents(data.decode("utf-8-sig"), file=file):
            yield from objects(document.value, file=file, line=document.line)
    except UnicodeDecodeError as error:
        yield RenderError(f"not UTF-8 (byte {error.start})", file=file)
    except RenderError as error:
        yield error


def pattern(glob: str) -> re.Pattern[str]:
    """The pattern as a regular expression. RenderError when its braces don't match."""
    inside = 0
    text = ""
    for letter in glob:
        inside += (letter == "{") - (letter == "}")
        text += re.escape(letter) if letter not in _GLOB or (letter == "," and not inside) else _GLOB[letter]
        if inside not in (0, 1):
            break
    if inside:
        raise RenderError(f"the pattern {glob!r} has a brace without its partner", file="source.directory")
    return re.compile(text, re.DOTALL)


def _files(folder: Path, options: JSON) -> Iterator[Path]:
    wanted = _chooser(options)
    recurse = options.get("recurse")
    for file in folder.rglob("*") if recurse is None or recurse else folder.glob("*"):
        name = str(file.relative_to(folder))
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if file.is_file() and not hidden and file.suffix in {*SUFFIXES, JSONNET} and wanted(name):
            yield file


def _chooser(options: JSON) -> Callable[[str], bool]:
    include, exclude = (pattern(glob) if (glob := options.get(key)) else None for key in ("include", "exclude"))
    return lambda name: (not include or bool(include.fullmatch(name))) and not (exclude and exclude.fullmatch(name))
