"""Reading a field of an object by its path: `spec.replicas`, `metadata.labels['app.kubernetes.io/name']`, `a.b[0]`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

_PART = re.compile(r"\['([^']*)'\]|\[\"([^\"]*)\"\]|\[(\d+)\]|\.?([^.\[\]]+)")


def read_field(obj: Mapping[str, Any], path: str) -> str | None:
    """The value as text (booleans as `true`/`false`); None when the path leads nowhere or to an object."""
    value: Any = obj
    for quoted, double, position, name in _PART.findall(path):
        value = _step(value, quoted or double or name, position)
        if value is None:
            return None
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if isinstance(value, Mapping | list) else str(value)


def _step(value: Any, key: str, position: str) -> Any:
    if position and isinstance(value, Sequence) and not isinstance(value, str):
        return value[int(position)] if int(position) < len(value) else None
    return value.get(key or position) if isinstance(value, Mapping) else None
