"""Which objects are watched for which sync, and whether what a watch tells of one is news. Pure, no requests.

A sync is woken for an object only if one of its own passes has left a mark of that very object, and only if the object
is newer than the mark and another fingerprint. Nothing an event says is believed beyond that: labels and annotations of
live objects, which anybody may copy, decide nothing here. What a sync learns is that it should look, and it looks with
the rights of its own ServiceAccount.

What the watches told last is kept for every object, marked or not: a change that comes between our own write and the
end of the pass that made it is older than the mark, or found when the mark is noted.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from rollouts.api.kinds import Kind
from rollouts.gitops.objects import Ref
from rollouts.gitops.seen import Mark

GONE = ""
"""The fingerprint of what is not there."""
MOST_GONE = 10_000

Names = tuple[str, str]
"""Group and kind, whatever the version."""


def names_of(kind: Kind) -> Names:
    """What tells kinds apart here."""
    return kind.group, kind.kind


class Watchlist:
    """Marks by sync, and the last word of the watches by object."""

    def __init__(self) -> None:
        self._marks: dict[str, Mapping[Ref, Mark]] = {}
        self._owners: dict[Ref, str] = {}
        self._latest: dict[Ref, Mark] = {}
        self._gone: OrderedDict[Ref, None] = OrderedDict()

    def note(self, sync: str, marks: Mapping[Ref, Mark]) -> bool:
        """Take the marks of a pass instead of those before. Whether one of the objects has changed since."""
        self.forget(sync)
        self._marks[sync] = marks
        self._owners.update(dict.fromkeys(marks, sync))
        return any(self._differs(ref) for ref in marks)

    def forget(self, sync: str) -> None:
        """A sync is gone."""
        for ref in self._marks.pop(sync, {}):
            if self._owners.get(ref) == sync:
                del self._owners[ref]

    def observe(self, ref: Ref, now: Mark) -> str | None:
        """Take in what a watch tells. The sync to wake; None when it is no news to any."""
        before = self._latest.get(ref)
        if before is not None and _age(now) <= _age(before):
            return None
        self._latest[ref] = now
        self._bury(ref, now)
        return self._owners[ref] if self._differs(ref) else None

    def reported(self, ref: Ref, now: Mark) -> str | None:
        """The sync whose object is as it was, but its controller has just said something of it; after `observe`."""
        owner = self._owners.get(ref)
        if owner is None or self._latest.get(ref) is not now:
            return None
        mark = self._marks[owner][ref]
        return owner if _age(now) > _age(mark) and now.fingerprint == mark.fingerprint else None

    def kind_of(self, sync: str, ref: Ref) -> Kind | None:
        """The kind of an object that a sync has left a mark of."""
        mark = self._marks.get(sync, {}).get(ref)
        return None if mark is None else mark.kind

    def missing(self, kind: Kind, listed: frozenset[Ref], *, version: int, namespace: str | None) -> frozenset[str]:
        """Take in that a list of a kind had only these. The syncs to wake."""
        there = [
            ref
            for ref, mark in self._latest.items()
            if names_of(mark.kind) == names_of(kind) and mark.fingerprint != GONE
        ]
        every = ((ref, mark) for marks in self._marks.values() for ref, mark in marks.items())
        marked = [ref for ref, mark in every if mark.labelled and _is(mark, kind)]
        absent = {ref for ref in (*there, *marked) if ref not in listed and namespace in (None, ref.namespace)}
        gone = Mark(kind=kind, fingerprint=GONE, version=version)
        return frozenset(sync for ref in absent if (sync := self.observe(ref, gone)) is not None)

    def steady(self, ref: Ref, mark: Mark) -> bool:
        """Whether the watch knows the object, and nothing newer of it than the mark."""
        latest = self._latest.get(ref)
        return latest is not None and _age(latest) <= _age(mark)

    def kinds(self) -> dict[Names, Kind]:
        """The kinds of all marks."""
        return {names_of(mark.kind): mark.kind for marks in self._marks.values() for mark in marks.values()}

    def drop(self, kind: Kind) -> None:
        """A kind is watched no more: what was told of it is of no use."""
        for ref in [ref for ref, mark in self._latest.items() if _is(mark, kind)]:
            del self._latest[ref]

    def _differs(self, ref: Ref) -> bool:
        latest, owner = self._latest.get(ref), self._owners.get(ref)
        if latest is None or owner is None:
            return False
        mark = self._marks[owner][ref]
        return _age(latest) > _age(mark) and latest.fingerprint != mark.fingerprint

    def _bury(self, ref: Ref, now: Mark) -> None:
        """What is gone is remembered for a while only."""
        self._gone.pop(ref, None)
        if now.fingerprint != GONE:
            return
        self._gone[ref] = None
        while len(self._gone) > MOST_GONE:
            self._latest.pop(self._gone.popitem(last=False)[0], None)


def _age(mark: Mark) -> tuple[int, bool]:
    """What is gone is newer than the last that was seen of it, even if nobody knows when it went."""
    return mark.version, mark.fingerprint == GONE


def _is(mark: Mark, kind: Kind) -> bool:
    return names_of(mark.kind) == names_of(kind)
