"""Things that go wrong around a canary: the API server away for a while (commands: test_commands_in_between.py)."""

from __future__ import annotations

from tests.cluster.controllers import OwnController
from tests.cluster.harness import Cluster
from tests.cluster.space import Space, rollout

STEPS = [{"setWeight": 50}, {"pause": {"duration": 2}}, {"setWeight": 100}]


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
