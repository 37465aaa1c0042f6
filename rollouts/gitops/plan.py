"""What a pass will do, decided before it does anything: pure, from values to values.

In: the wanted objects as the API server judged them (`Examined`), the inventory of earlier passes, and for each object
of the inventory that Git no longer has, what is live under that name (`Leftover`). Out: applies by stage and prunes in
reverse order, or the reason why something stays.

**A step that did not complete can never cause a deletion.** The function can't be called without complete inputs: an
error in any earlier step ends the pass, and a leftover that could not be read is `unknown` here, which always stays.
On top of it every leftover walks through `GUARDS`; the first reason found keeps the object.

    inventory {a, b, c}   wanted {a, d}   live {a, b, c made anew by somebody else}
    ─► apply a, d    prune b    forget c (it is no longer ours)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import groupby
from typing import Any

import orjson

from rollouts.gitops import hooks, marks, objectoptions, order
from rollouts.gitops.former import Former, left_by
from rollouts.gitops.health import Health
from rollouts.gitops.inventory import Entry, Inventory
from rollouts.gitops.objectoptions import Consent
from rollouts.gitops.objects import JSON, Manifest, Ref
from rollouts.gitops.seen import Mark
from rollouts.gitops.takeover import Takeover


class Action(StrEnum):
    """What applying an object means."""

    CREATE = "created"
    UPDATE = "updated"
    KEEP = "unchanged"
    AWAIT = "applied once its namespace or kind is there"
    REPLACE = "replaced"
    RECREATE = "made anew"


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """A wanted object and what applying it would change: `fields` are paths that differ, `uid` the live object's."""

    manifest: Manifest
    action: Action
    fields: tuple[str, ...] = ()
    uid: str = ""
    guard: str | None = None
    """The resourceVersion the examination was made on, where a steered value was copied from it."""
    takeover: Takeover | None = None
    """Fields of an earlier tool that become ours first."""
    remark: str = field(default="", compare=False)
    """What people should know of how it was examined, empty for nothing."""
    seen: Mark | None = field(default=None, compare=False)
    """The live object that was looked at, None when there is none."""
    health: Health | None = field(default=None, compare=False)
    """How it was then, None when it has no health."""
    before: JSON | None = field(default=None, compare=False, repr=False)
    after: JSON | None = field(default=None, compare=False, repr=False)
    """The live object and what it would be, of an object that would change. Never printed unmasked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """An object of the inventory that Git no longer has.

    `live` None means it is gone; `unknown` says why nothing is known about it.
    """

    entry: Entry
    live: JSON | None = None
    unknown: str | None = None


COMMAND_LINE: Mapping[str, str] = {
    "prune": "pruning is off (--no-prune)",
    "confirm": "run once with --confirm-prune",
    "empty": "allow that with --allow-empty",
}
GIT_SYNC: Mapping[str, str] = {
    "prune": "pruning is off (spec.syncPolicy.automated.prune)",
    "confirm": "confirm it with `kubectl rollouts sync confirm`",
    "empty": "allow that with spec.syncPolicy.automated.allowEmpty",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How careful to be.

    `allow_empty`: a commit without objects may prune everything. `confirm`: prune beyond the limits, which are
    more than `max_percent` of the inventory and more than `min_objects` at once, and protected kinds; with
    `always_confirm` any. `parting`: everything goes, because the sync itself is deleted.
    `former`: whose objects the inventory took over when the sync was imported.
    `wording`: how a person allows what is kept back, a row of `COMMAND_LINE` or `GIT_SYNC`.
    """

    sync: str
    prune: bool = True
    allow_empty: bool = False
    confirm: bool = False
    max_percent: int = 50
    min_objects: int = 5
    always_confirm: bool = False
    parting: bool = False
    former: Former | None = None
    wording: Mapping[str, str] = field(default_factory=lambda: COMMAND_LINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prune:
    """An object to delete, exactly the one of this uid."""

    ref: Ref
    api_version: str
    uid: str
    quiet: bool = False
    """It says that it makes nothing out of sync (Argo CD's `IgnoreExtraneous`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """An object that Git no longer has and that stays nevertheless, and why."""

    ref: Ref
    reason: str
    quiet: bool = False
    """As of `Prune`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncPlan:
    """What to do: `stages` of objects to apply, in order, then `prunes`. Unchanged objects are in no stage.

    `during` is the inventory to store before the first write, `after` the one to store when all is done;
    uids of new objects are filled in by whoever applies them.
    """

    stages: tuple[tuple[Examined, ...], ...] = ()
    prunes: tuple[Prune, ...] = ()
    kept: tuple[Kept, ...] = ()
    unchanged: tuple[Examined, ...] = ()
    during: Inventory = field(default_factory=Inventory)
    after: Inventory = field(default_factory=Inventory)
    waves: Mapping[Ref, int] = field(default_factory=dict)
    """The wave of every wanted object; the next wave begins when the one before is healthy."""

    @property
    def items(self) -> Iterator[Examined]:
        """All wanted objects."""
        yield from self.unchanged
        for stage in self.stages:
            yield from stage

    @property
    def empty(self) -> bool:
        """Nothing to write."""
        return not self.stages and not self.prunes


def plan(
    *,
    examined: Iterable[Examined],
    inventory: Inventory,
    leftovers: Iterable[Leftover],
    policy: Policy,
    in_use: frozenset[Ref] = frozenset(),
) -> SyncPlan:
    """The plan of a pass. `in_use`: ConfigMaps and Secrets a live revision still mounts (they outlive their file)."""
    found = tuple(examined)
    waves = _waves(found)
    wanted = sorted(found, key=lambda item: (waves[item.manifest.ref], order.key(item.manifest.ref)))
    rest = sorted(
        _unwanted(leftovers, found), key=lambda item: (_wave(item.live), order.key(item.entry.ref)), reverse=True
    )
    fates = _fates(rest, policy=policy, in_use=in_use)
    blocked = _blocked(fates, inventory=inventory, wanted=len(wanted), policy=policy)
    gone = {item.entry.ref for item, reason in fates if reason in _FORGOTTEN}
    kept = [
        Kept(ref=item.entry.ref, reason=reason or blocked or "", quiet=objectoptions.extraneous(item.live or {}))
        for item, reason in fates
        if item.entry.ref not in gone and (reason or blocked)
    ]
    prunes = [] if blocked else [_prune(item) for item, reason in fates if reason is None]
    staying = [inventory.entries[row.ref] for row in kept]
    return SyncPlan(
        stages=_stages((item for item in wanted if item.action is not Action.KEEP), waves),
        waves=waves,
        prunes=tuple(prunes),
        kept=tuple(kept),
        unchanged=tuple(item for item in wanted if item.action is Action.KEEP),
        during=inventory.with_entries(_entry(item) for item in wanted),
        after=Inventory.of([*staying, *(_entry(item) for item in wanted)]),
    )


def content(rendered: Iterable[Manifest]) -> str:
    """What a commit renders to, as one digest: the same for two commits that differ elsewhere only."""
    bodies = sorted((item.ref, orjson.dumps(item.body, option=orjson.OPT_SORT_KEYS)) for item in rendered)
    hash_ = hashlib.sha256()
    for _, body in bodies:
        hash_.update(hashlib.sha256(body).digest())
    return f"sha256:{hash_.hexdigest()[:32]}"


def digest(decided: SyncPlan, *, commit: str) -> str:
    """Names what was to be done, for the history."""
    changes = [f"{item.action.name} {item.manifest.ref}" for stage in decided.stages for item in stage]
    return _named([commit, changes, _going(decided)])


def deletions(decided: SyncPlan, *, commit: str) -> str:
    """Names exactly what a commit has no more: a confirmation of it is worth nothing for another.

    What is kept is in it too, so that the plan a person looked at and the confirmed one have the same name. What is
    applied is not: the same deletions wait after everything else is there, and are confirmed then as before.
    """
    return _named([commit, _going(decided)])


def _going(decided: SyncPlan) -> list[str]:
    return sorted([str(row.ref) for row in decided.prunes] + [str(row.ref) for row in decided.kept])


def _named(parts: list[Any]) -> str:
    return "sha256:" + hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def leftover_entries(inventory: Inventory, wanted: Iterable[Ref]) -> tuple[Entry, ...]:
    """The entries of the inventory that are wanted no more."""
    there = frozenset(wanted)
    return tuple(entry for ref, entry in inventory.entries.items() if ref not in there)


def _unwanted(leftovers: Iterable[Leftover], wanted: Iterable[Examined]) -> Iterator[Leftover]:
    """Without those that are wanted by another name: two groups may serve the very same object."""
    there = {item.uid for item in wanted if item.uid}
    return (item for item in leftovers if (item.live or {}).get("metadata", {}).get("uid") not in there)


Guard = Callable[[Leftover, JSON, Policy], str | None]
"""Leftover, its live object, policy: the reason why it stays, None when this guard has none."""

GONE = "it is gone already"
REPLACED = "it was deleted and made anew by somebody else"
DISOWNED = "it is not marked as managed by this sync"
OWNED = "another object owns it"
_FORGOTTEN = frozenset({GONE, REPLACED, DISOWNED, OWNED})

PROTECTED = frozenset(
    {"Namespace", "CustomResourceDefinition", "PersistentVolume", "PersistentVolumeClaim", "StorageClass", "GitSync"}
)


def _replaced(item: Leftover, live: JSON, policy: Policy) -> str | None:
    return REPLACED if item.entry.uid and item.entry.uid != live["metadata"].get("uid") else None


def _disowned(item: Leftover, live: JSON, policy: Policy) -> str | None:
    tracked = marks.tracked_by(live, item.entry.ref)
    left = tracked is None and policy.former is not None and left_by(live, item.entry.ref, policy.former)
    return None if left or tracked == policy.sync else DISOWNED


def _owned(item: Leftover, live: JSON, policy: Policy) -> str | None:
    owners = live["metadata"].get("ownerReferences") or ()
    return OWNED if any(owner.get("controller") for owner in owners) else None


def _off(item: Leftover, live: JSON, policy: Policy) -> str | None:
    return None if policy.prune else policy.wording["prune"]


def _marked(item: Leftover, live: JSON, policy: Policy) -> str | None:
    answer, mark = objectoptions.consent(live, parting=policy.parting)
    if answer is Consent.YES or (answer is Consent.CONFIRM and policy.confirm):
        return None
    return f"it carries {mark}" + (f": {policy.wording['confirm']}" if answer is Consent.CONFIRM else "")


def _protected(item: Leftover, live: JSON, policy: Policy) -> str | None:
    if policy.confirm or item.entry.ref.kind not in PROTECTED:
        return None
    return f"a {item.entry.ref.kind} is pruned only when confirmed: {policy.wording['confirm']}"


GUARDS: tuple[Guard, ...] = (_replaced, _disowned, _owned, _off, _marked, _protected)


def _fates(
    leftovers: Iterable[Leftover], *, policy: Policy, in_use: frozenset[Ref]
) -> list[tuple[Leftover, str | None]]:
    return [(item, _fate(item, policy=policy, in_use=in_use)) for item in leftovers]


def _fate(item: Leftover, *, policy: Policy, in_use: frozenset[Ref]) -> str | None:
    if item.unknown:
        return item.unknown
    live = item.live
    if live is None:
        return GONE
    reasons = (guard(item, live, policy) for guard in GUARDS)
    found = next((reason for reason in reasons if reason), None)
    return found or ("a revision that may still run uses it" if item.entry.ref in in_use else None)


def _blocked(
    fates: list[tuple[Leftover, str | None]], *, inventory: Inventory, wanted: int, policy: Policy
) -> str | None:
    """Why nothing at all is pruned this time, None when pruning may go ahead."""
    count = sum(reason is None for _, reason in fates)
    if not inventory.trusted:
        return "the inventory's digest does not match, so it may be incomplete"
    if not wanted and not policy.allow_empty:
        return f"the folder has no objects at all; {policy.wording['empty']}"
    many = count > policy.min_objects and count * 100 > policy.max_percent * len(inventory.entries)
    if many and not policy.confirm:
        total = len(inventory.entries)
        return f"{count} of {total} objects would go at once: {policy.wording['confirm']} if that is meant"
    if count and policy.always_confirm and not policy.confirm:
        return f"deleting is always confirmed here: {policy.wording['confirm']}"
    return None


def _prune(item: Leftover) -> Prune:
    live = item.live or {}
    entry, uid = item.entry, str(live["metadata"]["uid"])
    return Prune(ref=entry.ref, api_version=entry.api_version, uid=uid, quiet=objectoptions.extraneous(live))


def _entry(item: Examined) -> Entry:
    version = item.manifest.api_version.rpartition("/")[2]
    return Entry(ref=item.manifest.ref, version=version, uid=item.uid)


def _stages(changed: Iterable[Examined], waves: Mapping[Ref, int]) -> tuple[tuple[Examined, ...], ...]:
    """By wave and stage; the input is in order already."""

    def key(item: Examined) -> tuple[int, int]:
        return waves[item.manifest.ref], order.place(item.manifest.ref)[0]

    return tuple(tuple(rows) for _, rows in groupby(changed, key=key))


def _waves(examined: Iterable[Examined]) -> dict[Ref, int]:
    """The wave of each object. What others need goes with the very first one: namespaces and kinds always, classes and
    ClusterRoles unless they name a wave, because the kind of a class may be brought by an earlier wave's operator."""
    found = {item.manifest.ref: marks.wave(item.manifest.body) for item in examined}
    first = min(found.values(), default=0)
    return {ref: first if _goes_first(ref, wave) else wave for ref, wave in found.items()}


def _goes_first(ref: Ref, wave: int) -> bool:
    return order.place(ref)[0] == 0 and (not wave or ref.kind in ("Namespace", "CustomResourceDefinition"))


def _wave(live: JSON | None) -> int:
    return 0 if live is None or hooks.problem(Manifest(body=live, file="", line=0)) else marks.wave(live)
