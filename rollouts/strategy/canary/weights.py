"""Which traffic weight is wanted now (argo-rollouts.md §2.3)."""

from __future__ import annotations

from dataclasses import replace

from rollouts.strategy import routed, trials
from rollouts.strategy import traffic as traffic_
from rollouts.strategy.canary.counts import at_desired
from rollouts.strategy.canary.pointing import abandoned, roles
from rollouts.strategy.course import Course
from rollouts.strategy.situation import Situation
from rollouts.strategy.snapshot import ReplicaSet
from rollouts.strategy.traffic import Roles, Traffic
from rollouts.strategy.wants import Canary


def traffic(at: Situation, canary: Canary, course: Course, *, aborted: bool, promote: bool) -> Traffic | None:
    """Which weight is wanted now; None to leave the routers as they are."""
    who, told, new = roles(at, promote=promote), at.recorded.weights, at.revisions.new
    settled = promote or at.promoted or at.first
    drains = canary.dynamic_stable and told is not None and told.canary > 0 and told.hash != who.stable_hash
    if drains and (aborted or settled or abandoned(at, canary)):
        return _back(at, canary, who)
    if settled or aborted:
        return traffic_.steer(at, who, weight=0, spare=not at.first and not promote)
    tried = trials.destinations(at, course.index)
    if new is None or not new.available:
        return traffic_.steer(at, who, weight=0, additional=tried, spare=True)
    if at.intent.promote_full:
        return traffic_.steer(at, who, weight=_in_a_hurry(at, canary, new))
    steps = at.wants.steps
    weight = traffic_.stepping(steps, course.index, full=canary.full, at_desired=lambda index: at_desired(at, index))
    return traffic_.steer(at, who, weight=weight, steps=steps[: course.index + 1], additional=tried)


def _back(at: Situation, canary: Canary, who: Roles) -> Traffic | None:
    """With dynamicStableScale the stable has to grow first: traffic leaves the pods that have it bit by bit."""
    told = at.recorded.weights
    if told is None:
        return None
    available = who.stable.available if who.stable else 0
    least = routed.bearable(available=available, replicas=at.wants.limits.replicas, full=canary.full)
    weight = routed.back(at.wants.steps, current=told.canary, least=least)
    left = replace(who, canary=at.labelled(told.hash), canary_hash=told.hash) if weight else who
    return traffic_.steer(at, left, weight=weight)


def _in_a_hurry(at: Situation, canary: Canary, new: ReplicaSet) -> int:
    """A full promotion keeps the weight until all pods are there; a stable that shrinks needs it to go along."""
    told = at.recorded.weights
    if canary.dynamic_stable:
        return min(canary.full * new.available // max(at.wants.limits.replicas, 1), canary.full)
    return told.canary if told and told.hash == new.hash else 0


def moved(at: Situation, told_now: Traffic | None) -> bool:
    """Whether the routers are told something else than last time."""
    told = at.recorded.weights
    if told_now is None:
        return False
    wanted = told_now.split.canary
    return told is None or (told.canary, told.hash) != (wanted.weight, wanted.hash)
