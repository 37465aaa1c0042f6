"""Sets of fields, as `metadata.managedFields` writes them down, and what is left of an object without some of them.

    f:data: {f:a: {}, f:b: {}}                                   the fields data.a and data.b
    f:containers: {k:{"name":"web"}: {".": {}, f:image: {}}}     the container `web` itself, and its image

A key is `f:` and a field's name, `k:` and the keys of a list's item, or `v:` and an item of a set; an empty mapping is
the end of a path, and `.` the thing itself, not only what is in it. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Any

Tree = Mapping[str, Any]

SELF = "."


def union(trees: Iterable[Tree]) -> Tree:
    """What any of them names."""
    return reduce(_both, trees, {})


def minus(tree: Tree, other: Tree) -> Tree:
    """What `tree` names and `other` doesn't. A field that `other` names as a whole is named with all that is in it."""
    left = {key: sub if key not in other else _less(sub, other[key]) for key, sub in tree.items()}
    return {key: sub for key, sub in left.items() if sub is not None}


def within(tree: Tree, value: Any) -> Tree:
    """The part of `tree` that names something in this value."""
    found = {key: _part(key, sub, value) for key, sub in tree.items()}
    return {key: sub for key, sub in found.items() if sub is not None}


def without(value: Any, gone: Tree, *, kept: Tree) -> Any:
    """The value without what `gone` names and `kept` does not: what others own in it stays where it is."""
    if isinstance(value, Mapping):
        fields = {name: _left(item, f"f:{name}", gone, kept) for name, item in value.items()}
        return {name: item for name, item in fields.items() if item is not _GONE}
    if isinstance(value, list):
        items = [_left(item, _key_in(gone, item), gone, kept) for item in value]
        return [item for item in items if item is not _GONE]
    return value


_GONE = object()


def _both(one: Tree, other: Tree) -> Tree:
    return {**one, **{key: _both(one.get(key, {}), sub) for key, sub in other.items()}}


def _less(sub: Tree, other: Tree) -> Tree | None:
    if not (sub and other):
        return None
    return minus(sub, other) or None


def _part(key: str, sub: Tree, value: Any) -> Tree | None:
    """What is left of one branch: None when there is nothing like it in the value."""
    if key == SELF:
        return sub
    there = _at(key, value)
    if there is _GONE:
        return None
    return within(sub, there) or None if sub else sub


def _at(key: str, value: Any) -> Any:
    """What a key leads to in a value."""
    if isinstance(value, Mapping):
        return value.get(key.removeprefix("f:"), _GONE)
    if isinstance(value, list):
        return next((item for item in value if means(key, item)), _GONE)
    return _GONE


def _left(item: Any, key: str, gone: Tree, kept: Tree) -> Any:
    if key not in gone:
        return item
    sub = gone[key]
    if key in kept:
        # Where one side names it as a whole, that side has it all.
        return without(item, sub, kept=kept[key]) if sub and kept[key] else item
    if not sub or SELF in sub:
        return _GONE
    return without(item, sub, kept={}) or _GONE


def _key_in(tree: Tree, item: Any) -> str:
    """By which key the tree names an item of a list; empty when it doesn't."""
    return next((key for key in tree if means(key, item)), "")


def means(key: str, item: Any) -> bool:
    """Whether a key names this item of a list."""
    kind, _, text = key.partition(":")
    if kind == "v":
        return bool(json.loads(text) == item)
    # A key with a default, such as a port's protocol, need not be written.
    return kind == "k" and isinstance(item, Mapping) and all(item.get(k, v) == v for k, v in json.loads(text).items())
