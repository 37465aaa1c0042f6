"""Commands between any two requests of a blue/green update (how it works: test_commands_in_between.py)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rollouts.api import kinds
from tests.cluster.controllers import OwnController
from tests.cluster.space import JSON, Space, blue_green, service
from tests.cluster.test_commands_in_between import HEALTHY, Case, Story, resume, told, update

PAUSED = {"phase": "Paused", "message": "BlueGreenPause"}


def objects(_: Story, name: str) -> list[JSON]:
    """Two Services of its own, and a Rollout that waits for a person."""
    services = {"activeService": f"{name}-active", "previewService": f"{name}-preview"}
    body = blue_green(name, replicas=2, strategy={**services, "autoPromotionEnabled": False})
    return [*(service(found, name) for found in services.values()), body]


def paused(space: Space, name: str) -> None:
    """The preview is there and waits."""
    update(space, name)
    space.until_phase("Paused", name, message="BlueGreenPause")


def active(space: Space, case: Case) -> str:
    """The pods users reach."""
    selector = space.get(kinds.SERVICE, f"{case.name}-active")["spec"]["selector"]
    return str(selector["rollouts-pod-template-hash"])


def promoted(space: Space, case: Case) -> None:
    """Users reach the new pods."""
    status = space.until_status(case.name, phase="Healthy", availableReplicas=2)
    assert active(space, case) == status["currentPodHash"] == status["stableRS"] != case.stable


def aborted(space: Space, case: Case) -> None:
    """Users reach the old pods, unless it came after the promotion."""
    if case.seen["stableRS"] == case.seen["currentPodHash"] != case.stable:
        promoted(space, case)
        return
    space.until_phase("Degraded", case.name, message="RolloutAborted: Rollout aborted update to revision 2")
    space.until("stable serves", lambda: active(space, case) == case.stable)


def replaced(space: Space, case: Case) -> None:
    """The third revision waits where the second was to wait; users still reach the first."""
    status = space.until_phase("Paused", case.name, message="BlueGreenPause")
    newest = max(space.sets(case.name).items())[1]
    assert newest["spec"]["template"]["spec"]["containers"][0]["image"] == "example/app:3"
    assert newest["metadata"]["labels"]["rollouts-pod-template-hash"] == status["currentPodHash"]
    assert active(space, case) == case.stable


STORIES: dict[str, Story] = {
    "abort": Story(command=Space.abort, end=aborted, set_off=update, rest=PAUSED, objects=objects),
    "abort-late": Story(command=Space.abort, end=aborted, ready=paused, set_off=resume, rest=HEALTHY, objects=objects),
    "promote-full": Story(command=Space.promote_full, end=promoted, set_off=update, rest=PAUSED, objects=objects),
    "image": Story(
        command=lambda space, name: space.set_image("example/app:3", name),
        end=replaced,
        set_off=update,
        rest=PAUSED,
        objects=objects,
    ),
}


@pytest.mark.parametrize("command", STORIES)
def test_a_command_between_any_two_requests_takes_effect(
    space: Space, own_controller: Callable[..., OwnController], command: str
) -> None:
    told(space, own_controller, STORIES[command])
