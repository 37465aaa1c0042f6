"""Taking over a cluster that Argo Rollouts drove: what it left is put on a real API server, and our controller started.

It looks, and writes nothing. Then the next command goes on from there, with the ReplicaSets there are. What had to
change on the way here: uids, generations, addresses, and the deadlines of pods on leave, which were over long ago. In
what older versions left (`v1.8.3/…`) all times are as long ago as they were then.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollouts.api import kinds
from rollouts.strategy.times import moment
from rollouts.traffic import Destination, Split
from tests.cluster.controllers import OwnController
from tests.cluster.space import JSON, Space
from tests.recorder.moments import moments
from tests.strategy.router import ROUTER, written

RECORDINGS = Path(__file__).parents[1] / "data" / "recordings"
DEADLINE = "scale-down-deadline"
GENERATION = "rollout.argoproj.io/workload-generation"
SERVER_SIDE = ("uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "selfLink", "namespace")
TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
#: What is made before what it owns; Pods and Jobs come from the real controllers.
ORDER = ("Service", "Deployment", "AnalysisTemplate", "Rollout", "Experiment", "AnalysisRun", "ReplicaSet")


class Moment:
    """A recorded moment, put into a namespace."""

    def __init__(self, space: Space, name: str) -> None:
        text = (RECORDINGS / f"{name}.yaml").read_text()
        text = as_of_now(text) if name in OLDER else text
        self._space = space
        self._uids: dict[str, str] = {}
        self._objects = [obj for obj in yaml.safe_load_all(text) if obj and obj["kind"] in ORDER]
        (rollout,) = [obj for obj in self._objects if obj["kind"] == "Rollout"]
        self._status = rollout["status"]
        if "trafficRouting" in (rollout["spec"]["strategy"].get("canary") or {}):
            self._reroute(rollout)
        for obj in sorted(self._objects, key=in_the_order_of_birth):
            if obj["kind"] != "ReplicaSet" or owner_of(obj)["kind"] != "Deployment":
                self._put(obj)
        self._tell()

    def names(self) -> set[str]:
        """Its ReplicaSets."""
        return {obj["metadata"]["name"] for obj in self._of_the_rollout()}

    def there(self) -> dict[str, JSON]:
        """The Rollout's ReplicaSets in the cluster, by name; a Deployment may have its name, too."""
        uid = self._space.rollout()["metadata"]["uid"]
        found = [rs for rs in self._space.list(kinds.REPLICA_SET) if owner_of(rs)["uid"] == uid]
        return {rs["metadata"]["name"]: rs for rs in found}

    def until_pods_are_there(self) -> None:
        """Wait for as many pods as were recorded, those of an Experiment among them."""
        sets = [obj for obj in self._objects if obj["kind"] == "ReplicaSet" and owner_of(obj)["kind"] != "Deployment"]
        wanted = {rs["metadata"]["name"]: rs["status"].get("availableReplicas") for rs in sets}

        def look() -> bool:
            there = {name: self._space.get(kinds.REPLICA_SET, name)["status"] for name in wanted}
            assert {name: status.get("availableReplicas") for name, status in there.items()} == wanted
            return all(status.get("observedGeneration") for status in there.values())

        self._space.until("the recorded pods", look)

    def _reroute(self, rollout: JSON) -> None:
        """The tests' own router in the place of Istio: told already what the mesh was."""
        rollout["spec"]["strategy"]["canary"]["trafficRouting"] = {"plugins": {"test/router": {"configMap": "routes"}}}
        weights = self._status["canary"]["weights"]
        parts = [Destination(**told(weights[role])) for role in ("canary", "stable")]
        head = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "routes"}}
        self._space.create({**head, "data": {"split": written(Split(canary=parts[0], stable=parts[1]))}})

    def _of_the_rollout(self) -> list[JSON]:
        sets = [obj for obj in self._objects if obj["kind"] == "ReplicaSet"]
        return [rs for rs in sets if owner_of(rs)["kind"] == "Rollout"]

    def _put(self, obj: JSON) -> None:
        """One object, owned by the one made here."""
        metadata = {key: value for key, value in obj["metadata"].items() if key not in SERVER_SIDE}
        if "ownerReferences" in metadata:
            metadata["ownerReferences"] = [{**owner_of(obj), "uid": self._uids[owner_of(obj)["uid"]]}]
        annotations = metadata.get("annotations") or {}
        if DEADLINE in annotations and obj["spec"]["replicas"]:
            later = datetime.now(UTC) + timedelta(minutes=10)
            annotations[DEADLINE] = later.strftime("%Y-%m-%dT%H:%M:%SZ")
        spec = {key: value for key, value in obj.get("spec", {}).items() if not key.startswith(("clusterIP", "ipFam"))}
        made = self._space.create({**obj, "metadata": metadata, "spec": spec})
        self._uids[obj["metadata"]["uid"]] = made["metadata"]["uid"]

    def _tell(self) -> None:
        """The status, about the generations there are here."""
        rollout = self._space.rollout()
        status = {**self._status, "observedGeneration": str(rollout["metadata"]["generation"])}
        if reference := rollout["spec"].get("workloadRef"):
            generation = str(self._space.get(kinds.DEPLOYMENT, reference["name"])["metadata"]["generation"])
            self._space.patch(kinds.ROLLOUT, "app", {"metadata": {"annotations": {GENERATION: generation}}})
            status["workloadObservedGeneration"] = generation
        self._space.patch(kinds.ROLLOUT, "app", {"status": status}, "status")


