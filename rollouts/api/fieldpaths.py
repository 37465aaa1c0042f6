"""Places in an object that a person names, as JSON pointers or in a small part of jq, and values read and set there.

    /spec/template/spec/containers/0/image                   a JSON pointer: keys and numbers, `~1` for a slash
    .spec.ports[] | select(.name == "http") | .port          keys, `[]`, `[0]`, and select by one equality

No expression is ever evaluated: what is written here is data, and costs time in proportion to the object at most.
Everything else of jq is refused with a reason.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Each:
    """Every item of a list; with a `field`, only those where it equals `value`."""

    field: str | None = None
    value: str | None = None


Step = str | int | Each
FieldPath = tuple[Step, ...]

_TOKEN = re.compile(
    r"""\s*(?:
        \.(?P<key>[A-Za-z_][A-Za-z0-9_-]*)
      | \.?"(?P<quoted>[^"]+)"
      | \.?\[\s*"(?P<bracket>[^"]+)"\s*\]
      | \[\s*(?P<index>\d+)\s*\]
      | (?P<each>\[\s*\])
      | \|\s*select\(\s*\.(?P<field>[A-Za-z_][A-Za-z0-9_-]*)\s*==\s*"(?P<value>[^"]*)"\s*\)(?:\s*\|(?=\s*[.\[]))?
      | (?P<pipe>\|(?=\s*\.))
    )""",
    re.VERBOSE,
)


def pointer(text: str) -> FieldPath:
    """The path of a JSON pointer; ValueError says what is wrong with it."""
    if not text.startswith("/") or len(text) < 2:
        raise ValueError(f"{text!r} is no JSON pointer: it begins with a slash, such as /spec/replicas")
    parts = [part.replace("~1", "/").replace("~0", "~") for part in text[1:].split("/")]
    return tuple(int(part) if part.isdigit() else part for part in parts)


def expression(text: str) -> FieldPath:
    """The path of a jq expression of the sort allowed here; ValueError for every other."""
    steps: list[Step] = []
    at = 0
    while at < len(text.rstrip()):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ValueError(
                f'{text!r} is not taken at {text[at : at + 20]!r}: use keys, [], [0] and select(.name == "x")'
            )
        _add(steps, found)
        at = found.end()
    if not steps:
        raise ValueError("an empty expression names no field")
    return tuple(steps)


def _add(steps: list[Step], found: re.Match[str]) -> None:
    parts = found.groupdict()
    key = parts["key"] or parts["quoted"] or parts["bracket"]
    if key is not None:
        steps.append(key)
    elif parts["index"] is not None:
        steps.append(int(parts["index"]))
    elif parts["each"] is not None:
        steps.append(Each())
    elif parts["field"] is not None:
        if not steps or steps[-1] != Each():
            raise ValueError("select(…) must follow a list's []")
        steps[-1] = Each(parts["field"], parts["value"])


def shown(path: FieldPath) -> str:
    """For people: `spec.ports[name=http].port`."""
    return "".join(map(_shown, path)).removeprefix(".")


def _shown(step: Step) -> str:
    if isinstance(step, Each):
        return "[]" if step.field is None else f"[{step.field}={step.value}]"
    return f"[{step}]" if isinstance(step, int) else f".{step}" if "." not in step else f"[{step}]"


def copied(wanted: Any, live: Any, path: FieldPath) -> Any:
    """`wanted` with the values of `live` at exactly this path; a value live has not is left out, too.

    What `wanted` does not mention stays unmentioned: it is somebody else's already.

    Lists are walked item by item: matched by the selected field, or by the item's `name`, else by position.
    """
    if not path:
        return live
    step, rest = path[0], path[1:]
    if isinstance(step, Each | int) and isinstance(wanted, Sequence) and not isinstance(wanted, str):
        return [_item(row, live, at, step, rest) for at, row in enumerate(wanted)]
    if isinstance(step, str) and isinstance(wanted, Mapping) and isinstance(live, Mapping):
        return _key(wanted, live, step, rest)
    return wanted


def _key(wanted: Mapping[str, Any], live: Mapping[str, Any], key: str, rest: FieldPath) -> Mapping[str, Any]:
    if key not in wanted:
        return wanted
    if rest:
        return {**wanted, key: copied(wanted[key], live.get(key), rest)}
    kept = {name: value for name, value in wanted.items() if name != key}
    return {**kept, key: live[key]} if key in live else kept


def _item(row: Any, live: Any, at: int, step: Each | int, rest: FieldPath) -> Any:
    if isinstance(step, int):
        chosen = at == step
    else:
        chosen = step.field is None or (isinstance(row, Mapping) and row.get(step.field) == step.value)
    other = _partner(row, live, at)
    return copied(row, other, rest) if chosen and other is not None else row


def _partner(row: Any, live: Any, at: int) -> Any:
    """The live item that is the same one: of the same name where items have names."""
    rows = live if isinstance(live, Sequence) and not isinstance(live, str) else ()
    if isinstance(row, Mapping) and "name" in row:
        return next((item for item in rows if isinstance(item, Mapping) and item.get("name") == row["name"]), None)
    return rows[at] if at < len(rows) else None
