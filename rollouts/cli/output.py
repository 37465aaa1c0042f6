"""`-o json|yaml|name`: objects as kubectl prints them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from rollouts.api.kinds import Kind


class Format(StrEnum):
    """What -o takes; `wide` adds columns to the usual view."""

    json = "json"
    yaml = "yaml"
    wide = "wide"
    name = "name"


def printed(raw: Mapping[str, Any], *, form: Format, kind: Kind) -> str:
    """The object (or List) as text, without managedFields."""
    return _PRINTERS[form](raw, kind)


def _name(raw: Mapping[str, Any], kind: Kind) -> str:
    items = raw.get("items", [raw])
    return "\n".join(f"{kind.kind.lower()}.{kind.group}/{item['metadata']['name']}" for item in items)


def _json(raw: Mapping[str, Any], kind: Kind) -> str:
    return json.dumps(_tidy(raw), indent=4, ensure_ascii=False)


def _yaml(raw: Mapping[str, Any], kind: Kind) -> str:
    import yaml

    dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(_tidy(raw), Dumper=dumper, sort_keys=True, allow_unicode=True, width=10_000)
    return text.rstrip("\n")


def _tidy(raw: Mapping[str, Any]) -> dict[str, Any]:
    if "items" in raw:
        return {**raw, "items": [_tidy(item) for item in raw["items"]]}
    meta = {key: value for key, value in (raw.get("metadata") or {}).items() if key != "managedFields"}
    return {**raw, "metadata": meta}


_PRINTERS: dict[Format, Callable[[Mapping[str, Any], Kind], str]] = {
    Format.json: _json,
    Format.yaml: _yaml,
    Format.name: _name,
}
