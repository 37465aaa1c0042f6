"""What the cluster looks like, as far as we have seen: raw objects by kind and name, with indexes.

Fed by watches and by the answers to our own writes, whichever is newer: an event older than what our own write
returned is ignored, so a decision never runs on a world from before it. Objects are replaced, never changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from rollouts.api.kinds import Kind

JSON = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Key:
    """Name of an object; `namespace` is empty for cluster-scoped kinds."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


Index = Callable[[JSON], Iterable[str]]
Projection = Callable[[JSON], JSON]


def key_of(obj: JSON) -> Key:
    """The key of an object."""
    return Key(obj["metadata"].get("namespace", ""), obj["metadata"]["name"])


def controller_uid(obj: JSON) -> str:
    """Uid of the controller that owns an object; empty when it has none."""
    references = obj["metadata"].get("ownerReferences") or ()
    return next((ref["uid"] for ref in references if ref.get("controller")), "")


def by_owner(obj: JSON) -> Iterable[str]:
    """Index: the controller's uid, or `orphan/<namespace>`."""
    return (controller_uid(obj) or f"orphan/{obj['metadata'].get('namespace', '')}",)


def by_namespace(obj: JSON) -> Iterable[str]:
    """Index: the namespace; empty for cluster-scoped kinds."""
    return (obj["metadata"].get("namespace", ""),)


class Shelf:
    """All objects of one kind."""

    def __init__(self, indexes: Mapping[str, Index], project: Projection | None = None) -> None:
        self.objects: dict[Key, JSON] = {}
        self._project = project or _trimmed
        self._deleted: dict[Key, int] = {}
        self._indexes = indexes
        self._entries: dict[str, dict[str, set[Key]]] = {name: {} for name in indexes}

    def put(self, obj: JSON) -> bool:
        """Take an object in; False when we already have it, or a newer one."""
        key, version = key_of(obj), _version(obj)
        known = self.objects.get(key)
        # Versions grow across objects of a kind, so this also tells a predecessor of the same name from its successor.
        if version <= (_version(known) if known is not None else self._deleted.get(key, 0)):
            return False
        self._forget(key)
        part = self._project(obj)
        self.objects[key] = part if known is None else _sharing(part, known)
        for name, index in self._indexes.items():
            for entry in index(obj):
                self._entries[name].setdefault(entry, set()).add(key)
        return True

    def remove(self, obj: JSON) -> bool:
        """Take an object out, unless it has been made anew since. An answer from before its end won't bring it back;
        one of exactly the version of its end means that it lives on, and only fits our watch's selector no more."""
        key = key_of(obj)
        known = self.objects.get(key)
        if known is None or known["metadata"].get("uid") != obj["metadata"].get("uid"):
            return False
        self._deleted[key] = max(_version(obj) - 1, _version(known))
        self._forget(key)
        return True

    def _forget(self, key: Key) -> None:
        known = self.objects.pop(key, None)
        if known is not None:
            for name, index in self._indexes.items():
                for entry in index(known):
                    self._discard(name, entry, key)

    def _discard(self, name: str, entry: str, key: Key) -> None:
        keys = self._entries[name].get(entry, set())
        keys.discard(key)
        if not keys:
            self._entries[name].pop(entry, None)

    def find(self, index: str, entry: str) -> tuple[JSON, ...]:
        """Objects under an index entry, by name."""
        keys = sorted(self._entries[index].get(entry, ()), key=lambda key: (key.namespace, key.name))
        return tuple(self.objects[key] for key in keys)

    def has(self, index: str, entry: str) -> bool:
        """Whether any object is under an index entry."""
        return entry in self._entries[index]

    def clear(self) -> None:
        """Forget everything."""
        self.objects.clear()
        self._deleted.clear()
        self._entries = {name: {} for name in self._indexes}

    def forget_deletions(self) -> None:
        """Drop the memory of deletions; called when the whole kind was listed."""
        self._deleted.clear()


class Store:
    """Shelves by kind."""

    def __init__(
        self,
        indexes: Mapping[Kind, Mapping[str, Index]],
        *,
        projections: Mapping[Kind, Projection] | None = None,
        learned: Callable[[Kind, JSON], None] = lambda _kind, _obj: None,
    ) -> None:
        """`projections`: kinds of which only a part is kept. `learned` is told of what `learn` brought."""
        self._learned = learned
        parts = projections or {}
        self._shelves = {kind: Shelf(indexes.get(kind, {}), parts.get(kind)) for kind in (*indexes, *parts)}

    def shelf(self, kind: Kind) -> Shelf:
        """All objects of a kind; KeyError for one that is not kept."""
        return self._shelves[kind]

    def keeps(self, kind: Kind) -> bool:
        """Whether objects of this kind are kept."""
        return kind in self._shelves

    def get(self, kind: Kind, key: Key) -> JSON | None:
        """One object."""
        return self._shelves[kind].objects.get(key)

    def absorb(self, kind: Kind, obj: JSON) -> bool:
        """Take in the answer to a write of our own."""
        return self.keeps(kind) and "uid" in obj.get("metadata", {}) and self._shelves[kind].put(obj)

    def learn(self, kind: Kind, obj: JSON) -> None:
        """Take in what one of us has asked for. Its event will be ignored as old, so who else waits for it is told."""
        if self.absorb(kind, obj):
            self._learned(kind, obj)

    def drop(self, kind: Kind, key: Key) -> None:
        """Take an object out that the API server says is gone."""
        known = self.get(kind, key) if self.keeps(kind) else None
        if known is not None:
            self._shelves[kind].remove(known)

    def replace(self, kind: Kind, items: Iterable[JSON], *, listed_at: int) -> tuple[JSON, ...]:
        """Take in a whole list; what is not in it and not newer than it is gone. Returns all that is news: what was
        removed, and what was not known yet in this version (its event will be ignored as old)."""
        shelf = self._shelves[kind]
        seen, news = set(), []
        for item in items:
            seen.add(key_of(item))
            if shelf.put(item):
                news.append(item)
        ghosts = [obj for key, obj in shelf.objects.items() if key not in seen and _version(obj) <= listed_at]
        for ghost in ghosts:
            shelf.remove(ghost)
        shelf.forget_deletions()
        return (*ghosts, *news)


def _version(obj: JSON) -> int:
    text = obj["metadata"].get("resourceVersion", "0")
    return int(text) if text.isdigit() else 0


def _trimmed(obj: JSON) -> JSON:
    if "managedFields" not in obj["metadata"]:
        return obj
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {**obj, "metadata": metadata}


def _sharing(obj: JSON, known: JSON) -> JSON:
    """The object, its spec being the very same as before if it is as it was: whoever has worked something out from one
    can tell by that. Equal alone is not enough, `1 == True`: the API server must not have counted a change either."""
    before, after = known["metadata"], obj["metadata"]
    unchanged = "generation" in after and all(before.get(key) == after[key] for key in ("uid", "generation"))
    if not unchanged or "spec" not in known or known["spec"] != obj.get("spec"):
        return obj
    return {**obj, "spec": known["spec"]}
