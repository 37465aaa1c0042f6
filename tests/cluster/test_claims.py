"""ReplicaSets whose labels people change: they are let go, taken back, and their hash is not lost."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.api import kinds
from tests.cluster.space import Space
from tests.cluster.test_rollout_canary import deployed, paused

HASH = "rollouts-pod-template-hash"
pytestmark = pytest.mark.usefixtures("controller")


def labelled(space: Space, revision: str, **labels: Any) -> str:
    """Change the labels of a ReplicaSet as `kubectl label` does; its name."""
    name = str(space.sets()[revision]["metadata"]["name"])
    space.patch(kinds.REPLICA_SET, name, {"metadata": {"labels": labels}})
    return name


def owners(space: Space, name: str) -> list[str]:
    return [ref["name"] for ref in space.get(kinds.REPLICA_SET, name)["metadata"].get("ownerReferences") or ()]


def test_one_whose_labels_were_changed_is_let_go_with_its_pods_and_the_others_do_its_work(space: Space) -> None:
    paused(space, replicas=2)
    pods = {pod["metadata"]["uid"] for pod in space.pods()}
    name = labelled(space, "2", app="debug")
    space.until("let go", lambda: not owners(space, name))
    space.until_status(collisionCount=1, updatedReplicas=1, message="CanaryPauseStep")
    replacement = space.sets()["2"]["metadata"]
    assert replacement["name"] != name
    assert space.status()["currentPodHash"] == replacement["labels"][HASH]
    space.promote()
    space.until_phase("Healthy")
    released = space.get(kinds.REPLICA_SET, name)
    assert (released["spec"]["replicas"], released["status"]["availableReplicas"]) == (1, 1)
    assert pods & {pod["metadata"]["uid"] for pod in space.pods()}


def test_one_that_gets_its_labels_back_is_its_own_again(space: Space) -> None:
    deployed(space, replicas=1)
    space.set_image("example/app:2")
    space.until_status(updatedReplicas=1, phase="Healthy")
    old = labelled(space, "1", app="debug")
    space.until("let go", lambda: not owners(space, old))
    space.patch(kinds.REPLICA_SET, old, {"metadata": {"labels": {"app": "app"}}})
    space.edit(replicas=2)
    space.until("taken back", lambda: owners(space, old) == ["app"])


@pytest.mark.parametrize("revision", ["1", "2"])
def test_a_hash_label_that_was_taken_away_is_put_back_and_no_pod_replaced(space: Space, revision: str) -> None:
    paused(space, replicas=2)
    before = {pod["metadata"]["uid"] for pod in space.pods()}
    digest = space.sets()[revision]["metadata"]["labels"][HASH]
    name = labelled(space, revision, **{HASH: None})
    space.until("put back", lambda: space.get(kinds.REPLICA_SET, name)["metadata"]["labels"].get(HASH) == digest)
    assert {pod["metadata"]["uid"] for pod in space.pods()} == before
    space.until_paused(at=1)
    space.abort()
    space.until_phase("Degraded")
    space.until("all pods stable", lambda: space.sizes() == {"1": 2, "2": 0})
