"""How many pods a position in the steps wants, and whether they are there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from rollouts.api import defaults
from rollouts.strategy import routed
from rollouts.strategy.replicas import split
from rollouts.strategy.situation import Situation
from rollouts.strategy.snapshot import ReplicaSet
from rollouts.strategy.wants import Canary

FULL: Final = defaults.MAX_TRAFFIC_WEIGHT
Steps = Sequence[Mapping[str, Any]]


def weight_at(steps: Steps, index: int, *, full: int = FULL) -> int:
    """The weight in force at a step: of the last setWeight at or before it; 0 before the first, full past the end."""
    if index >= len(steps):
        return full
    weights = [step["setWeight"] for step in steps[: index + 1] if isinstance(step.get("setWeight"), int)]
    return weights[-1] if weights else 0


def desired_counts(at: Situation, index: int) -> tuple[int, int]:
    """New and stable replicas a step wants. Without a stable ReplicaSet of its own, new gets everything."""
    limits, canary = at.wants.limits, at.wants.routed
    if at.revisions.distinct_stable is None:
        return limits.replicas, 0
    if canary is None:
        weight = weight_at(at.wants.steps, index)
        return split(replicas=limits.replicas, weight=weight, surge=limits.surge, full=FULL)
    weight = weight_at(at.wants.steps, index, full=canary.full)
    return canary_pods(at, canary, index=index, weight=weight), stable_pods(at, canary, weight=weight)


def at_desired(at: Situation, index: int) -> bool:
    """Whether all pods a step wants are there, and no older ones serve any more."""
    new, stable = at.revisions.new, at.revisions.distinct_stable
    desired_new, desired_stable = desired_counts(at, index)
    threshold = at.wants.canary.threshold if at.wants.canary else None
    return (
        (new.replicas if new else 0) == desired_new
        and reached(threshold, wanted=desired_new, new=new)
        and all(rs.settled for rs in (new, stable) if rs)
        and (stable is None or _stands(at, stable, desired_stable))
        and (at.wants.routed is not None or not any(rs.available for rs in at.revisions.others))
    )


def _stands(at: Situation, stable: ReplicaSet, desired: int) -> bool:
    """Pods of a stable that shrinks dynamically go after the traffic, so no step waits for them."""
    if at.wants.canary and at.wants.canary.dynamic_stable:
        return True
    return stable.replicas == stable.current == desired


def canary_pods(at: Situation, canary: Canary, *, index: int, weight: int) -> int:
    """Canary pods a step wants with a router."""
    scale = routed.scale_at(at.wants.steps, index)
    return routed.canary_pods(
        scale, replicas=at.wants.limits.replicas, weight=weight, full=canary.full, least=canary.min_pods
    )


def stable_pods(at: Situation, canary: Canary, *, weight: int) -> int:
    """Stable pods wanted with a router; with dynamicStableScale they go after the traffic they were last given."""
    told = at.recorded.weights
    served = canary.full - told.canary if told and told.hash != at.recorded.stable_hash else canary.full
    return routed.stable_pods(
        replicas=at.wants.limits.replicas,
        weight=weight,
        served=served,
        full=canary.full,
        least=canary.min_pods,
        dynamic=canary.dynamic_stable,
    )


def enough(at: Situation, new: ReplicaSet) -> bool:
    """Whether the new ReplicaSet could carry everything. One without pods has at least been seen by its controller."""
    wanted = at.wants.limits.replicas
    if not wanted:
        return new.settled
    threshold = at.wants.canary.threshold if at.wants.canary else None
    return new.available >= wanted or (new.replicas == wanted and reached(threshold, wanted=wanted, new=new))


def reached(threshold: tuple[str, int] | None, *, wanted: int, new: ReplicaSet | None) -> bool:
    """Whether as many pods are available as replicaProgressThreshold asks for; all of them without one."""
    return routed.reached(threshold, wanted=wanted, available=new.available if new else 0)
