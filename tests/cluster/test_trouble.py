"""Pods that don't come up, on the real API server: said after seconds, with few requests; aborted at once if asked."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rollouts.api import kinds
from rollouts.engine.client import Request
from tests.cluster.controllers import OwnController
from tests.cluster.harness import Kubectl
from tests.cluster.space import JSON, Space, container, rollout

STEPS: list[JSON] = [{"setWeight": 50}, {"pause": {}}]
MISSING = "example/app:does-not-exist"
PULL = f'container app: ImagePullBackOff: Back-off pulling image "{MISSING}"'
CRASH = "container app: CrashLoopBackOff: exit code 1 (Error)"


def crashing(space: Space) -> None:
    """A new revision whose containers end by themselves."""
    metadata = {"labels": {"app": "app"}, "annotations": {"local.rollouts/fault": "crash"}}
    space.edit(template={"metadata": metadata, "spec": {"containers": [container("example/app:2")]}})


def mended(space: Space) -> None:
    """A new revision without fault."""
    metadata = {"annotations": {"local.rollouts/fault": None}}
    space.edit(template={"metadata": metadata, "spec": {"containers": [container("example/app:3")]}})


def missing(space: Space) -> None:
    """A new revision whose image there is none of."""
    space.set_image(MISSING)


@pytest.mark.parametrize(("fault", "words"), [(missing, PULL), (crashing, CRASH)], ids=["missing", "crashing"])
def test_it_is_said_what_keeps_pods_from_coming_up(
    space: Space, controller: OwnController, fault: Callable[[Space], None], words: str
) -> None:
    space.create(rollout(steps=STEPS, replicas=2))
    space.until_phase("Healthy")
    lists = listed(controller)
    assert lists() == 0
    fault(space)
    space.until_phase("Progressing", message=f"more replicas need to be updated: {words}")
    assert lists() <= 2, "one look when it is due, one more while this test waits"
    assert words in space.condition("Progressing")["message"]
    assert space.condition("Reconciling")["message"] == space.status()["message"]
    (message,) = [message for reason, message in space.events.of() if reason == "PodsNotComingUp"]
    assert message.endswith(words)
    mended(space)
    space.until_paused(at=1)
    assert words not in space.condition("Progressing")["message"]


@pytest.mark.usefixtures("controller")
@pytest.mark.parametrize(("fault", "words"), [(missing, PULL), (crashing, CRASH)], ids=["missing", "crashing"])
def test_it_aborts_at_once_if_the_deadline_would(space: Space, fault: Callable[[Space], None], words: str) -> None:
    space.create(rollout(steps=STEPS, replicas=2, progressDeadlineAbort=True, progressDeadlineSeconds=600))
    space.until_phase("Healthy")
    fault(space)
    space.until_phase("Degraded", message=f"RolloutAborted: Rollout aborted update to revision 2: {words}")
    space.until("stable serves alone", lambda: space.sizes() == {"1": 2, "2": 0})
    assert space.condition("Stalled")["reason"] == "Degraded"


@pytest.mark.usefixtures("controller")
def test_a_quota_that_is_used_up_is_a_condition_and_heals(space: Space, kubectl: Kubectl) -> None:
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, "spec": {"hard": {"pods": "2"}}}
    space.create(rollout(steps=STEPS, replicas=2))
    space.until_phase("Healthy")
    kubectl.apply(quota)
    space.until(
        "the quota is counted", lambda: kubectl("get", "quota", "few", "-o=jsonpath={.status.used.pods}") == "2"
    )
    space.set_image("example/app:2")

    def said() -> bool:
        failure = space.condition("ReplicaFailure")
        assert failure["reason"] == "FailedCreate"
        assert "exceeded quota: few" in failure["message"]
        message = space.status()["message"]
        assert message.startswith("more replicas need to be updated: FailedCreate: a pod is forbidden: exceeded quota")
        return True

    space.until("the quota is named", said)
    kubectl("delete", "quota", "few")
    space.until_paused(at=1, seconds=60)
    assert space.condition("ReplicaFailure") == {}


def listed(controller: OwnController) -> Callable[[], int]:
    """Counts lists of pods from here on."""
    send, seen = controller.api.send, []

    async def counted(request: Request) -> JSON:
        if request.method == "GET" and request.path.endswith("/" + kinds.POD.plural):
            seen.append(request)
        return await send(request)

    controller.api.send = counted  # type: ignore[method-assign]
    return lambda: len(seen)
