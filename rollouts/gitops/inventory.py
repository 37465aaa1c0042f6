"""What this sync has applied, kept in one ConfigMap: the only list things are ever pruned from.

Written **before** objects are applied (with everything that might exist afterwards) and again after the pass (with what
does). So a sync that is killed at any moment never forgets an object, and never knows one it had nothing to do with.
The digest guards against edits and cut-off data: with a wrong one nothing is pruned, and the next whole pass heals it.

    data:
      inventory: '[["shop_web_argoproj.io_Rollout", "v1alpha1", "3f0c…"], …]'     reference, version, uid
      digest: sha256 of the line above
      attempted / applied / message: the last commit tried, the last one applied, and what came of it
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rollouts.gitops import marks
from rollouts.gitops.errors import InventoryError
from rollouts.gitops.objects import JSON, Ref

_SAFE_BYTES = 900_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An object this sync applied. `version` without its group; `uid` empty until the object was seen."""

    ref: Ref
    version: str
    uid: str = ""

    @property
    def api_version(self) -> str:
        """`group/version`, or the bare version for the core group."""
        return f"{self.ref.group}/{self.version}" if self.ref.group else self.version


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """All entries by reference. `trusted` is False when the stored digest did not match: then nothing is pruned."""

    entries: Mapping[Ref, Entry] = field(default_factory=dict)
    trusted: bool = True

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> Inventory:
        """An inventory of these entries; a later one wins."""
        return cls(entries={entry.ref: entry for entry in entries})

    def with_entries(self, entries: Iterable[Entry]) -> Inventory:
        """These entries added; a known uid is kept when the new entry has none."""
        merged = dict(self.entries)
        for entry in entries:
            known = merged.get(entry.ref)
            merged[entry.ref] = known if known and known.version == entry.version and not entry.uid else entry
        return Inventory(entries=merged, trusted=self.trusted)


@dataclass(frozen=True, slots=True, kw_only=True)
class HookRun:
    """The last run of the hooks (R26): its name, the hooks that were made, and whether they were seen to succeed."""

    run: str = ""
    hooks: Mapping[Ref, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """The ConfigMap's content: the inventory and how the last pass went. `hooks` is kept apart from the rest."""

    inventory: Inventory = field(default_factory=Inventory)
    attempted: str = ""
    applied: str = ""
    message: str = ""
    hooks: HookRun = field(default_factory=HookRun)


def name_of(sync: str) -> str:
    """The ConfigMap's name."""
    return f"rollouts-sync-{sync}"


Row = list[str]
"""Reference, version, uid: an entry as it is stored."""


def rows(stored: Inventory) -> list[Row]:
    """The entries as they are stored, in order."""
    return sorted([str(entry.ref), entry.version, entry.uid] for entry in stored.entries.values())


def of_rows(stored: list[Row], *, digest: str | None) -> Inventory:
    """The inventory of stored entries; trusted when `digest` is theirs. InventoryError when one makes no sense."""
    try:
        entries = [Entry(ref=Ref.parse(ref), version=version, uid=uid) for ref, version, uid in stored]
    except (ValueError, TypeError) as error:
        raise InventoryError(f"the inventory is damaged ({error}); nothing was changed") from None
    return Inventory(
        entries=Inventory.of(entries).entries,
        trusted=digest == digest_of(stored) if stored else digest in (None, EMPTY),
    )


def read(body: JSON | None) -> Record:
    """The record in a live ConfigMap; an empty one when there is none. InventoryError when it can't be understood."""
    data: Mapping[str, str] = (body or {}).get("data") or {}
    if "inventory" not in data:
        return Record()
    text = data["inventory"]
    try:
        stored = of_rows(json.loads(text), digest=data.get("digest"))
    except (ValueError, InventoryError) as error:
        raise InventoryError(
            f"the inventory in ConfigMap {(body or {})['metadata']['name']} is damaged ({error}); nothing was changed. "
            "Restore it, or delete the ConfigMap to start over without pruning what was applied before"
        ) from None
    trusted = data.get("digest") == _digest(text)
    return Record(
        inventory=Inventory(entries=stored.entries, trusted=trusted),
        attempted=data.get("attempted", ""),
        applied=data.get("applied", ""),
        message=data.get("message", ""),
    )


def rows_of(body: JSON) -> list[Row]:
    """The entries in one ConfigMap of a large inventory. InventoryError when they can't be read."""
    try:
        return [[str(part) for part in row] for row in json.loads((body.get("data") or {})["inventory"])]
    except (KeyError, ValueError, TypeError) as error:
        raise InventoryError(f"ConfigMap {body['metadata']['name']} holds no inventory ({error})") from None


def config_map(stored: list[Row], *, name: str, namespace: str, owner: JSON) -> JSON:
    """The ConfigMap that holds a part of a large inventory; it goes when its owner goes."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": marks.FIELD_MANAGER},
            "ownerReferences": [dict(owner)],
        },
        "data": {"inventory": _text(stored)},
    }


def body(record: Record, *, sync: str, namespace: str) -> JSON:
    """The ConfigMap to apply. InventoryError when it would be too large for one object."""
    stored = rows(record.inventory)
    text = _text(stored)
    if len(text) > _SAFE_BYTES:
        raise InventoryError(f"{len(stored)} objects are too many for one inventory: split the folder in several syncs")
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name_of(sync),
            "namespace": namespace,
            "labels": {"app.kubernetes.io/managed-by": marks.FIELD_MANAGER},
        },
        "data": {
            "inventory": text,
            "digest": _digest(text),
            "attempted": record.attempted,
            "applied": record.applied,
            "message": record.message[:4096],
        },
    }


def digest_of(stored: list[Row]) -> str:
    """The digest over all entries."""
    return _digest(_text(stored))


def _text(stored: list[Row]) -> str:
    return json.dumps(stored, separators=(",", ":"))


def _digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


EMPTY = digest_of([])
