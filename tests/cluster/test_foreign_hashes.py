"""Hashes that another controller computed: of pods by an older library, of steps by whoever. Nothing is rolled, and no
step is taken twice."""

from __future__ import annotations

from collections.abc import Callable

from rollouts.strategy import podhash
from rollouts.strategy.keys import POD_HASH
from tests.cluster.controllers import OwnController
from tests.cluster.space import JSON, Space, rollout

STEPS: list[JSON] = [{"setWeight": 50}, {"pause": {}}, {"setWeight": 75}, {"pause": {}}]
Start = Callable[..., OwnController]


def test_a_replica_set_with_an_older_hash_is_taken_over(space: Space, own_controller: Start) -> None:
    """A webhook wrote into it, so what it means is another thing: only the old hash tells that it is the one."""
    made = rollout(replicas=2)
    (legacy,) = podhash.legacy_hashes(made["spec"]["template"])
    space.create(by_hand(made, legacy))
    pods = space.until("its pods", lambda: len(space.pods()) == 2 and {pod["metadata"]["uid"] for pod in space.pods()})
    own_controller()
    space.create(made)
    status = space.until_phase("Healthy")
    assert (status["currentPodHash"], status["stableRS"]) == (legacy, legacy)
    assert podhash.pod_template_hash(made["spec"]["template"]) != legacy
    assert {name: rs["metadata"]["name"] for name, rs in space.sets().items()} == {"1": f"app-{legacy}"}
    assert {pod["metadata"]["uid"] for pod in space.pods()} == pods


def by_hand(made: JSON, digest: str) -> JSON:
    """The ReplicaSet of a Rollout, as an older controller and a webhook left it."""
    template = made["spec"]["template"]
    labels = {**template["metadata"]["labels"], POD_HASH: digest}
    mutated = {**template, "metadata": {"labels": labels, "annotations": {"webhook": "was here"}}}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": f"app-{digest}", "labels": labels},
        "spec": {"replicas": made["spec"]["replicas"], "selector": {"matchLabels": labels}, "template": mutated},
    }


def left_at_the_second_pause(space: Space, own_controller: Start) -> JSON:
    """The status that a controller left when it stopped there."""
    first = own_controller()
    space.create(rollout(replicas=2, steps=STEPS))
    space.until_phase("Healthy")
    space.set_image("example/app:2")
    space.until_paused(at=1)
    space.promote()
    status = space.until_paused(at=3)
    first.stop()
    return status


def test_a_foreign_hash_of_the_steps_goes_on_where_it_was(space: Space, own_controller: Start) -> None:
    own_hash = left_at_the_second_pause(space, own_controller)["currentStepHash"]
    sizes = space.sizes()
    space.command(currentStepHash="foreign")
    second = own_controller()
    space.until("it is ours again", lambda: space.status()["currentStepHash"] == own_hash)
    assert second.counts() == {"PATCH rollouts/status": 1}
    space.until_paused(at=3)
    assert (space.sizes(), space.events.reasons().count("RolloutPaused")) == (sizes, 2)
    space.promote()
    space.until_phase("Healthy")


def test_a_foreign_hash_with_other_steps_begins_again(space: Space, own_controller: Start) -> None:
    """The steps were changed while nobody looked: then the hash is not foreign, but old."""
    left_at_the_second_pause(space, own_controller)
    space.set_steps([{"setWeight": 50}, {"pause": {}}])
    own_controller()
    space.until_paused(at=1)
