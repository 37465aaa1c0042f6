"""Write a value the way Go's `encoding/json` writes a struct of Kubernetes' API.

A field table (`types.json`, `steps.json`; `generate.py` tells their form) is turned once into a tree of small
encoders, so that encoding is a walk without decisions about types. What makes Go's JSON what it is:

* Fields come in the order of the struct, whatever order the user wrote; fields the struct lacks are dropped.
* `omitempty` leaves out "", 0, false, nil, empty slices and maps. It never leaves out a struct, a quantity or an
  int-or-string: `resources` of a container is always there, `{}` at least.
* A field without `omitempty` is always there: a nil slice, map or pointer as `null`, the rest as its zero value.
* Map keys are sorted. `<`, `>` and `&` are escaped, and so are U+2028 and U+2029; all other text is UTF-8 as is.

`Encoder` takes two dials for comparing instead of hashing: how quantities are written, and how a nil slice is.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from rollouts.strategy.podtemplate import quantity

Table = Mapping[str, Sequence[Sequence[str]]]
Write = Callable[[Any], str]

_SPECIAL: Final = re.compile('[\x00-\x1f"\\\\<>&\u2028\u2029\ud800-\udfff]')
_SHORT: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


class EncodingError(ValueError):
    """A value the Go type can't hold. `path` leads to it: `spec.containers[0].image`."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(f"{path}: {message}" if path else message)
        self.message = message
        self.path = path

    def below(self, key: str) -> EncodingError:
        """The same error seen from one level up."""
        glue = "" if not self.path or self.path.startswith("[") else "."
        return EncodingError(self.message, f"{key}{glue}{self.path}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """How values of one Go type are written. `absent`: what stands for a missing value. `empty`: whether omitempty
    leaves a value out. `written`: omitempty writes even a missing value (structs and the types that encode themselves).
    """

    write: Write
    absent: str
    empty: Callable[[Any], bool] = lambda value: False
    written: bool = False


def quote(text: str) -> str:
    """A JSON string with Go's escapes."""
    return f'"{_SPECIAL.sub(_escape, text)}"'


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    if "\ud800" <= char <= "\udfff":
        return "\ufffd"
    return _SHORT.get(char) or f"\\u{ord(char):04x}"


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise EncodingError(f"must be a string, not {json.dumps(value)}; quote it")
    return quote(value)


def _int(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        raise EncodingError(f"must be a whole number, not {json.dumps(value)}")
    return str(int(value))


def _bool(value: Any) -> str:
    if not isinstance(value, bool):
        raise EncodingError(f"must be true or false, not {json.dumps(value)}")
    return "true" if value else "false"


def _int_or_string(value: Any) -> str:
    return quote(value) if isinstance(value, str) else _int(value)


def _time(value: Any) -> str:
    """RFC 3339 in UTC, whole seconds."""
    try:
        moment = datetime.fromisoformat(value).astimezone(UTC)
    except (TypeError, ValueError):
        raise EncodingError(f"must be a time such as 2026-01-31T09:30:00Z, not {json.dumps(value)}") from None
    return f'"{moment:%Y-%m-%dT%H:%M:%SZ}"'


def _raw(value: Any) -> str:
    """JSON the struct keeps as it came: keys in their order, strings escaped as everywhere."""
    if isinstance(value, str):
        return quote(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{quote(key)}:{_raw(item)}" for key, item in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ",".join(map(_raw, value)) + "]"
    return json.dumps(value)


def canonical_quantity(value: Any) -> str:
    """A quantity as Go writes it."""
    return f'"{_checked_quantity(quantity.canonical, value)}"'


def quantity_value(value: Any) -> str:
    """A quantity by its value, rounded up to thousandths as the API server does in resource lists."""
    exact = _checked_quantity(quantity.parse, value).value
    return str(-(-exact * 1000 // 1))


def _checked_quantity(read: Callable[[Any], Any], value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise EncodingError(f"must be a quantity such as 500m or 2Gi, not {json.dumps(value)}")
    try:
        return read(value)
    except quantity.QuantityError as error:
        raise EncodingError(str(error)) from None


class Encoder:
    """Encoders for the structs of one table. `write_quantity` and `nil_slice`: as the essay says."""

    def __init__(self, table: Table, *, write_quantity: Write = canonical_quantity, nil_slice: str = "null") -> None:
        self._table = table
        self._nil_slice = nil_slice
        self._kinds: dict[str, Kind] = {
            "string": Kind(write=_string, absent='""', empty=lambda value: value == ""),
            "int": Kind(write=_int, absent="0", empty=lambda value: value == 0),
            "bool": Kind(write=_bool, absent="false", empty=lambda value: value is False),
            "quantity": Kind(write=write_quantity, absent=write_quantity("0"), written=True),
            "intstr": Kind(write=_int_or_string, absent="0", written=True),
            "time": Kind(write=_time, absent="null", written=True),
            "raw": Kind(write=_raw, absent="null"),
        }

    def encode(self, struct: str, value: Mapping[str, Any]) -> str:
        """The JSON text of a struct. Raises `EncodingError` with the path of the first value that doesn't fit."""
        return self.kind(struct).write(value)

    def kind(self, name: str) -> Kind:
        """The encoder of a type as the table spells it."""
        if name not in self._kinds:
            self._kinds[name] = self._compose(name)
        return self._kinds[name]

    def _compose(self, name: str) -> Kind:
        if name.startswith("*"):
            return Kind(write=self.kind(name[1:]).write, absent="null")
        if name.startswith("[]"):
            return Kind(write=_slice(self.kind(name[2:])), absent=self._nil_slice, empty=_is_empty)
        if name.startswith("{}"):
            return Kind(write=_map(self.kind(name[2:])), absent="null", empty=_is_empty)
        write = _struct([(key, self.kind(kind), omit) for key, kind, omit in self._table[name]])
        return Kind(write=write, absent=write({}), written=True)


def _is_empty(value: Any) -> bool:
    return isinstance(value, Sequence | Mapping) and not value


def _struct(rows: Sequence[tuple[str, Kind, str]]) -> Write:
    fields = [(key, f"{quote(key)}:", kind, omit, _absent(kind, omit)) for key, kind, omit in rows]

    def write(value: Any) -> str:
        if not isinstance(value, Mapping):
            raise EncodingError(f"must be an object, not {json.dumps(value)}")
        parts: list[str] = []
        for key, label, kind, omit, absent in fields:
            item = value.get(key)
            if item is None:
                if absent is not None:
                    parts.append(label + absent)
            elif not (omit and kind.empty(item)):
                parts.append(label + _at(kind, item, key))
        return "{" + ",".join(parts) + "}"

    return write


def _absent(kind: Kind, omit: str) -> str | None:
    """What a struct writes for a missing field; None: nothing."""
    left_out = omit == "zero" or (omit == "empty" and not kind.written)
    return None if left_out else kind.absent


def _at(kind: Kind, value: Any, key: str) -> str:
    try:
        return kind.absent if value is None else kind.write(value)
    except EncodingError as error:
        raise error.below(key) from None


def _slice(item: Kind) -> Write:
    def write(value: Any) -> str:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise EncodingError(f"must be a list, not {json.dumps(value)}")
        return "[" + ",".join(_at(item, entry, f"[{index}]") for index, entry in enumerate(value)) + "]"

    return write


def _map(item: Kind) -> Write:
    def write(value: Any) -> str:
        if not isinstance(value, Mapping):
            raise EncodingError(f"must be an object, not {json.dumps(value)}")
        # Go sorts the keys by their bytes, which for UTF-8 is the order of code points, Python's order of strings.
        return "{" + ",".join(f"{quote(key)}:{_at(item, value[key], key)}" for key in sorted(value)) + "}"

    return write
