"""The syntax tree of a condition: frozen nodes, each with the offset of the text it stands for.

`size` and `depth` are filled in by the parser's budget, not stored here; a tree that exists is within the limits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """Base of all nodes. `position` is an offset into the condition's text."""

    position: int = field(compare=False, default=0)


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A value written out: number, string, true, false, nil."""

    value: Any


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A variable: `result`, `$env`, or one declared with `let`."""

    name: str


@dataclass(frozen=True, slots=True)
class Pointer(Node):
    """`#` (name empty), `#index` or `#acc` within a predicate."""

    name: str


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """`!x`, `-x`, `+x`."""

    operator: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """Two operands and an operator in its symbolic spelling (`and` is `&&`)."""

    operator: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Conditional(Node):
    """`test ? then : otherwise`, and `if test {then} else {otherwise}`."""

    test: Node
    then: Node
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Member(Node):
    """`base.key`, `base[key]`; with `optional`, `base?.key`: nil where base is nil."""

    base: Node
    key: Node
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Chain(Node):
    """The whole of `a?.b.c`: where an optional link finds nil, all of it is nil."""

    inner: Node


@dataclass(frozen=True, slots=True)
class Slice(Node):
    """`base[start:end]`; either end may be left out."""

    base: Node
    start: Node | None
    end: Node | None


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A built-in function applied to arguments."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Method(Node):
    """`base.name(arguments)`: methods of times and durations."""

    base: Node
    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Array(Node):
    """`[a, b]`."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Map(Node):
    """`{key: value}`."""

    pairs: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, slots=True)
class Let(Node):
    """`let name = value; body`."""

    name: str
    value: Node
    body: Node


@dataclass(frozen=True, slots=True)
class Sequence(Node):
    """`a; b`: the value of the last."""

    items: tuple[Node, ...]


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below, in the order they are written."""
    found: list[Node] = []
    for name in node.__dataclass_fields__:
        _collect(getattr(node, name), found)
    return tuple(found)


def _collect(value: Any, found: list[Node]) -> None:
    if isinstance(value, Node):
        found.append(value)
    elif isinstance(value, tuple):
        for item in value:
            _collect(item, found)
