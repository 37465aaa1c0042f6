"""Traffic: which weight is wanted now (argo-rollouts.md §2.3), and what the routers say to it.

Pods come before traffic on the way up, and go after it on the way down. A weight is only asked for when the stable
ReplicaSet can bear the rest; without a canary pod that could answer the canary gets nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rollouts.api import defaults
from rollouts.plan import Event, Write
from rollouts.strategy import routed
from rollouts.strategy.situation import Situation
from rollouts.strategy.snapshot import ReplicaSet
from rollouts.traffic import Destination, Router, Routing, Split

JSON = Mapping[str, Any]
Steps = Sequence[JSON]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """A split the routers were asked for, what they want to write, and whether it is known to be served. `problem`: why
    they can't be told at all, there are no writes then; `unverifiable`: what kept them from looking."""

    split: Split
    writes: tuple[Write, ...]
    verified: bool | None
    events: tuple[Event, ...] = ()
    problem: str | None = None
    unverifiable: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Who is who after this decision: the ReplicaSets (None: not there yet) and the Services of both roles."""

    canary: ReplicaSet | None
    canary_hash: str
    stable: ReplicaSet | None
    stable_hash: str
    canary_service: str
    stable_service: str


def steer(
    at: Situation,
    roles: Roles,
    *,
    weight: int,
    steps: Steps = (),
    additional: Sequence[Destination] = (),
    spare: bool = False,
) -> Traffic | None:
    """Ask the routers for a weight; None when the stable can't bear the rest, so that they are not asked at all.
    `steps`: those passed, for the routes they made. `spare`: traffic must leave the canary, so a stable with any pod
    that can answer is better."""
    able = roles.stable is not None and roles.stable.available if spare else bears(at, roles.stable, weight)
    if not able and at.wants.limits.replicas:
        return None
    split = split_of(at, roles, weight=weight, steps=steps, additional=additional)
    answers = list(_ask(at, split))
    problem = next((answer.problem for answer in answers if answer.problem), None)
    if problem:
        return Traffic(split=split, writes=(), verified=None, problem=problem)
    known = [answer.verified for answer in answers if answer.verified is not None]
    return Traffic(
        split=split,
        writes=tuple(write for answer in answers for write in answer.writes),
        verified=all(known) if known else None,
        events=tuple(event for answer in answers for event in answer.events),
        unverifiable=next((answer.unverifiable for answer in answers if answer.unverifiable), None),
    )


def obstacle(at: Situation, roles: Roles, *, weight: int) -> str | None:
    """Why a step that wants this weight can't be done yet, for people; None when nothing is in its way."""
    if not bears(at, roles.stable, weight):
        return f"waiting for stable pods to be available before the canary's weight becomes {weight}"
    answers = list(_ask(at, split_of(at, roles, weight=weight)))
    problem = next((answer.problem for answer in answers if answer.problem), None)
    if problem:
        return problem
    verifies = any(answer.verified is not None for answer in answers)
    if verifies and not all(answer.verified is not False and not answer.writes for answer in answers):
        return f"waiting for the router to serve weight {weight}"
    return None


def bears(at: Situation, stable: ReplicaSet | None, weight: int) -> bool:
    """Whether the available stable pods can bear what the canary does not get."""
    canary = at.wants.routed
    if canary is None or stable is None:
        return False
    needed = (canary.full - weight) * at.wants.limits.replicas // canary.full
    if canary.threshold is None:
        return stable.available >= needed
    return stable.available >= needed or routed.reached(canary.threshold, wanted=needed, available=stable.available)


def split_of(
    at: Situation, roles: Roles, *, weight: int, steps: Steps = (), additional: Sequence[Destination] = ()
) -> Split:
    """The split for a weight; experiments are taken from the stable's share."""
    full = at.wants.routed.full if at.wants.routed else defaults.MAX_TRAFFIC_WEIGHT
    rest = max(full - weight - sum(part.weight for part in additional), 0)
    return Split(
        canary=Destination(service=roles.canary_service, hash=roles.canary_hash, weight=weight),
        stable=Destination(service=roles.stable_service, hash=roles.stable_hash, weight=rest),
        additional=tuple(additional),
        full=full,
        header_routes=_routes(steps, "setHeaderRoute"),
        mirror_routes=_routes(steps, "setMirrorRoute"),
    )


def _routes(steps: Steps, key: str) -> tuple[JSON, ...]:
    """The last word on each route; one without `match` is taken away."""
    latest = {step[key].get("name"): step[key] for step in steps if isinstance(step.get(key), Mapping)}
    return tuple(block for block in latest.values() if block.get("match"))


def _ask(at: Situation, split: Split) -> Iterator[Routing]:
    for router, block in chosen(at):
        yield router.route(block, rollout=at.snapshot.rollout, split=split, objects=at.snapshot.routes)


def chosen(at: Situation) -> Iterator[tuple[Router, JSON]]:
    """The routers a Rollout names, with their blocks."""
    routing = (at.wants.routed.routing if at.wants.routed else None) or {}
    for key, router in at.routers.items():
        if routing.get(key) is not None:
            yield router, routing[key]


def stepping(steps: Steps, index: int, *, full: int, at_desired: Callable[[int], bool]) -> int:
    """The weight at a position: of the last setWeight up to it once its pods are there, else of the one before."""
    if index >= len(steps):
        return full if at_desired(index) else _last(steps[:index])
    return _last(steps[: index + 1]) if at_desired(index) else _last(steps[:index])


def _last(steps: Steps) -> int:
    weights = [step["setWeight"] for step in steps if isinstance(step.get("setWeight"), int)]
    return weights[-1] if weights else 0
