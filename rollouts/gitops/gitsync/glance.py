"""Nothing new? Then it is told at a glance: the same commit, and every object as it was when it last equalled Git.

A full comparison fetches, renders and has every object tried by the API server. Most of the time nobody has changed
anything, on either side. So a comparison that left nothing to do leaves a *mark* of each object; while the commit and
the spec are the same, the next passes hold the objects against their marks. An object a watch has told nothing new
about is not even read. Any difference, anything unusual, and every quarter of an hour in any case, the full comparison
is made.

A mark is taken from what the comparison itself saw, or what the API server answered when the object was applied, so a
change in between can't slip through.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rollouts.gitops import health
from rollouts.gitops.cluster import Cluster, in_parallel
from rollouts.gitops.compare import Comparison
from rollouts.gitops.gitsync.values import Finding, Mandate
from rollouts.gitops.objects import Ref
from rollouts.gitops.plan import SyncPlan
from rollouts.gitops.seen import Mark, mark

FULL_EVERY = timedelta(minutes=15)

Steady = Callable[[Ref, Mark], bool]
"""Whether a watch that is up has told nothing of an object since its mark was taken."""


def taken(found: Comparison, applied: Mapping[Ref, Mark] | None = None) -> dict[Ref, Mark]:
    """The marks of a comparison: live objects as they were seen, those that were `applied` since as they are now."""
    items = [*found.plan.unchanged, *(item for stage in found.plan.stages for item in stage)]
    return {item.manifest.ref: item.seen for item in items if item.seen} | dict(applied or {})


def all_seen(decided: SyncPlan, seen: Mapping[Ref, Mark]) -> bool:
    """Whether there is a mark of every object, and nothing that Git does not have is left."""
    items = [*decided.unchanged, *(item for stage in decided.stages for item in stage)]
    return not decided.kept and all(item.manifest.ref in seen for item in items)


def may_glance(calm: Finding, mandate: Mandate, *, resolved: str, commit: str, inputs: str, now: datetime) -> bool:
    """Whether a glance can do, after a pass that left everything as Git says. Whoever asks wants more than that."""
    same = (calm.resolved, calm.commit, calm.inputs, calm.mandate.generation)
    wanted = (resolved, commit, inputs, mandate.generation)
    asked = mandate.explicit or mandate.thorough or mandate.stirred
    return not asked and same == wanted and now - (calm.calm or calm.at) < FULL_EVERY


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One object: its mark now, None when it is not what it was; its health, if it has one."""

    ref: Ref
    mark: Mark | None
    part: health.Part | None = None


async def glance(cluster: Cluster, calm: Finding, base: Finding, steady: Steady) -> Finding | None:
    """What `calm` found, with the health of now; None when any object is not what it was."""
    parts = {part.ref: part for part in calm.parts}
    still = [_Look(ref=ref, mark=known, part=parts.get(ref)) for ref, known in calm.seen.items() if steady(ref, known)]
    quiet = {look.ref for look in still}
    rest = [(ref, known) for ref, known in calm.seen.items() if ref not in quiet]
    looks = [*still, *await in_parallel(rest, lambda row: _look(cluster, *row))]
    if not all(look.mark for look in looks):
        return None
    return replace(
        calm,
        mandate=base.mandate,
        began=base.began,
        parts=tuple(look.part for look in looks if look.part is not None),
        again=None,
        attempted=False,
        changed=False,
        counts={},
        heals=(),
        seen={look.ref: look.mark for look in looks if look.mark is not None},
    )


async def _look(cluster: Cluster, ref: Ref, before: Mark) -> _Look:
    live = await cluster.live(before.kind, ref)
    now = None if live is None else mark(before.kind, live)
    if live is None or now is None or now.fingerprint != before.fingerprint:
        return _Look(ref=ref, mark=None)
    return _Look(ref=ref, mark=now, part=health.part_of(ref, live))
