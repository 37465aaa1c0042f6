"""Reading YAML that a stranger wrote: documents with their line numbers, or an error with its line.

The parser works on a stream of events first: depth, number of nodes and aliases are counted there, because the fast C
parser crashes the whole process on deeply nested input and an alias can stand for a million copies. Only what passes
is composed and turned into plain values. Stricter than the usual loader on purpose: a key twice in one mapping, a key
that is no string, a tag, NaN and infinity are errors, because each of them means the author meant something else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import yaml

from rollouts.gitops.errors import RenderError
from rollouts.gitops.render.scalars import plain_scalar

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE, _UNTAGGED = "<<", "?"
_STANDARD = "tag:yaml.org,2002:"
_TEXT = {f"{_STANDARD}str", "!"}
_TAGS = _TEXT | {_UNTAGGED} | {_STANDARD + name for name in ("map", "seq", "null", "bool", "int", "float")}
_OPENING = (yaml.MappingStartEvent, yaml.SequenceStartEvent)
_CLOSING = (yaml.MappingEndEvent, yaml.SequenceEndEvent)


class Loader(_Base):  # type: ignore[misc]
    """Composes nodes and guesses nothing: what an unquoted word means is decided by `plain_scalar`."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}
    DEFAULT_SCALAR_TAG = _UNTAGGED


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Budgets for one file: nesting depth, nodes after aliases are expanded, aliases, and how many times the nodes that
    are written they may become (of a file that becomes `FREE` or fewer it is not asked)."""

    depth: int = 100
    nodes: int = 1_000_000
    aliases: int = 1_000
    expansion: int = 20


FREE = 10_000
"""Nodes that are nobody's trouble, however they came about."""
in_force = Limits()
"""What holds where nothing else is said. A render child sets it to what its task says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document of a file: where it starts (line, from 1) and what it says."""

    line: int
    value: Any


def documents(text: str, *, file: str, limits: Limits | None = None) -> tuple[Document, ...]:
    """The non-empty documents of a YAML (or JSON) file. RenderError names the file and the line."""
    budget = limits or in_force
    try:
        written = _guard(text, file=file, limits=budget)
        return tuple(_documents(text, _Builder(file=file, limits=budget, written=written)))
    except yaml.MarkedYAMLError as error:
        raise RenderError(_complaint(error), file=file, line=_line_of(error)) from None
    except yaml.YAMLError as error:
        raise RenderError(f"not readable as YAML: {error}", file=file) from None


def _documents(text: str, builder: _Builder) -> Iterator[Document]:
    for node in yaml.compose_all(text, Loader=Loader):
        value = None if node is None else builder.build(node)
        if value is not None:
            yield Document(line=_line_at(node.start_mark) or 1, value=value)


def _guard(text: str, *, file: str, limits: Limits) -> int:
    """The number of nodes as written."""
    depth = aliases = written = 0
    for event in yaml.parse(text, Loader=Loader):
        depth += isinstance(event, _OPENING) - isinstance(event, _CLOSING)
        aliases += isinstance(event, yaml.AliasEvent)
        written += isinstance(event, yaml.NodeEvent)
        if depth > limits.depth or aliases > limits.aliases:
            what = f"nests deeper than {limits.depth}" if depth > limits.depth else f"has over {limits.aliases} aliases"
            budget = "yaml-depth" if depth > limits.depth else "yaml-aliases"
            raise RenderError(f"the file {what}", file=file, line=_line_at(event.start_mark), budget=budget)
    return written


class _Builder:
    """Turns composed nodes into values and counts them, so that aliases can't multiply without end."""

    def __init__(self, *, file: str, limits: Limits, written: int) -> None:
        self.file = file
        most = max(FREE, written * limits.expansion)
        self.nodes_left = min(limits.nodes, most)
        self.budget = "yaml-nodes" if limits.nodes <= most else "yaml-expansion"
        self.levels_left = limits.depth

    def build(self, node: yaml.Node) -> Any:
        self.nodes_left -= 1
        if self.nodes_left < 0 or not self.levels_left:
            message = "the file is too large once its aliases are expanded"
            raise RenderError(message, file=self.file, line=_line_at(node.start_mark), budget=self.budget)
        self._check_tag(node)
        self.levels_left -= 1
        try:
            return self._build(node)
        finally:
            self.levels_left += 1

    def _build(self, node: yaml.Node) -> Any:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item) for item in node.value]
        return self._scalar(node) if isinstance(node, yaml.ScalarNode) else None

    def error(self, message: str, node: yaml.Node) -> RenderError:
        return RenderError(message, file=self.file, line=_line_at(node.start_mark))

    def _mapping(self, node: yaml.MappingNode) -> dict[str, Any]:
        merged: dict[str, Any] = {}
        own: dict[str, Any] = {}
        for key, value in node.value:
            if key.value == _MERGE and not key.style:
                merged = self._merged(value) | merged
                continue
            name = self._key(key)
            if name in own:
                raise self.error(f"the key {name!r} is there twice", key)
            own[name] = self.build(value)
        return merged | own

    def _merged(self, node: yaml.Node) -> dict[str, Any]:
        value = self.build(node)
        layers = value if isinstance(value, list) else [value]
        result: dict[str, Any] = {}
        for layer in layers:
            if not isinstance(layer, dict):
                raise self.error("`<<` merges mappings only", node)
            result = layer | result
        return result

    def _key(self, node: yaml.Node) -> str:
        value = self._scalar(node) if isinstance(node, yaml.ScalarNode) else None
        if not isinstance(value, str):
            raise self.error("a key must be a string: put it in quotes", node)
        return value

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        if node.style or node.tag in _TEXT:
            return str(node.value)
        try:
            return plain_scalar(node.value)
        except ValueError as error:
            raise self.error(str(error), node) from None

    def _check_tag(self, node: yaml.Node) -> None:
        if node.tag not in _TAGS:
            raise self.error(f"the tag {node.tag} is not allowed", node)


def _complaint(error: yaml.MarkedYAMLError) -> str:
    parts = [part for part in (error.context, error.problem) if part]
    return "not readable as YAML: " + (", ".join(parts) or "syntax error")


def _line_of(error: yaml.MarkedYAMLError) -> int | None:
    return _line_at(error.problem_mark or error.context_mark)


def _line_at(mark: Any) -> int | None:
    return None if mark is None else int(mark.line) + 1
