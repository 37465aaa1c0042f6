"""How two objects differ: the paths, for people, and what our field manager owns. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rollouts.gitops import marks
from rollouts.gitops.claims import dig
from rollouts.gitops.objects import JSON

Place = tuple[str | int, ...]
"""A path in an object: keys and positions."""

_VOLATILE = frozenset({"managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink"})
_NOT_OURS: Mapping[Place, frozenset[str]] = {("metadata",): _VOLATILE, (): frozenset({"status"})}
_SHOWN = 12


def differences(live: Any, result: Any) -> Iterator[str]:
    """The paths whose values differ, for people. Metadata the server keeps is left out."""
    return ("".join(map(_shown, path)).removeprefix(".") for path in paths(live, result))


def _shown(step: str | int) -> str:
    return f"[{step}]" if isinstance(step, int) else f".{step}"


def paths(live: Any, result: Any, at: Place = ()) -> Iterator[Place]:
    """The paths whose values differ; lists of different length as a whole. A status is nobody's wish: controllers write
    it, also between the two answers that are compared here."""
    if isinstance(live, Mapping) and isinstance(result, Mapping):
        for key in sorted(live.keys() | result.keys()):
            if key not in _NOT_OURS.get(at, ()):
                yield from paths(live.get(key), result.get(key), (*at, key))
    elif isinstance(live, list) and isinstance(result, list) and len(live) == len(result):
        for index, (old, new) in enumerate(zip(live, result, strict=True)):
            yield from paths(old, new, (*at, index))
    elif live != result:
        yield at


def owned_fields(body: JSON, *, but: frozenset[str] = frozenset()) -> Any:
    """What our field manager owns: it may change while every value stays the same. `but`: keys of spec,
    and annotations, to leave out."""
    entries = dig(body, "metadata").get("managedFields") or ()
    ours = (row for row in entries if row.get("manager") == marks.FIELD_MANAGER and row.get("operation") == "Apply")
    found = next((row.get("fieldsV1") for row in ours if not row.get("subresource")), None)
    if not found or not but:
        return found
    metadata = dig(found, "f:metadata")
    annotations = _without(dig(metadata, "f:annotations"), but)
    return {
        **found,
        "f:spec": _without(dig(found, "f:spec"), but),
        "f:metadata": {**metadata, "f:annotations": annotations},
    }


def _without(fields: JSON, but: frozenset[str]) -> JSON:
    return {key: sub for key, sub in fields.items() if key.removeprefix("f:") not in but}


def shorten(fields: tuple[str, ...]) -> str:
    """The paths for people: the first few of them."""
    more = f" and {len(fields) - _SHOWN} more" if len(fields) > _SHOWN else ""
    return ", ".join(fields[:_SHOWN]) + more
