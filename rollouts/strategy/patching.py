"""Merge patches of only what differs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

JSON = Mapping[str, Any]


def difference(before: JSON, after: JSON) -> dict[str, Any]:
    """The JSON merge patch that turns the keys named in `after` from what `before` has.

    A value of None means the key should not be there. Keys `after` does not name are left alone, so fields unknown
    to us survive. Objects are compared key by key, lists as a whole.
    """
    patch: dict[str, Any] = {}
    for key, value in after.items():
        old = before.get(key)
        if isinstance(value, Mapping) and isinstance(old, Mapping):
            inner = difference(old, value)
            if inner:
                patch[key] = inner
        elif value is None:
            if key in before:
                patch[key] = None
        elif value != old:
            patch[key] = _without_nones(value)
    return patch


def joined(first: JSON, second: JSON) -> dict[str, Any]:
    """Two merge patches as one; `second` wins."""
    result = dict(first)
    for key, value in second.items():
        old = result.get(key)
        result[key] = joined(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return result


def _without_nones(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nones(item) for key, item in value.items() if item is not None}
    return value


def replaced(before: JSON, after: JSON) -> dict[str, Any]:
    """`after` with None for every key only `before` has: for objects that are ours as a whole."""
    return {**dict.fromkeys(before), **after}
