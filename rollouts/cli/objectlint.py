"""What a sync would refuse of any object, whatever its kind: a document that is none, and the same object twice.

Not every document of a folder is meant as a manifest. It is when it says an apiVersion, or a kind beside metadata, or
when others in its file are; and never in a chart or a kustomization, whose files are only the input of a program: there
a patch rightly has the name of what it patches. The same object twice in one folder is an error. In two folders it is
a note, since the files don't tell whether one sync takes both, or each has its own.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rollouts.cli.manifests import STDIN, Manifest
from rollouts.gitops.objects import JSON
from rollouts.gitops.objects import Manifest as Object
from rollouts.gitops.render.collect import complain
from rollouts.gitops.render.renderer import RENDERERS

_MARKERS = frozenset().union(*(row.markers for row in RENDERERS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What is wrong with a document. Where it is no `error`, it is a note."""

    item: Manifest
    message: str
    error: bool = True


def is_input(file: str) -> bool:
    """Whether the file is in a chart or a kustomization, as far up as its repository goes."""
    return file != STDIN and _below_a_marker(Path(file).absolute().parent)


@cache
def _below_a_marker(folder: Path) -> bool:
    if any((folder / name).is_file() for name in _MARKERS):
        return True
    top = folder.parent == folder or (folder / ".git").exists()
    return not top and _below_a_marker(folder.parent)


def no_objects(items: Sequence[Manifest], *, beside: Sequence[Manifest]) -> Iterator[Remark]:
    """Documents meant as a manifest that are none. `beside`: all there are, to tell which files hold objects."""
    files = {item.file for item in beside if complain(item.value) is None}
    for item in items:
        meant = not is_input(item.file) and (_is_meant(item.value) or item.file in files)
        wrong = complain(item.value) if meant else None
        if wrong:
            yield Remark(item=item, message=wrong + _spelling(item.value))


def _is_meant(value: JSON) -> bool:
    """Configuration of programs may have an apiVersion and a kind too, but then no metadata."""
    described = isinstance(value.get("metadata"), Mapping)
    if "kind" in value:
        return described
    return isinstance(value.get("apiVersion"), str)


def _spelling(value: JSON) -> str:
    """The key that was probably meant to be a missing one."""
    for key in ("apiVersion", "kind", "metadata"):
        close = difflib.get_close_matches(key, value, n=1, cutoff=0.75) if key not in value else ()
        if close:
            return f'; "{close[0]}" is probably meant to be "{key}"'
    return ""


def twice(items: Sequence[Manifest]) -> Iterator[Remark]:
    """Objects that are there already."""
    seen: dict[str, list[Manifest]] = {}
    for item in (item for item in items if complain(item.value) is None and not is_input(item.file)):
        found = Object(body=item.value, file=item.file, line=item.line()).ref
        others = seen.setdefault(str(found), [])
        # a file that was named twice is one file
        if any(_place(other) == _place(item) for other in others):
            continue
        near = next((other for other in others if _folder(other) == _folder(item)), None)
        if near is not None:
            yield Remark(item=item, message=f"{found.label} is there already, at {near.file}:{near.line()}")
        elif others:
            where = f"{others[0].file}:{others[0].line()}"
            text = f"{found.label} is there already, at {where}: a sync of a folder above both refuses it"
            yield Remark(item=item, message=text, error=False)
        others.append(item)


def _folder(item: Manifest) -> Path:
    return Path(item.file).absolute().parent


def _place(item: Manifest) -> tuple[Path, int, int]:
    return Path(item.file).resolve(), item.document, item.line()
