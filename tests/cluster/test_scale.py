"""Scaling through the scale subresource, as kubectl and autoscalers do, at any moment of a release."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from rollouts.api import kinds
from tests.cluster.controllers import OwnController
from tests.cluster.harness import Kubectl
from tests.cluster.space import JSON, Space, rollout

WAIT: JSON = {"pause": {}}
HALF = [{"setWeight": 50}, WAIT]
DESIRED = "rollout.argoproj.io/desired-replicas"


@pytest.fixture(autouse=True)
def running(controller: OwnController) -> OwnController:
    return controller


def paused(space: Space, *, replicas: int = 4, **options: Any) -> None:
    """A second revision, waiting with half of the pods."""
    space.create(rollout(**{"steps": HALF, "replicas": replicas, **options}))
    space.until_phase("Healthy")
    space.set_image("example/app:2")
    space.until_paused(at=1)


def scale(kubectl: Kubectl, replicas: int, name: str = "app") -> None:
    kubectl("scale", "ro", name, f"--replicas={replicas}")


def seen(kubectl: Kubectl, name: str = "app") -> tuple[int, int, str]:
    """What an autoscaler reads: pods wanted, pods there, and the selector it finds them by."""
    read = kubectl.json("get", "rollout", name, "--subresource=scale")
    return read["spec"].get("replicas", 0), read["status"].get("replicas", 0), read["status"].get("selector", "")


def sizes(space: Space, wanted: Mapping[str, int]) -> None:
    space.until(f"pods are {wanted}", lambda: space.sizes() == wanted)


# --- at rest


def test_up_down_to_nothing_and_back(space: Space, kubectl: Kubectl) -> None:
    space.create(rollout(replicas=2))
    space.until_phase("Healthy")
    for replicas in (5, 1, 0, 3):
        scale(kubectl, replicas)
        space.until_status(phase="Healthy", availableReplicas=replicas or None, replicas=replicas or None)
        sizes(space, {"1": replicas})
        assert seen(kubectl) == (replicas, replicas, "app=app")
    assert space.sets()["1"]["metadata"]["annotations"][DESIRED] == "3"
    assert list(space.sets()) == ["1"]


def test_missing_replicas_are_one_and_can_be_scaled(space: Space, kubectl: Kubectl) -> None:
    space.create(rollout(replicas=None))
    space.until_phase("Healthy")
    assert seen(kubectl) == (1, 1, "app=app")
    scale(kubectl, 2)
    space.until_status(phase="Healthy", availableReplicas=2)
    space.edit(replicas=None)  # as an apply does that leaves the field out
    space.until("one is written again", lambda: space.rollout()["spec"].get("replicas") == 1)
    space.until_status(phase="Healthy", availableReplicas=1)


def test_a_change_while_at_nothing_is_released_at_once(space: Space, kubectl: Kubectl) -> None:
    space.create(rollout(replicas=0, steps=[{"setWeight": 50}]))
    space.until_phase("Healthy")
    space.set_image("example/app:2")
    status = space.until_phase("Healthy")
    assert (status["stableRS"], len(space.sets())) == (status["currentPodHash"], 2)
    scale(kubectl, 2)
    space.until_status(phase="Healthy", availableReplicas=2)
    assert space.sizes() == {"1": 0, "2": 2}


# --- in the middle of a release


def test_both_revisions_follow_and_no_step_is_taken(space: Space, kubectl: Kubectl) -> None:
    paused(space)
    for replicas, wanted in (
        (8, {"1": 4, "2": 4}),
        (2, {"1": 1, "2": 1}),
        (0, {"1": 0, "2": 0}),
        (4, {"1": 2, "2": 2}),
    ):
        scale(kubectl, replicas)
        sizes(space, wanted)
        space.until_status(phase="Paused", currentStepIndex=1, availableReplicas=replicas or None)
        assert seen(kubectl)[:2] == (replicas, replicas)
    space.promote()
    space.until_phase("Healthy")
    assert space.sizes() == {"1": 0, "2": 4}


def test_surge_pods_count_for_the_autoscaler(space: Space, kubectl: Kubectl) -> None:
    """As with the peer: what there is, not what is wanted."""
    paused(space, replicas=1)
    assert space.sizes() == {"1": 1, "2": 1}
    space.until("both count", lambda: seen(kubectl) == (1, 2, "app=app"))


def test_while_somebody_paused_it(space: Space, kubectl: Kubectl) -> None:
    paused(space)
    space.edit(paused=True)
    space.until_phase("Paused", message="manually paused")
    many = ((6, {"1": 3, "2": 3}), (2, {"1": 1, "2": 1}), (0, {"1": 0, "2": 0}), (7, {"1": 4, "2": 4}))
    for replicas, wanted in many:
        scale(kubectl, replicas)
        sizes(space, wanted)
        space.until_phase("Paused", message="manually paused")
    space.promote()
    space.until_paused(at=1)
    scale(kubectl, 4)
    sizes(space, {"1": 2, "2": 2})


def test_while_it_is_aborted(space: Space, kubectl: Kubectl) -> None:
    paused(space)
    space.abort()
    space.until_phase("Degraded")
    sizes(space, {"1": 4, "2": 0})
    for replicas in (6, 1, 0, 2):
        scale(kubectl, replicas)
        sizes(space, {"1": replicas, "2": 0})
        space.until_phase("Degraded", message="RolloutAborted: Rollout aborted update to revision 2")
    space.retry()
    space.until_paused(at=1)
    assert space.sizes() == {"1": 1, "2": 1}


def test_while_the_canary_does_not_start(space: Space, kubectl: Kubectl) -> None:
    space.create(rollout(steps=HALF, replicas=2))
    space.until_phase("Healthy")
    space.set_image("example/app:does-not-exist")
    sizes(space, {"1": 2, "2": 1})
    scale(kubectl, 6)
    space.until("stable serves all it may", lambda: space.status().get("availableReplicas", 0) >= 3)
    scale(kubectl, 2)
    space.until("the surge is kept", lambda: sum(space.sizes().values()) <= 3)
    assert space.sizes()["1"] == 2
    space.set_image("example/app:1")
    space.until_status(phase="Healthy", availableReplicas=2)


# --- a real autoscaler


def autoscaler(minimum: int, maximum: int) -> JSON:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "app"},
        "spec": {
            "minReplicas": minimum,
            "maxReplicas": maximum,
            "scaleTargetRef": {"apiVersion": kinds.ROLLOUT.api_version, "kind": "Rollout", "name": "app"},
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
                }
            ],
        },
    }


def conditions(kubectl: Kubectl) -> dict[str, tuple[str, str]]:
    found = kubectl.json("get", "hpa", "app")["status"].get("conditions") or ()
    return {c["type"]: (c["status"], c["reason"]) for c in found}


@pytest.mark.timeout(200)
def test_a_horizontal_pod_autoscaler_reads_and_scales(
    space: Space, kubectl: Kubectl, eventually: Callable[..., Any]
) -> None:
    """Without metrics it still keeps replicas within its bounds, through the scale subresource."""
    paused(space, replicas=2)
    kubectl.apply(autoscaler(4, 6))
    eventually("it scaled", lambda: space.rollout()["spec"]["replicas"] == 4, seconds=90)
    sizes(space, {"1": 2, "2": 2})
    space.until_status(phase="Paused", currentStepIndex=1, availableReplicas=4)
    eventually("it can", lambda: conditions(kubectl).get("AbleToScale", ("",))[0] == "True", seconds=90)
    kubectl.apply(autoscaler(1, 2))
    eventually("it scaled back", lambda: space.rollout()["spec"]["replicas"] == 2, seconds=90)
    space.until_status(phase="Paused", currentStepIndex=1, availableReplicas=2)
    eventually(
        "it counts pods", lambda: kubectl.json("get", "hpa", "app")["status"]["currentReplicas"] == 2, seconds=90
    )
