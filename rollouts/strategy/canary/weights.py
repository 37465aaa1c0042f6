"""Which traffic weight is wanted now (argo-rollouts.md §2.3)."""

from __future__ import annotations

from dataclasses import replace

from rollouts.strategy import routed
from rollouts.strategy import traffic as traffic_
from rollouts.strategy.canary.counts import at_desired
from rollouts.strategy.canary.pointing import abandoned, roles
from rollouts.strategy.course import Course
from rollouts.strategy.situation import Situation
from rollouts.strategy.traffic import Traffic
from rollouts.strategy.wants import Canary


def traffic(at: Situation, canary: Canary, course: Course, *, aborted: bool, promote: bool) -> Traffic | None:
    """Which weight is wanted now; None to leave the routers as they are."""
    who = roles(at, promote=promote)
    told, replicas, steps = at.recorded.weights, at.wants.limits.replicas, at.wants.steps
    new, settled = at.revisions.new, promote or at.promoted or at.first
    if canary.dynamic_stable and told and told.canary and (aborted or settled) and told.hash != who.stable_hash:
        available = who.stable.available if who.stable else 0
        least = routed.bearable(available=available, replicas=replicas, full=canary.full)
        weight = routed.back(steps, current=told.canary, least=least)
        left = replace(who, canary=at.labelled(told.hash), canary_hash=told.hash) if weight else who
        return traffic_.steer(at, left, weight=weight)
    if settled or aborted:
        return traffic_.steer(at, who, weight=0, spare=not at.first and not promote)
    if abandoned(at, canary):
        return None
    if new is None or not new.available:
        return traffic_.steer(at, who, weight=0, spare=True)
    if at.intent.promote_full:
        kept = told.canary if told and told.hash == new.hash else 0
        weight = min(canary.full * new.available // max(replicas, 1), canary.full) if canary.dynamic_stable else kept
        return traffic_.steer(at, who, weight=weight)
    weight = traffic_.stepping(steps, course.index, full=canary.full, at_desired=lambda index: at_desired(at, index))
    return traffic_.steer(at, who, weight=weight, steps=steps[: course.index + 1])


def moved(at: Situation, told_now: Traffic | None) -> bool:
    """Whether the routers are told something else than last time."""
    told = at.recorded.weights
    if told_now is None:
        return False
    wanted = told_now.split.canary
    return told is None or (told.canary, told.hash) != (wanted.weight, wanted.hash)
