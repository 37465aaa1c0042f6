"""Which share of the requests a run's canary should get now.

A comparison with `weight: Current` asks for it at each measurement, because it changes while a background run goes on.

    behind a router        what the Rollout last told it; nothing while a router that can tell has not taken it over
    by pods                ready pods of the canary of those of both sides: a Service picks among the ready ones

    canary 1 ready of 2, stable 4 ready     0.2

Nothing is known (None) of a run without a Rollout, of another version than the canary's, of blue/green, and of a canary
with Services of its own but no router: who sends what to them is not for the Rollout to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rollouts.api import kinds
from rollouts.api.defaults import MAX_TRAFFIC_WEIGHT
from rollouts.api.loose import mapping
from rollouts.engine.store import Key, Store, controller_uid
from rollouts.strategy.keys import POD_HASH

JSON = Mapping[str, Any]
OWN_SERVICES = ("canaryService", "stableService")


@dataclass(frozen=True, slots=True, kw_only=True)
class Weight:
    """The share of the canary, from 0 to 1; `by_pods`: it is that of the ready pods, no router was told."""

    share: float
    by_pods: bool = False


def weight_of(run: JSON, store: Store) -> Weight | None:
    """What the canary of the Rollout that owns this AnalysisRun should get."""
    owner = _owner(run, store)
    if owner is None:
        return None
    mine = mapping(run["metadata"].get("labels")).get(POD_HASH)
    canary = mapping(mapping(mapping(owner.get("spec")).get("strategy")).get("canary"))
    if canary.get("trafficRouting") is not None:
        return _told(owner, mine)
    if not canary or any(canary.get(name) for name in OWN_SERVICES):
        return None
    return _of_pods(owner, mine, store)


def _owner(run: JSON, store: Store) -> JSON | None:
    uid = controller_uid(run)
    names = [ref["name"] for ref in run["metadata"].get("ownerReferences") or () if ref.get("controller")]
    if not names or not store.keeps(kinds.ROLLOUT):
        return None
    found = store.get(kinds.ROLLOUT, Key(run["metadata"]["namespace"], names[0]))
    return found if found is not None and found["metadata"].get("uid") == uid else None


def _told(owner: JSON, mine: Any) -> Weight | None:
    weights = mapping(mapping(mapping(owner.get("status")).get("canary")).get("weights"))
    canary = mapping(weights.get("canary"))
    weight = canary.get("weight")
    if weights.get("verified") is False or canary.get("podTemplateHash") != mine or not isinstance(weight, int):
        return None
    return Weight(share=min(1.0, max(0.0, weight / _most(owner))))


def _most(rollout: JSON) -> int:
    canary = mapping(mapping(mapping(rollout.get("spec")).get("strategy")).get("canary"))
    most = mapping(canary.get("trafficRouting")).get("maxTrafficWeight")
    return most if isinstance(most, int) and most > 0 else MAX_TRAFFIC_WEIGHT


def _of_pods(owner: JSON, mine: Any, store: Store) -> Weight | None:
    stable = mapping(owner.get("status")).get("stableRS")
    if not mine or not stable or mine == stable or not store.keeps(kinds.REPLICA_SET):
        return None
    ready = {str(stable): 0, str(mine): 0}
    for found in store.shelf(kinds.REPLICA_SET).find("owner", owner["metadata"]["uid"]):
        digest = mapping(found["metadata"].get("labels")).get(POD_HASH)
        if digest in ready:
            ready[digest] += _count(mapping(found.get("status")).get("readyReplicas"))
    pods = sum(ready.values())
    return Weight(share=ready[str(mine)] / pods, by_pods=True) if pods else None


def _count(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0
