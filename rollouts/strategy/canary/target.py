"""Pods, Services and traffic a canary wants now."""

from __future__ import annotations

from collections.abc import Sequence

from rollouts.strategy import moves, services
from rollouts.strategy.canary import routed, weights
from rollouts.strategy.canary.counts import FULL, weight_at
from rollouts.strategy.canary.pointing import names, switches
from rollouts.strategy.course import Course, frozen, stands_still
from rollouts.strategy.moves import Counts
from rollouts.strategy.replicas import split
from rollouts.strategy.services import Switch
from rollouts.strategy.situation import Situation
from rollouts.strategy.target import Target


def target(at: Situation, course: Course, *, aborted: bool, promote: bool) -> Target:
    """Pods, Services and traffic wanted now."""
    moved = (
        *switches(at, aborted=aborted, promote=promote),
        *services.released(at.snapshot.services, at.wants.name, names(at)),
    )
    canary = at.wants.routed
    if canary is None:
        in_use = {rs.name: None for rs in (at.revisions.new, at.revisions.distinct_stable) if rs}
        counts, desired = _paced(at, course, moved, aborted=aborted)
        resizing = stands_still(at, course) and at.rescaled and (counts.new, counts.stable) != desired
        return Target(counts=counts, deadlines=in_use, switches=moved, resizing=resizing)
    asked = weights.traffic(at, canary, course, aborted=aborted, promote=promote)
    traffic = None if asked is None or asked.problem else asked
    stays = routed.stays(at, canary, course, moved, traffic, aborted=aborted, promote=promote)
    revisions = at.revisions
    return Target(
        counts=Counts(
            new=stays["" if revisions.new is None else revisions.new.name].replicas,
            stable=stays[revisions.distinct_stable.name].replicas if revisions.distinct_stable else 0,
            others=tuple(stays[rs.name].replicas for rs in revisions.others),
        ),
        deadlines={name: stay.deadline for name, stay in stays.items() if name},
        switches=moved,
        traffic=traffic,
        refused=asked.problem if asked else None,
        again=weights.moved(at, traffic) and (canary.dynamic_stable or course.index >= len(at.wants.steps)),
    )


def _paced(
    at: Situation, course: Course, switches: Sequence[Switch], *, aborted: bool
) -> tuple[Counts, tuple[int, int]]:
    """Pods for now, and those of new and stable wanted in the end."""
    new, stable, others = at.revisions.new, at.revisions.distinct_stable, at.revisions.others
    if frozen(at, course):
        standing = (new.replicas if new else at.least, stable.replicas if stable else 0)
        return Counts(new=standing[0], stable=standing[1], others=tuple(rs.replicas for rs in others)), standing
    steps, limits = at.wants.steps, at.wants.limits
    weight = FULL if at.first or at.promoted else 0 if aborted else weight_at(steps, course.index)
    desired = (
        (limits.replicas, 0)
        if stable is None
        else split(replicas=limits.replicas, weight=weight, surge=limits.surge, full=FULL)
    )
    kept = {services.after(at.snapshot.services, switches, name) for name in names(at)} - {""}
    return moves.furthest(limits=limits, desired=desired, new=new, stable=stable, others=others, kept=kept), desired
