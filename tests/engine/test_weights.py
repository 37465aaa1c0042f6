"""The share of requests a run's canary should get now: as its Rollout has told the routers, or by its ready pods."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from rollouts.api import kinds
from rollouts.engine.measuring import Measuring
from rollouts.engine.store import Store, by_owner
from rollouts.engine.weights import Weight, weight_of
from tests.engine.test_measuring import Bench, Told, metric

LABELS = {"rollouts-pod-template-hash": "abc"}
OWNER = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "web", "uid": "u1", "controller": True}
RUN: dict[str, Any] = {
    "metadata": {"name": "run", "namespace": "ns", "uid": "uid-run", "labels": LABELS, "ownerReferences": [OWNER]}
}


def rollout(version: str = "1", *, uid: str = "u1", routing: dict[str, Any] | None = None, **weights: Any) -> Any:
    return {
        "metadata": {"name": "web", "namespace": "ns", "uid": uid, "resourceVersion": version},
        "spec": {"strategy": {"canary": {"trafficRouting": routing or {}}}},
        "status": {"canary": {"weights": weights}},
    }


def store(*objects: Any) -> Store:
    found = Store({kinds.ROLLOUT: {}, kinds.REPLICA_SET: {"owner": by_owner}})
    for item in objects:
        found.shelf(kinds.REPLICA_SET if item.get("kind") == "ReplicaSet" else kinds.ROLLOUT).put(item)
    return found


def canary(weight: Any, hashed: str = "abc") -> dict[str, Any]:
    return {"weight": weight, "podTemplateHash": hashed}


@pytest.mark.parametrize(
    ("owner", "share"),
    [
        (rollout(canary=canary(25)), 0.25),
        (rollout(canary=canary(25), verified=True), 0.25),
        (rollout(canary=canary(300), routing={"maxTrafficWeight": 1000}), 0.3),
        (rollout(canary=canary(0)), 0.0),
        (rollout(canary=canary(25), verified=False), None),  # the router has not taken it over
        (rollout(canary=canary(25, "def")), None),  # of another version
        (rollout(canary=canary("25")), None),
        (rollout(), None),
        (rollout(canary=canary(25), uid="u2"), None),  # a namesake, made anew
    ],
)
def test_the_weight(owner: Any, share: float | None) -> None:
    assert weight_of(RUN, store(owner)) == (None if share is None else Weight(share=share))


def test_a_run_without_a_rollout() -> None:
    alone = {"metadata": {"name": "run", "namespace": "ns", "labels": LABELS}}
    assert weight_of(alone, store(rollout(canary=canary(25)))) is None
    assert weight_of(RUN, store()) is None
    assert weight_of(RUN, Store({})) is None


def by_pods(*, stable: Any = "old", uid: str = "u1", **strategy: Any) -> dict[str, Any]:
    """A Rollout without a router."""
    made = rollout(uid=uid)
    return {**made, "spec": {"strategy": strategy or {"canary": {"steps": []}}}, "status": {"stableRS": stable}}


def replica_set(digest: str, ready: Any, *, uid: str = "u1", name: str = "") -> dict[str, Any]:
    metadata = {
        "name": name or f"web-{digest}",
        "namespace": "ns",
        "uid": f"uid-{name}{digest}",
        "resourceVersion": "1",
        "labels": {"rollouts-pod-template-hash": digest},
        "ownerReferences": [{**OWNER, "uid": uid}],
    }
    return {"kind": "ReplicaSet", "metadata": metadata, "status": {"replicas": 9, "readyReplicas": ready}}


@pytest.mark.parametrize(
    ("owner", "sets", "share"),
    [
        (by_pods(), (("abc", 1), ("old", 4)), 0.2),
        (by_pods(), (("abc", 1), ("old", 3), ("older", 5)), 0.25),  # of the two sides that are compared
        (by_pods(), (("abc", 2), ("old", None)), 1.0),
        (by_pods(), (("abc", None), ("old", 4)), 0.0),
        (by_pods(), (("abc", 0), ("old", 0)), None),
        (by_pods(), (("abc", "many"), ("old", -1)), None),
        (by_pods(), (), None),
        (by_pods(stable="abc"), (("abc", 4),), None),  # it is the stable one by now
        (by_pods(stable=None), (("abc", 4),), None),
        (by_pods(uid="u2"), (("abc", 1), ("old", 4)), None),
        (by_pods(canary={"canaryService": "c", "stableService": "s"}), (("abc", 1), ("old", 4)), None),
        (by_pods(blueGreen={"activeService": "a"}), (("abc", 1), ("old", 4)), None),
    ],
)
def test_without_a_router_ready_pods_tell(owner: Any, sets: tuple[tuple[str, Any], ...], share: float | None) -> None:
    pods = [replica_set(digest, ready) for digest, ready in sets]
    others = replica_set("abc", 50, uid="u9", name="other")
    found = weight_of(RUN, store(owner, *pods, others))
    assert found == (None if share is None else Weight(share=share, by_pods=True))


async def test_each_measurement_is_told_the_weight_of_its_moment() -> None:
    provider = Told(1)
    bench = Bench(provider, metric(interval="1ms", count=3))
    bench.run["metadata"].update(copy.deepcopy(RUN["metadata"]))
    seen = store(rollout(canary=canary(5)))
    bench.measuring = Measuring(
        api=bench.api, providers={"prometheus": provider}, weight_of=lambda run: weight_of(run, seen)
    )
    await bench.step()
    for version, weight in enumerate((20, 50, 50), start=2):
        seen.shelf(kinds.ROLLOUT).put(rollout(str(version), canary=canary(weight)))
        taken = len(provider.weights)
        while len(provider.weights) == taken:
            await bench.step()
    assert provider.weights == [0.2, 0.5, 0.5]
