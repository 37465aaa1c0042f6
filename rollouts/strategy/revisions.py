"""Identify: which ReplicaSet is new, which is stable, which are older, and which revision this is.

The label value a ReplicaSet carries is its hash from then on, whoever computed it, so a cluster taken over from
Argo Rollouts, or an upgrade of this controller, never re-rolls anything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rollouts.strategy import identity, podhash
from rollouts.strategy.recorded import Recorded
from rollouts.strategy.snapshot import ReplicaSet, Snapshot
from rollouts.strategy.written import Written

JSON = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revisions:
    """The ReplicaSets of a Rollout in their roles.

    `hash`: of the pod template, or the label of the ReplicaSet found for it. `new` is None until created. `stable`
    may be the same ReplicaSet as `new`. `others` are all the rest, newest revision first. `number`: the revision.
    `updated`: the template is not the one status speaks of. `restepped`: the steps changed, the template did not.
    """

    hash: str
    name: str
    collision_count: int | None
    new: ReplicaSet | None
    stable: ReplicaSet | None
    others: tuple[ReplicaSet, ...]
    number: int
    step_hash: str | None
    updated: bool
    restepped: bool

    @property
    def distinct_stable(self) -> ReplicaSet | None:
        """The stable ReplicaSet when it is another than the new one."""
        same = self.stable and self.new and self.stable.name == self.new.name
        return None if same else self.stable

    @property
    def all(self) -> tuple[ReplicaSet, ...]:
        """Every ReplicaSet once: new, stable, others."""
        return tuple(rs for rs in (self.new, self.distinct_stable, *self.others) if rs)


def identify(snapshot: Snapshot, recorded: Recorded, *, template: JSON, steps: Sequence[JSON] | None) -> Revisions:
    """Assign the roles. `template` is the Rollout's pod template, `steps` the canary steps as written."""
    rollout, reading = snapshot.rollout, snapshot.reading
    collisions = recorded.collision_count
    found = identity.find_new(
        snapshot.replica_sets,
        template,
        collision_count=collisions,
        status_hash=recorded.current_hash or None,
        own=reading.template_hash(collisions),
    )
    sets = tuple(ReplicaSet.of(raw) for raw in snapshot.replica_sets)
    new = next((rs for rs in sets if found is not None and rs.name == found["metadata"]["name"]), None)
    if new is None:
        collisions = _free_of_collisions(snapshot, reading, collisions)
    own = new.hash if new else reading.template_hash(collisions)
    stable = next((rs for rs in sets if rs.hash and rs.hash == recorded.stable_hash), None)
    others = sorted(
        (rs for rs in sets if rs is not new and rs is not stable), key=lambda rs: (rs.revision, rs.name), reverse=True
    )
    steps_hash = _step_hash(steps, reading.step_hash, recorded.step_hash) if steps else None
    updated = bool(recorded.current_hash) and recorded.current_hash != own
    return Revisions(
        hash=own,
        name=identity.replica_set_name(rollout["metadata"]["name"], own),
        collision_count=collisions,
        new=new,
        stable=stable,
        others=tuple(others),
        number=_number(new, [rs for rs in sets if rs is not new]),
        step_hash=steps_hash,
        updated=updated,
        restepped=_restepped(recorded, steps_hash) and not updated,
    )


def _step_hash(steps: Sequence[JSON], own: str, recorded: str | None) -> str:
    """Ours, or the one in the status if an older peer gave these very steps that."""
    return recorded if recorded and recorded != own and recorded in podhash.legacy_step_hashes(steps) else own


def _restepped(recorded: Recorded, steps_hash: str | None) -> bool:
    """A foreign step hash under a generation already observed is adopted silently, not taken for a change."""
    if not recorded.current_hash or recorded.step_hash == steps_hash:
        return False
    return not recorded.observed


def _number(new: ReplicaSet | None, rest: Sequence[ReplicaSet]) -> int:
    highest = max((rs.revision for rs in rest), default=0)
    return new.revision if new and new.revision > highest else highest + 1


def _free_of_collisions(snapshot: Snapshot, reading: Written, collisions: int | None) -> int | None:
    """The collision count under which the new ReplicaSet's name is nobody else's."""
    taken = {raw["metadata"]["name"] for raw in (*snapshot.replica_sets, *snapshot.foreign)}
    owner = snapshot.rollout["metadata"]["name"]
    while True:
        digest = reading.template_hash(collisions)
        if identity.replica_set_name(owner, digest) not in taken:
            return collisions
        collisions = (collisions or 0) + 1
