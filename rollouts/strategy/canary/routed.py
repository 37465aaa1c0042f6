"""Pods of a canary whose traffic a router splits: in use, staying for a while, or gone (§2.2, §2.4)."""

from __future__ import annotations

from collections.abc import Sequence

from rollouts.strategy import delays, routed, services
from rollouts.strategy.canary.counts import canary_pods, stable_pods, weight_at
from rollouts.strategy.canary.pointing import names, service_names
from rollouts.strategy.course import Course, frozen
from rollouts.strategy.delays import Stay
from rollouts.strategy.services import Switch
from rollouts.strategy.situation import Situation
from rollouts.strategy.snapshot import ReplicaSet
from rollouts.strategy.traffic import Traffic
from rollouts.strategy.wants import Canary


def stays(
    at: Situation,
    canary: Canary,
    course: Course,
    switches: Sequence[Switch],
    traffic: Traffic | None,
    *,
    aborted: bool,
    promote: bool,
) -> dict[str, Stay]:
    """What each ReplicaSet keeps, by name; the new one that is not there yet under the empty name."""
    new, stable = at.revisions.new, at.revisions.distinct_stable
    if frozen(at, course):
        standing = {rs.name: Stay(replicas=rs.replicas, deadline=rs.deadline) for rs in at.revisions.all}
        return {"": Stay(replicas=at.least), **standing}
    found = {new.name if new else "": _new(at, canary, course, aborted=aborted, promote=promote)}
    weight = 0 if aborted else weight_at(at.wants.steps, course.index, full=canary.full)
    if stable is not None and not promote:
        found[stable.name] = Stay(replicas=stable_pods(at, canary, weight=weight))
    behind = [rs for rs in (stable if promote else None, *at.revisions.others) if rs]
    resting = _resting(at, canary, promote=promote)
    return found | _behind(at, canary, behind, _serving(at, switches, traffic, resting), done=promote or at.promoted)


def _new(at: Situation, canary: Canary, course: Course, *, aborted: bool, promote: bool) -> Stay:
    new, replicas = at.revisions.new, at.wants.limits.replicas
    if at.first or at.promoted or promote or at.revisions.distinct_stable is None:
        return Stay(replicas=replicas)
    if not aborted:
        weight = weight_at(at.wants.steps, course.index, full=canary.full)
        return Stay(replicas=canary_pods(at, canary, index=course.index, weight=weight))
    if new is None:
        return Stay(replicas=0)
    told = at.recorded.weights
    carries = told.canary if told and told.hash == new.hash else 0
    if canary.dynamic_stable and not canary.delays.aborted_given:
        return Stay(
            replicas=min(routed.share(replicas, carries, full=canary.full, least=canary.min_pods), new.replicas)
        )
    stable = at.revisions.distinct_stable
    begins = not carries if canary.dynamic_stable else stable.available >= replicas
    return delays.after_abort(new, canary.delays, begins=begins, now=at.now)


def _resting(at: Situation, canary: Canary, *, promote: bool) -> str | None:
    """Of two Services that take turns, the one without traffic after a promotion: it selects the version before until
    the next canary has it, which must not keep that version's pods for ever."""
    ended = canary.ping_pong is not None and (promote or at.promoted)
    return service_names(at, promote=promote)[0] if ended else None


def _serving(at: Situation, switches: Sequence[Switch], traffic: Traffic | None, resting: str | None) -> set[str]:
    """Hashes some traffic still goes to: by a Service, or by the weights last told (a router needs time to act). A
    Service nobody has taken over yet selects every pod."""
    told = at.recorded.weights
    weights = {told.hash} if told and told.canary else set()
    if traffic is not None and not (at.wants.canary and at.wants.canary.dynamic_stable):
        weights = {traffic.split.canary.hash} if traffic.split.canary.weight else set()
    there = at.snapshot.services
    selected = {services.after(there, switches, name) for name in names(at) if name in there and name != resting}
    if "" in selected and at.wants.limits.replicas:
        selected |= {rs.hash for rs in at.revisions.all}
    return (selected | weights) - {""}


def _behind(
    at: Situation, canary: Canary, behind: Sequence[ReplicaSet], serving: set[str], *, done: bool
) -> dict[str, Stay]:
    """ReplicaSets left behind: after a promotion they stay for the delay, abandoned ones go, serving ones are kept."""
    waiting = [rs for rs in behind if (done or rs.deadline) and not canary.dynamic_stable]
    found = delays.after_promotion(waiting, canary.delays, replicas=at.wants.limits.replicas, now=at.now)
    stays = {rs.name: Stay(replicas=0, deadline=rs.deadline) for rs in behind}
    stays |= {rs.name: stay for rs, stay in zip(waiting, found, strict=True)}
    return stays | {rs.name: Stay(replicas=rs.replicas, deadline=rs.deadline) for rs in behind if rs.hash in serving}
