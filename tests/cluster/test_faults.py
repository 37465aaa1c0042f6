"""Things that go wrong around a canary: the API server away for a while, commands at the worst moment."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rollouts.api import kinds
from rollouts.engine.client import Request
from tests.cluster.controllers import OwnController
from tests.cluster.harness import Cluster
from tests.cluster.space import Space, rollout

STEPS = [{"setWeight": 50}, {"pause": {"duration": 2}}, {"setWeight": 100}]
WAITS = [{"setWeight": 50}, {"pause": {}}, {"setWeight": 100}]


def test_a_canary_outlives_an_absent_api_server(space: Space, plane: Cluster, controller: OwnController) -> None:
    """It goes away while a timed pause is under way, and stays away until long after its end."""
    space.create(rollout(steps=STEPS, replicas=2))
    space.until_phase("Healthy")
    space.set_image("example/app:2")
    space.until_paused(at=1)
    plane.stop_apiserver()
    plane.start_apiserver()
    space.until_status(phase="Healthy", availableReplicas=2, updatedReplicas=2, seconds=50)
    assert space.sizes() == {"1": 0, "2": 2}
    space.set_image("example/app:3")
    space.until_paused(at=1, seconds=50)
    assert controller.app.not_ready() == ""


class Interrupter:
    """Sends a command just before the n-th write of a controller, once."""

    def __init__(self, space: Space, name: str, at: int, command: Callable[[Space, str], object]) -> None:
        self._space, self._name, self._at, self._command = space, name, at, command
        self.armed = False
        self.sent = False
        self._count = 0

    def __call__(self, number: int, request: Request) -> None:
        if not self.armed or self.sent or request.path.endswith("/events") or "/events/" in request.path:
            return
        self._count += 1
        if self._count == self._at:
            self.sent = True
            self._command(self._space, self._name)


def aborted(space: Space, name: str) -> None:
    """All is back at stable."""
    space.until_status(name, phase="Degraded", message="RolloutAborted: Rollout aborted update to revision 2")
    space.until("stable serves alone", lambda: space.sizes(name) == {"1": 2, "2": 0})


def promoted(space: Space, name: str) -> None:
    """All is at the new revision."""
    space.until_status(name, phase="Healthy", updatedReplicas=2)
    assert space.sizes(name) == {"1": 0, "2": 2}


COMMANDS: dict[str, tuple[Callable[[Space, str], object], Callable[[Space, str], None]]] = {
    "abort": (Space.abort, aborted),
    "promote --full": (lambda space, name: space.command(name, promoteFull=True), promoted),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_between_any_two_requests_takes_effect(
    space: Space, own_controller: Callable[..., OwnController], command: str
) -> None:
    """Sent before the 1st, 2nd, 3rd, … write of an update; once it comes after the last, it was not sent at all."""
    act, end = COMMANDS[command]
    moments = range(1, 9)
    for at in moments:
        name = f"app-{at}"
        interrupter = Interrupter(space, name, at, act)
        own_controller(instance_id=name, before=interrupter)
        labels = {"argo-rollouts.argoproj.io/controller-instance-id": name}
        space.create(rollout(name, steps=WAITS, replicas=2, labels=labels))
        space.until_phase("Healthy", name)
        interrupter.armed = True
        space.set_image("example/app:2", name)
        space.until("sent, or nothing more to do", lambda i=interrupter, n=name: i.sent or _waits(space, n))
        if not interrupter.sent:
            assert at > 3, "the command was never sent"
            return
        end(space, name)
        assert len(space.list(kinds.REPLICA_SET, f"app={name}")) == 2
    raise AssertionError("an update to its first pause takes more writes than thought")


def _waits(space: Space, name: str) -> bool:
    return space.status(name).get("phase") == "Paused"
