"""Pods and Services a blue/green Rollout wants now."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rollouts.strategy import delays, services
from rollouts.strategy.bluegreen.course import in_full
from rollouts.strategy.course import Course, frozen
from rollouts.strategy.delays import Stay
from rollouts.strategy.moves import Counts
from rollouts.strategy.services import Switch
from rollouts.strategy.situation import Situation
from rollouts.strategy.snapshot import ReplicaSet
from rollouts.strategy.target import Target
from rollouts.strategy.wants import BlueGreen


def target(at: Situation, course: Course, *, aborted: bool, promote: bool) -> Target:
    """Pods and Services wanted now."""
    wanted = at.wants.blue_green
    if wanted is None:
        raise ValueError("not a blue/green Rollout")
    held = frozen(at, course)
    moved = tuple(_switches(at, wanted, course, aborted=aborted, held=held))
    active = services.after(at.snapshot.services, moved, wanted.active_service)
    stays = _stays(at, wanted, course, active, aborted=aborted, promote=promote, held=held)
    new, stable = at.revisions.new, at.revisions.distinct_stable
    return Target(
        counts=Counts(
            new=stays[new.name if new else ""].replicas,
            stable=stays[stable.name].replicas if stable else 0,
            others=tuple(stays[rs.name].replicas for rs in at.revisions.others),
        ),
        deadlines={name: stay.deadline for name, stay in stays.items() if name},
        switches=moved,
        again=(at.alone and (bool(moved) or new is None))
        or (course.cutover and bool(moved) and wanted.post is not None),
    )


# --- Services --------------------------------------------------------------------------------------------------------


def _switches(at: Situation, wanted: BlueGreen, course: Course, *, aborted: bool, held: bool) -> Iterator[Switch]:
    there, idle = at.snapshot.services, at.wants.limits.replicas == 0
    yield from services.released(there, at.wants.name, (wanted.active_service, wanted.preview_service))
    if held and not aborted and not at.alone:
        yield from _kept_apart(at, wanted)
        return
    yield from services.at_once(there, wanted.preview_service, at.revisions.hash)
    yield from services.follow(there, wanted.active_service, _active(at, wanted, course, aborted=aborted), idle=idle)


def _kept_apart(at: Situation, wanted: BlueGreen) -> Iterator[Switch]:
    """Even while all is held: an active Service nobody has taken over yet would send users to the preview, too, and one
    whose ReplicaSet was deleted sends them nowhere."""
    if at.labelled(services.selected(at.snapshot.services, wanted.active_service)) is None:
        yield from services.follow(at.snapshot.services, wanted.active_service, at.revisions.stable)


def _active(at: Situation, wanted: BlueGreen, course: Course, *, aborted: bool) -> ReplicaSet | None:
    """Whom the active Service should select; None to leave it alone. Users are only sent to pods that can serve all of
    them, or, where there is nothing better, to pods that can serve."""
    new, stable = at.revisions.new, at.revisions.distinct_stable
    now = at.labelled(services.selected(at.snapshot.services, wanted.active_service))
    serving = now is not None and now.available > 0
    if at.alone or (not aborted and (course.cutover or stable is None)):
        return new if in_full(at, new) or not serving else None
    if aborted or now is None or not serving:
        return stable
    return None


# --- pods ------------------------------------------------------------------------------------------------------------


def _stays(
    at: Situation, wanted: BlueGreen, course: Course, active: str, *, aborted: bool, promote: bool, held: bool
) -> dict[str, Stay]:
    """What each ReplicaSet keeps, by name; the new one that is not there yet under the empty name."""
    new, stable = at.revisions.new, at.revisions.distinct_stable
    if held:
        standing = {rs.name: Stay(replicas=rs.replicas, deadline=rs.deadline) for rs in at.revisions.all}
        return {"": Stay(replicas=at.least), **standing}
    found = {new.name if new else "": _new(at, wanted, course, active, aborted=aborted, promote=promote)}
    if stable is not None and not promote:
        found[stable.name] = Stay(replicas=at.wants.limits.replicas)
    behind = [rs for rs in (stable if promote else None, *at.revisions.others) if rs]
    return found | _behind(at, behind, active)


def _new(at: Situation, wanted: BlueGreen, course: Course, active: str, *, aborted: bool, promote: bool) -> Stay:
    replicas, new = at.wants.limits.replicas, at.revisions.new
    if at.alone:
        return Stay(replicas=replicas)
    if aborted and new is not None:
        return delays.after_abort(new, wanted.delays, begins=active != new.hash, now=at.now)
    if aborted:
        return Stay(replicas=0)
    previews = at.underway and not at.fast and not course.cutover and not course.checkpoint
    if wanted.preview_replicas is None or not previews or active == at.revisions.hash:
        waits = new is not None and at.fast is not None and not promote
        return Stay(replicas=replicas, deadline=new.deadline if new and waits else None)
    return Stay(replicas=wanted.preview_replicas)


def _behind(at: Situation, behind: Sequence[ReplicaSet], active: str) -> dict[str, Stay]:
    replicas = at.wants.limits.replicas
    found = delays.after_promotion(behind, at.wants.delays, replicas=replicas, now=at.now)
    stays = {rs.name: stay for rs, stay in zip(behind, found, strict=True)}
    return stays | {rs.name: Stay(replicas=max(rs.replicas, replicas)) for rs in behind if rs.hash == active}
