"""Nothing new? Then it is told at a glance: the same commit, and every object as it was when it last equalled Git.

A full comparison fetches, renders and has every object tried by the API server. Most of the time nobody has changed
anything, on either side. So a comparison that found nothing to do leaves a *fingerprint* of each object; while the
commit and the spec are the same, the next passes read the objects once (their health is wanted anyway) and compare.
Any difference, anything unusual, and every quarter of an hour in any case, the full comparison is made.

An object's fingerprint is taken from what the comparison itself saw, so a change in between can't slip through.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from rollouts.api.kinds import Kind
from rollouts.gitops import health
from rollouts.gitops.cluster import Cluster, in_parallel
from rollouts.gitops.diff import fingerprint
from rollouts.gitops.gitsync.values import Finding, Mandate
from rollouts.gitops.normalise import key_of
from rollouts.gitops.objects import Ref
from rollouts.gitops.passes import Comparison

FULL_EVERY = timedelta(minutes=15)


def taken(found: Comparison) -> Mapping[Ref, tuple[Kind, str]]:
    """The fingerprints of a comparison that found nothing to do; none when there is anything at all."""
    if not found.plan.empty or found.plan.kept:
        return {}
    rows = found.plan.unchanged
    if not all(item.seen for item in rows):
        return {}
    return {item.manifest.ref: (found.question.kinds[key_of(item.manifest)], item.seen) for item in rows}


def may_glance(calm: Finding, mandate: Mandate, *, resolved: str, commit: str, inputs: str, now: datetime) -> bool:
    """Whether a glance can do, after a pass that found everything as Git says. Whoever asks wants more than that."""
    same = (calm.resolved, calm.commit, calm.inputs, calm.mandate.generation)
    wanted = (resolved, commit, inputs, mandate.generation)
    return not (mandate.explicit or mandate.fresh) and same == wanted and now - calm.at < FULL_EVERY


async def glance(cluster: Cluster, calm: Finding, base: Finding) -> Finding | None:
    """What `calm` found, with the health of now; None when any object is not what it was."""
    found = await in_parallel(calm.seen.items(), lambda row: _part(cluster, *row))
    if not all(same for same, _ in found):
        return None
    parts = tuple(part for _, part in found if part is not None)
    return replace(
        calm, mandate=base.mandate, began=base.began, parts=parts, attempted=False, changed=False, heals=(), seen={}
    )


async def _part(cluster: Cluster, ref: Ref, before: tuple[Kind, str]) -> tuple[bool, health.Part | None]:
    kind, wanted = before
    live = await cluster.live(kind, ref)
    if live is None or fingerprint(live) != wanted:
        return False, None
    state = health.assess(live)
    return True, None if state is None else health.Part(ref=ref, health=state)
