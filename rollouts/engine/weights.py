"""Which share of the requests a run's canary should get now: what its Rollout last told the routers.

A comparison with `weight: Current` asks for it at each measurement, because the weight changes while a background run
goes on. Nothing is known (None) of a run without a Rollout or of another version than the weights are for, of a Rollout
without a router, and while a router that can tell has not taken the weight over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rollouts.api import kinds
from rollouts.api.defaults import MAX_TRAFFIC_WEIGHT
from rollouts.api.loose import mapping
from rollouts.engine.store import Key, Store, controller_uid
from rollouts.strategy.keys import POD_HASH

JSON = Mapping[str, Any]


def weight_of(run: JSON, store: Store) -> float | None:
    """The share of the canary of the Rollout that owns this AnalysisRun, from 0 to 1."""
    owner = _owner(run, store)
    if owner is None:
        return None
    weights = mapping(mapping(mapping(owner.get("status")).get("canary")).get("weights"))
    canary = mapping(weights.get("canary"))
    mine = mapping(run["metadata"].get("labels")).get(POD_HASH)
    weight = canary.get("weight")
    if weights.get("verified") is False or canary.get("podTemplateHash") != mine or not isinstance(weight, int):
        return None
    return min(1.0, max(0.0, weight / _most(owner)))


def _owner(run: JSON, store: Store) -> JSON | None:
    uid = controller_uid(run)
    names = [ref["name"] for ref in run["metadata"].get("ownerReferences") or () if ref.get("controller")]
    if not names or not store.keeps(kinds.ROLLOUT):
        return None
    found = store.get(kinds.ROLLOUT, Key(run["metadata"]["namespace"], names[0]))
    return found if found is not None and found["metadata"].get("uid") == uid else None


def _most(rollout: JSON) -> int:
    canary = mapping(mapping(mapping(rollout.get("spec")).get("strategy")).get("canary"))
    most = mapping(canary.get("trafficRouting")).get("maxTrafficWeight")
    return most if isinstance(most, int) and most > 0 else MAX_TRAFFIC_WEIGHT