def as_of_now(text: str) -> str:
    """A recording with all its times moved, as if it had been made this second."""
    (rollout,) = [obj for obj in yaml.safe_load_all(text) if obj["kind"] == "Rollout"]
    made = max(str(condition["lastUpdateTime"]) for condition in rollout["status"]["conditions"])
    later = datetime.now(UTC) - at(made)
    return TIME.sub(lambda found: (at(found[0]) + later).strftime("%Y-%m-%dT%H:%M:%SZ"), text)


def at(text: str) -> datetime:
    found = moment(text)
    assert found
    return found


def told(part: JSON) -> dict[str, Any]:
    """A share of the traffic, as a router is told."""
    return {"service": part["serviceName"], "hash": part["podTemplateHash"], "weight": part["weight"]}


def in_the_order_of_birth(obj: JSON) -> tuple[int, str]:
    """By kind, then as recorded: which of two versions is the older one decides whether it is a rollback."""
    return ORDER.index(obj["kind"]), obj["metadata"]["creationTimestamp"]


def owner_of(obj: JSON) -> JSON:
    owner: JSON = obj["metadata"]["ownerReferences"][0]
    return owner


def promoted(space: Space) -> None:
    space.promote()
    space.until_phase("Healthy", seconds=40)


def retried(space: Space) -> None:
    space.retry()
    space.until("it begins again", lambda: space.status()["phase"] == "Paused" and not space.status().get("abort"))


def rolled_back(space: Space) -> None:
    space.set_image("example/app:1")
    space.until_phase("Healthy")
    assert space.status()["duration"]["completionStatus"] == "FastRolledBack"


def updated(space: Space) -> None:
    """To a version from before, whose ReplicaSet is used again."""
    space.set_image("example/app:1")
    space.until_paused(at=1)


def stepped(space: Space) -> None:
    space.promote()
    space.until_paused(at=3)


def scaled(space: Space) -> None:
    replicas = space.rollout()["spec"]["replicas"] + 1
    space.edit(replicas=replicas)
    space.until_status(availableReplicas=replicas)


MOMENTS: dict[str, Callable[[Space], None]] = {
    "canary-1-initial-healthy": scaled,
    "canary-2-paused-at-20": promoted,
    "canary-3-aborted": retried,
    "canary-8-spec-paused-with-new-image": scaled,
    "canary-11-restarted": updated,
    "analysis-2-failed-and-aborted": scaled,
    "bluegreen-2-paused-with-preview": promoted,
    "bluegreen-3-promoted-in-scale-down-delay": rolled_back,
    "bluegreen-4-aborted": retried,
    "istio-2-paused-at-25": stepped,
    "istio-4-aborted": retried,
    "workloadref-2-paused": promoted,
    "experiment-2-done-paused": promoted,
}


#: Each version hashes otherwise, keeps other things in the status, and writes Experiments and runs of its own.
OLDER: dict[str, Callable[[Space], None]] = {
    f"{version.name}/{name}": moments("")[name].go_on
    for version in sorted(RECORDINGS.glob("v*"))
    for name in ("canary-timed-pause", "canary-roles", "bluegreen-delayed", "analysis-running")
}


@pytest.mark.parametrize("name", [*MOMENTS, *OLDER])
def test_what_argo_rollouts_left_is_gone_on_with(space: Space, own_controller: Any, name: str) -> None:
    left = Moment(space, name)
    left.until_pods_are_there()
    controller: OwnController = own_controller(routers=ROUTER)
    queue = controller.app.loops[kinds.ROLLOUT].queue
    space.until("it has looked", lambda: queue.statistics().done and not queue.statistics().working)
    assert controller.counts() == {}
    (MOMENTS | OLDER)[name](space)
    assert set(left.there()) == left.names(), "no version was rolled anew"
