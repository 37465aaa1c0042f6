"""How a value is written into the status of a run: compact JSON, numbers as Go writes them, long texts shortened."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from analysis.language import plain_float

LONGEST_VALUE = 2_000
"""Characters of a value kept in the status; conditions see all of it."""
_EXACT = 2.0**53
"""Below it, whole numbers lose nothing as a float."""


def shown(value: Any) -> str:
    """A value for people: a string as it is, anything else as JSON."""
    if isinstance(value, str):
        text = value
    elif isinstance(value, float):
        text = plain_float(value)
    else:
        text = json.dumps(_plain(value), separators=(",", ":"), ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def _plain(value: Any) -> Any:
    """`5.0` as `5`, everywhere inside."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT else value


def shown_numbers(numbers: Sequence[float]) -> str:
    """A list of numbers: `[0.5,1]`."""
    text = f"[{','.join(map(plain_float, numbers))}]"
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"
