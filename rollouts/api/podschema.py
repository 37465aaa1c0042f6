"""Typos in pod templates: keys that Kubernetes' own types don't have, found without a cluster.

The API server refuses them too; `lint` says so earlier, with the key that was meant. Only names are looked at, values
are left to `validation.pods` and the API server.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

from rollouts.api.errors import FieldError, Path

Schema = Mapping[str, Any]


@cache
def _definitions() -> Mapping[str, Schema]:
    text = (resources.files("rollouts.api.schema") / "definitions.json").read_text()
    return dict(json.loads(text))


def unknown_fields(value: Any, path: Path, *, definition: str = "PodTemplateSpec") -> Iterator[FieldError]:
    """An error for every key below `path` that the definition does not know."""
    yield from _walk(value, path, {"ref": definition})


def _walk(value: Any, path: Path, schema: Schema) -> Iterator[FieldError]:
    schema = _definitions()[schema["ref"]] if "ref" in schema else schema
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, path / index, schema.get("items") or {})
    known = schema.get("properties")
    if not isinstance(value, Mapping) or known is None or schema.get("x-kubernetes-preserve-unknown-fields"):
        return
    for key, item in value.items():
        if key in known:
            yield from _walk(item, path / key, known[key])
        else:
            yield (path / key).error(_complaint(str(key), list(known)))


def _complaint(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return f'unknown field "{key}"' + (f', did you mean "{near[0]}"?' if near else "")
