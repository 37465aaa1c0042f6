"""What an unquoted word in YAML means, as kubectl reads it.

The stock Python loader follows YAML 1.1 further than Kubernetes' tools do: it turns `12:30:45` into 45045, a date into
a date object and `1e3` into text. A manifest must mean here what it means to kubectl, so this table is our own.

    >>> [plain_scalar(word) for word in ("yes", "0o17", "017", "1e3", "12:30:45", "2024-01-01", "~")]
    [True, 15, 15, 1000, '12:30:45', '2024-01-01', None]
"""

from __future__ import annotations

import re
from typing import Any

_TRUE = frozenset({"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON", "y", "Y"})
_FALSE = frozenset({"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF", "n", "N"})
_NULL = frozenset({"", "~", "null", "Null", "NULL"})


_BASES = (
    (re.compile(r"[-+]?0o[0-7_]+|[-+]?0[0-7_]+"), 8),
    (re.compile(r"[-+]?0x[0-9a-fA-F_]+"), 16),
    (re.compile(r"[-+]?0b[01_]+"), 2),
    (re.compile(r"[-+]?(?:0|[1-9][0-9_]*)"), 10),
)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_LARGEST = 2**63
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


def plain_scalar(word: str) -> Any:
    """The value of an unquoted word. ValueError for infinities and not-a-number, which JSON does not have."""
    for words, value in ((_NULL, None), (_TRUE, True), (_FALSE, False)):
        if word in words:
            return value
    if _NOT_FINITE.fullmatch(word):
        raise ValueError(f"{word} is no number Kubernetes takes")
    return _number(word)


def _number(word: str) -> Any:
    digits = word.replace("_", "")
    for pattern, base in _BASES:
        if pattern.fullmatch(word):
            return _json(int(digits, base))
    return _json(float(digits)) if _FLOAT.fullmatch(word) else word


def _json(number: int | float) -> int | float:
    """Integers of 64 bits and floats, as JSON has them: `1.0` is sent as 1, for fields that are integers."""
    if abs(number) >= _LARGEST:
        return float(number)
    return int(number) if float(number).is_integer() else number
