"""Restart: pods older than `spec.restartAt` are evicted, a few at a time, and their ReplicaSets replace them (§2.13).

Evicted, not deleted, so PodDisruptionBudgets are respected. Stable pods go first, then new, then older ones, oldest
pod first. The budget is what is available above max(N, pods asked for) − max(maxUnavailable, 1). Available is what
both the ReplicaSets' status and the pods themselves say is there: the status lags behind, so by it alone the pods just
evicted would be counted on once more. A pod that is ending is nobody's to count on, and holds nobody up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rollouts.api.loose import listed, mapping
from rollouts.plan import Evict
from rollouts.strategy import times
from rollouts.strategy.recorded import Recorded
from rollouts.strategy.revisions import Revisions
from rollouts.strategy.snapshot import ReplicaSet
from rollouts.strategy.wants import Wants

JSON = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restart:
    """`evict`: pods to evict now; `done`: status.restartedAt to write; `at`: a restart that lies in the future."""

    pending: bool = False
    evict: tuple[Evict, ...] = ()
    done: str | None = None
    at: datetime | None = None


def pending(rollout: JSON) -> bool:
    """Whether a restart was asked for that is not finished: only then does a snapshot need pods."""
    wanted = mapping(rollout.get("spec")).get("restartAt")
    return bool(wanted) and mapping(rollout.get("status")).get("restartedAt") != wanted


def restart(
    *, wants: Wants, recorded: Recorded, revisions: Revisions, pods: Sequence[JSON], reset: bool, now: datetime
) -> Restart:
    """The next bit of a restart. A new template (`reset`) replaces all pods anyway, so it settles the matter."""
    wanted, done = wants.restart_at, recorded.raw.get("restartedAt")
    moment = times.moment(wanted)
    if wanted is None or moment is None or wanted == done:
        return Restart(done=done)
    if reset:
        return Restart(done=wanted)
    if moment > now:
        return Restart(pending=True, done=done, at=moment)
    old = _older(pods, revisions, moment)
    if not old:
        return Restart(done=wanted)
    evict = [
        Evict(namespace=pod["metadata"]["namespace"], name=pod["metadata"]["name"], uid=pod["metadata"]["uid"])
        for pod in [pod for pod in old if _stays(pod)][: _budget(wants, revisions, pods, now)]
    ]
    return Restart(pending=True, evict=tuple(evict), done=done)


def _older(pods: Sequence[JSON], revisions: Revisions, moment: datetime) -> list[JSON]:
    order: list[ReplicaSet | None] = [revisions.stable, revisions.new, *revisions.others]
    rank = {rs.raw["metadata"]["uid"]: position for position, rs in reversed(list(enumerate(order))) if rs}
    found = [
        (rank[owner], born, pod) for pod in pods if (owner := _owner(pod)) in rank and (born := _born(pod)) < moment
    ]
    return [pod for _, _, pod in sorted(found, key=lambda entry: (entry[0], entry[1], entry[2]["metadata"]["name"]))]


def _budget(wants: Wants, revisions: Revisions, pods: Sequence[JSON], now: datetime) -> int:
    every, since = revisions.all, now - timedelta(seconds=wants.min_ready_seconds)
    ready = Counter(_owner(pod) for pod in pods if _stays(pod) and _ready(pod, since))
    available = sum(min(rs.available, ready[rs.raw["metadata"]["uid"]]) for rs in every)
    asked = max(wants.limits.replicas, sum(rs.replicas for rs in every))
    return max(available - (asked - max(wants.limits.unavailable, 1)), 0)


def _stays(pod: JSON) -> bool:
    return not pod["metadata"].get("deletionTimestamp")


def _ready(pod: JSON, since: datetime) -> bool:
    """Whether it is available: ready for as long as minReadySeconds asks."""
    written = listed(mapping(pod.get("status")).get("conditions"))
    ready = next((c for c in written if (c.get("type"), c.get("status")) == ("Ready", "True")), None)
    return ready is not None and (times.moment(ready.get("lastTransitionTime")) or since) <= since


def _owner(pod: JSON) -> str:
    references = pod["metadata"].get("ownerReferences") or ()
    return next((str(ref.get("uid")) for ref in references if ref.get("controller")), "")


def _born(pod: JSON) -> datetime:
    moment = times.moment(pod["metadata"].get("creationTimestamp"))
    if moment is None:
        raise ValueError(f"pod {pod['metadata'].get('name')} has no creationTimestamp")
    return moment
