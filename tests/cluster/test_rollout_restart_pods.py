"""restartAt: pods older than it are evicted, a few at a time, and replaced; a PodDisruptionBudget is respected."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.cluster.controllers import OwnController
from tests.cluster.harness import Kubectl
from tests.cluster.space import Space, blue_green, rollout, service, younger_than_pods


def uids(space: Space) -> set[str]:
    """Pods there are."""
    return {pod["metadata"]["uid"] for pod in space.pods()}


def test_every_pod_is_replaced_and_no_revision_made(space: Space, controller: OwnController) -> None:
    space.create(rollout(replicas=3))
    space.until_phase("Healthy")
    before, moment = uids(space), younger_than_pods(space)
    space.edit(restartAt=moment)
    space.until_status(restartedAt=moment, phase="Healthy", availableReplicas=3)
    assert not uids(space) & before
    assert space.sizes() == {"1": 3}
    evictions = controller.counts()["POST pods/eviction"]
    assert evictions == 3


def test_a_restart_asks_the_disruption_budget(space: Space, kubectl: Kubectl, controller: OwnController) -> None:
    kubectl.apply(
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "app"},
            "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "app"}}},
        }
    )
    space.create(rollout(replicas=2))
    space.until_phase("Healthy")
    allowed = "{.status.disruptionsAllowed}={.status.currentHealthy}"
    space.until("the budget is counted", lambda: kubectl("get", "pdb", "app", f"-o=jsonpath={allowed}") == "0=2")
    before, moment = uids(space), younger_than_pods(space)
    space.edit(restartAt=moment)
    space.until("an eviction was refused", lambda: controller.counts()["POST pods/eviction"])
    space.until_status(phase="Progressing", message="rollout is restarting")
    assert uids(space) == before
    space.set_image("example/app:2")
    status = space.until_status(phase="Healthy", updatedReplicas=2, availableReplicas=2)
    assert status["restartedAt"] == moment


@pytest.mark.usefixtures("controller")
def test_a_restart_in_the_future_waits(space: Space) -> None:
    space.create(rollout())
    space.until_phase("Healthy")
    before = uids(space)
    moment = (datetime.now(UTC) + timedelta(seconds=3)).strftime("%Y-%m-%dT%H:%M:%SZ")
    space.edit(restartAt=moment)
    space.until_status(phase="Progressing", message="rollout is restarting")
    assert uids(space) == before
    space.until_status(phase="Healthy", restartedAt=moment)
    assert not uids(space) & before


def test_blue_green_restarts_as_many_at_once_as_may_be_missing(
    space: Space, kubectl: Kubectl, controller: OwnController
) -> None:
    """A quota keeps evicted pods from coming back, so what is missing stays missing until it is lifted."""
    strategy = {"activeService": "active", "maxUnavailable": "50%"}
    space.create(service("active"), blue_green(replicas=4, strategy={**strategy, "previewService": None}))
    space.until_phase("Healthy")
    before, moment = uids(space), younger_than_pods(space)
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}}
    kubectl.apply({**quota, "spec": {"hard": {"pods": "0"}}})
    space.until("the quota counts", lambda: kubectl("get", "quota", "none", "-o=jsonpath={.status.used.pods}") == "4")
    space.edit(restartAt=moment)
    status = space.until_status(phase="Progressing", availableReplicas=2)
    assert status["message"].startswith("rollout is restarting")
    assert len(uids(space) & before) == 2
    assert controller.counts()["POST pods/eviction"] == 2
    kubectl("delete", "quota", "none")
    space.until_status(phase="Healthy", restartedAt=moment, availableReplicas=4, seconds=60)
    assert not uids(space) & before
    assert controller.counts()["POST pods/eviction"] == 4
