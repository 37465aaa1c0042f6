"""Manifests from files, folders or standard input: documents with the line of every field.

Read as the sync reads them, so that what passes here means the same there.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from rollouts.cli.errors import CliError
from rollouts.gitops.errors import RenderError
from rollouts.gitops.render.directory import SKIP
from rollouts.gitops.render.documents import Loader, documents

SUFFIXES = (".yaml", ".yml", ".json")
STDIN = "stdin"
_PART = re.compile(r"\.?([A-Za-z_][A-Za-z0-9_]*)|\[([^\]]*)\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One object of a file. `document`: which of the file, from 1."""

    file: str
    document: int
    node: yaml.Node
    value: Mapping[str, Any]

    def line(self, path: str = "") -> int:
        """The line (from 1) of the field at `path`, such as `spec.steps[2]`, or of what holds it."""
        parts = [word or index for word, index in _PART.findall(path)]
        return int(_deepest(self.node, parts).line) + 1

    @property
    def title(self) -> str:
        """`Rollout/app`."""
        name = (self.value.get("metadata") or {}).get("name") if isinstance(self.value.get("metadata"), dict) else ""
        return f"{self.value.get('kind', '?')}/{name or '?'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A file that can't be read, and where."""

    file: str
    line: int | None
    message: str


def read_all(paths: Sequence[str]) -> list[Manifest | Unreadable]:
    """All documents of files, folders (with what is below, hidden files apart) and `-`.

    CliError for a path that does not exist.
    """
    return [found for file, text in _texts(paths) for found in _manifests(file, text)]


def _texts(paths: Sequence[str]) -> Iterator[tuple[str, str]]:
    for path in paths:
        if path == "-":
            yield STDIN, sys.stdin.read()
            continue
        for file in _files(Path(path)):
            text = _text(file)
            # as the sync does in a folder; a file that is named is wanted
            if Path(path).is_file() or SKIP not in text:
                yield str(file), text


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CliError(f"can't read {file}: {getattr(error, 'strerror', None) or error}") from None


def _files(path: Path) -> list[Path]:
    if not path.exists():
        raise CliError(f"there is no file or folder {path}")
    if path.is_file():
        return [path]
    return sorted(item for item in path.rglob("*") if item.suffix in SUFFIXES and item.is_file() and _shown(item, path))


def _shown(file: Path, folder: Path) -> bool:
    return not any(part.startswith(".") for part in file.relative_to(folder).parts)


def _manifests(file: str, text: str) -> Iterator[Manifest | Unreadable]:
    try:
        values = documents(text, file=file)
    except RenderError as error:
        yield Unreadable(file=file, line=error.line, message=error.reason)
        return
    nodes = [(at, node) for at, node in enumerate(yaml.compose_all(text, Loader=Loader), start=1) if _filled(node)]
    for (at, node), document in zip(nodes, values, strict=True):
        yield from _opened(file, at, node, document.value)


def _filled(node: yaml.Node | None) -> bool:
    """Whether a document says anything; `documents` leaves the others out."""
    blank = isinstance(node, yaml.ScalarNode) and not node.style and node.value in ("", "~", "null", "Null", "NULL")
    return node is not None and not blank


def _opened(file: str, at: int, node: yaml.Node, value: Any) -> Iterator[Manifest | Unreadable]:
    """The document, or the items of a List."""
    if not isinstance(value, Mapping):
        yield Unreadable(file=file, line=node.start_mark.line + 1, message="the document is no object")
    elif str(value.get("kind", "")).endswith("List") and isinstance(value.get("items"), list):
        for found, item in zip(_child(node, "items").value, value["items"], strict=True):
            yield from _opened(file, at, found, item)
    else:
        yield Manifest(file=file, document=at, node=node, value=value)


def _child(node: Any, key: str) -> Any:
    return next(item for name, item in node.value if name.value == key)


def _deepest(node: yaml.Node, parts: Sequence[str]) -> Any:
    """The mark of the deepest node on the way: of a mapping's key, of a list's item."""
    mark: Any = node.start_mark
    current: Any = node
    for part in parts:
        found = _step(current, part)
        if found is None:
            break
        mark, current = found
    return mark


def _step(node: Any, part: str) -> tuple[Any, Any] | None:
    if isinstance(node, yaml.MappingNode):
        return next(((key.start_mark, value) for key, value in node.value if key.value == part), None)
    if isinstance(node, yaml.SequenceNode) and part.isdecimal() and int(part) < len(node.value):
        return node.value[int(part)].start_mark, node.value[int(part)]
    return None
