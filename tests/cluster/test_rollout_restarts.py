"""Dying after each single write, and being started again: a canary always ends in the same place.

One Rollout is created, healthy, given a new image, and goes by itself to the end. For n = 1, 2, 3, … its controller
dies right after its n-th write, with everything it had in memory; a fresh one goes on. All n run side by side, kept
apart by instance ids.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rollouts.api import kinds
from tests.cluster.controllers import OwnController
from tests.cluster.space import JSON, Space, rollout
from tests.cluster.test_rollout_story import told_status

LABEL = "argo-rollouts.argoproj.io/controller-instance-id"
STEPS = [{"setWeight": 50}, {"pause": {"duration": 1}}, {"setWeight": 100}]
IN_PARALLEL = 6
MOST_WRITES = 40


class Victim:
    """A Rollout whose controller dies after so many writes, events among them."""

    def __init__(self, space: Space, start: Callable[..., OwnController], *, die_after: int | None) -> None:
        self.space = space
        self.name = f"app-{die_after or 'lives'}"
        self._start = start
        self.first = start(instance_id=self.name, die_after=die_after)
        self.died = False

    def released(self) -> JSON:
        """Create, update, wait for the end; the world it leaves."""
        body = rollout(self.name, steps=STEPS, replicas=2, labels={LABEL: self.name})
        self.space.create(body)
        self._until(lambda: self._at_rest("Initial"))
        self.space.set_image("example/app:2", self.name)
        self._until(lambda: self._at_rest("Updated"))
        return self._world()

    def _until(self, there: Callable[[], bool]) -> None:
        def look() -> bool:
            if self.first.dead.is_set() and not self.died:
                self.died = True
                self.first.kill()
                self._start(instance_id=self.name)
            return there()

        self.space.until(f"{self.name} is released", look, seconds=50)

    def _at_rest(self, moment: str) -> bool:
        status = self.space.status(self.name)
        assert status.get("phase") == "Healthy", status
        generation = self.space.rollout(self.name)["metadata"]["generation"]
        assert status["observedGeneration"] == str(generation)
        return moment == "Initial" or self.space.sizes(self.name) == {"1": 0, "2": 2}

    def _world(self) -> JSON:
        """All that should be the same whoever died, without names and times."""
        status = told_status(self.space.status(self.name))
        sets = self.space.sets(self.name)
        assert len(self.space.list(kinds.REPLICA_SET, f"app={self.name}")) == len(sets)
        annotations = {revision: rs["metadata"]["annotations"] for revision, rs in sets.items()}
        revision = self.space.rollout(self.name)["metadata"]["annotations"]
        return {
            "status": {key: _without(value, self.name) for key, value in status.items() if key not in HASHES},
            "promoted": status["stableRS"] == status["currentPodHash"] == _hash(sets["2"]),
            "annotations": annotations,
            "revision": revision,
        }


HASHES = {"stableRS", "currentPodHash", "selector"}


def _hash(rs: JSON) -> str:
    return str(rs["metadata"]["labels"]["rollouts-pod-template-hash"])


def _without(value: Any, name: str) -> Any:
    """Messages without the hash: it depends on the name."""
    if isinstance(value, dict):
        return {key: _without(inner, name) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_without(inner, name) for inner in value]
    return "…" if isinstance(value, str) and name in value else value


def test_it_ends_in_the_same_place_whenever_the_controller_dies(
    space: Space, own_controller: Callable[..., OwnController]
) -> None:
    wanted = Victim(space, own_controller, die_after=None).released()
    assert wanted["promoted"]
    survived = False
    with ThreadPoolExecutor(IN_PARALLEL) as pool:
        for batch in range(1, MOST_WRITES, IN_PARALLEL):
            victims = [Victim(space, own_controller, die_after=n) for n in range(batch, batch + IN_PARALLEL)]
            for victim, world in zip(victims, pool.map(Victim.released, victims), strict=True):
                assert world == wanted, victim.name
                survived = survived or not victim.died
            if survived:
                return
    raise AssertionError(f"a canary takes more than {MOST_WRITES} writes")
