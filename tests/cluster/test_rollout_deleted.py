"""A deleted Rollout lets go of its Services, also when nobody looked while it was deleted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rollouts.api import kinds
from tests.cluster.controllers import OwnController
from tests.cluster.space import JSON, Space, rollout, service

HASH = "rollouts-pod-template-hash"
MANAGED = "argo-rollouts.argoproj.io/managed-by-rollouts"
CANARY: JSON = {"canaryService": "canary", "stableService": "stable"}
NAMES = ("canary", "stable")


def bound(space: Space) -> bool:
    """Both Services select the Rollout's pods."""
    found = [space.get(kinds.SERVICE, name) for name in NAMES]
    return all(HASH in obj["spec"]["selector"] and MANAGED in obj["metadata"]["annotations"] for obj in found)


def free(space: Space) -> bool:
    """Both select what their user wrote."""
    found = [space.get(kinds.SERVICE, name) for name in NAMES]
    assert all(obj["spec"]["selector"] == {"app": "app"} for obj in found), found
    return not any(MANAGED in (obj["metadata"].get("annotations") or {}) for obj in found)


@pytest.fixture
def released(space: Space) -> None:
    """A healthy Rollout with two Services; the test starts the controller."""
    space.create(*map(service, NAMES), rollout(canary=CANARY))


@pytest.mark.usefixtures("released", "controller")
def test_deleting_it_frees_its_services(space: Space) -> None:
    space.until("bound", lambda: bound(space))
    space.delete(kinds.ROLLOUT, "app")
    space.until("free", lambda: free(space))


@pytest.mark.usefixtures("released", "controller")
def test_a_service_that_lost_its_annotation_gets_it_back_and_is_freed(space: Space) -> None:
    space.until("bound", lambda: bound(space))
    space.until_phase("Healthy")
    for name in NAMES:
        space.patch(kinds.SERVICE, name, {"metadata": {"annotations": {MANAGED: None}}})
    space.until("bound again", lambda: bound(space))
    space.delete(kinds.ROLLOUT, "app")
    space.until("free", lambda: free(space))


@pytest.mark.usefixtures("released")
def test_a_deletion_nobody_saw_is_noticed_at_the_start(space: Space, own_controller: Callable[..., Any]) -> None:
    first: OwnController = own_controller()
    space.until("bound", lambda: bound(space))
    first.stop()
    space.delete(kinds.ROLLOUT, "app")
    space.until_gone(kinds.ROLLOUT, "app")
    assert bound(space)
    own_controller()
    space.until("free", lambda: free(space))


@pytest.mark.usefixtures("released")
def test_another_controllers_rollout_keeps_its_services(space: Space, own_controller: Callable[..., Any]) -> None:
    own_controller()
    space.until("bound", lambda: bound(space))
    other: OwnController = own_controller(instance_id="other")
    space.patch(kinds.SERVICE, "canary", {"metadata": {"labels": {"touched": "yes"}}})
    queue = other.app.loops[kinds.ROLLOUT].queue
    space.until("it has looked", lambda: queue.statistics().done >= 2 and not queue.statistics().working)
    assert other.counts() == {}
    assert bound(space)
