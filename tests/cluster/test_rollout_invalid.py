"""Rollouts that can't be carried out: every error with its path, phase Degraded, nothing moved; healed when mended."""

from __future__ import annotations

import pytest

from rollouts.api import kinds
from tests.cluster.space import JSON, Space, rollout

pytestmark = pytest.mark.usefixtures("controller")


def errors(space: Space, *fragments: str) -> str:
    """Wait until InvalidSpec tells all of these; the whole message."""

    def told() -> str:
        message = space.condition("InvalidSpec").get("message", "")
        assert all(fragment in message for fragment in fragments), message
        status = space.status()
        assert (status["phase"], status["message"]) == ("Degraded", f"InvalidSpec: {message}")
        return str(message)

    return str(space.until("InvalidSpec", told))


def test_every_error_is_told_with_its_path(space: Space) -> None:
    body = rollout(
        canary={"maxSurge": 0, "maxUnavailable": 0}, steps=[{"setWeight": 10}, {"pause": {"duration": "soon"}}]
    )
    space.create(body)
    message = errors(space, "spec.strategy.canary.steps[1].pause.duration", "spec.strategy.canary.max")
    assert message.startswith('The Rollout "app" is invalid: ')
    assert not space.list(kinds.REPLICA_SET)
    assert ("InvalidSpec", message) in space.until("an event", lambda: space.events.of())
    space.patch(kinds.ROLLOUT, "app", {"spec": rollout(steps=[{"setWeight": 10}, {"pause": {}}])["spec"]})
    status = space.until_phase("Healthy")
    assert [c["type"] for c in status["conditions"] if c["type"] == "InvalidSpec"] == []


def test_an_update_that_is_invalid_leaves_pods_alone(space: Space) -> None:
    space.create(rollout(replicas=2, steps=[{"setWeight": 50}, {"pause": {}}]))
    space.until_phase("Healthy")
    space.set_image("example/app:2")
    space.until_paused(at=1)
    space.set_steps([{"setWeight": 50}, {"pause": {"duration": "soon"}}])
    errors(space, "spec.strategy.canary.steps[1].pause.duration")
    assert space.sizes() == {"1": 1, "2": 1}
    space.set_steps([{"setWeight": 50}, {"pause": {}}])
    space.until_paused(at=1)
    assert space.sizes() == {"1": 1, "2": 1}


@pytest.mark.parametrize(
    ("more", "path"),
    [
        ({"canary": {"trafficRouting": {"nginx": {"stableIngress": "web"}}}}, "spec.strategy.canary"),
        ({"steps": [{"setCanaryScale": {"weight": 10}}]}, "spec.strategy.canary"),
    ],
)
def test_what_is_not_supported_yet_is_said_so(space: Space, more: JSON, path: str) -> None:
    space.create(rollout(**more))
    errors(space, path)
    assert not space.list(kinds.REPLICA_SET)


def test_one_bad_rollout_does_not_hold_up_another(space: Space) -> None:
    """Nor one whose pods nobody can read."""
    space.create(rollout("app", steps=[{"pause": {"duration": "soon"}}]))
    unreadable = rollout("unreadable")
    unreadable["spec"]["template"]["spec"]["containers"][0]["resources"] = {"limits": {"cpu": "2 cores"}}
    space.create(unreadable, rollout("fine"))
    space.until_phase("Healthy", "fine")
    errors(space, "duration")
    path = "spec.template.spec.containers[0].resources.limits.cpu"
    space.until("it says where", lambda: path in space.status("unreadable").get("message", ""))
