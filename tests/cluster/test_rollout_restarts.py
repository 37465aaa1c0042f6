"""Dying after each single write, and being started again: a Rollout of any sort always ends in the same place.

One Rollout is created, healthy, given a new image, and goes by itself to the end. For n = 1, 2, 3, … its controller
dies right after its n-th write, with everything it had in memory; a fresh one goes on. All n run side by side, kept
apart by instance ids.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from rollouts.api import kinds
from tests.cluster.controllers import OwnController
from tests.cluster.sorts import LABEL, SORTS, Sort
from tests.cluster.space import JSON, Space
from tests.cluster.test_rollout_story import timeless, told_status
from tests.strategy.router import ROUTER

STALE = "rollouts.dev/stale-pod-metadata"
IN_PARALLEL = 6
MOST_WRITES = 60


class Victim:
    """A Rollout whose controller dies after so many writes, events among them."""

    def __init__(self, space: Space, start: Callable[..., OwnController], sort: Sort, *, die_after: int | None) -> None:
        self.space = space
        self.name = f"app-{die_after or 'lives'}"
        self._sort = sort
        self._start = start
        self.first = self._last = start(instance_id=self.name, die_after=die_after, routers=ROUTER)
        self.died = False

    def released(self) -> JSON:
        """Create, update, wait for the end; the world it leaves. Nobody looks after it any more then."""
        self.space.create(*self._sort(self.name))
        self._until(lambda: self._at_rest("Initial"))
        self.space.set_image("example/app:2", self.name)
        self._until(lambda: self._at_rest("Updated"))
        self._last.stop()
        return self._world()

    def _until(self, there: Callable[[], bool]) -> None:
        def look() -> bool:
            if self.first.dead.is_set() and not self.died:
                self.died = True
                self.first.kill()
                self._last = self._start(instance_id=self.name, routers=ROUTER)
            return there()

        self.space.until(f"{self.name} is released", look, seconds=50)

    def _at_rest(self, moment: str) -> bool:
        status = self.space.status(self.name)
        assert status.get("phase") == "Healthy", status
        generation = self.space.rollout(self.name)["metadata"]["generation"]
        assert status["observedGeneration"] == str(generation)
        if moment == "Initial":
            return True
        sets = self.space.sets(self.name)
        seen = {revision: (rs["spec"]["replicas"], rs["metadata"]["annotations"]) for revision, rs in sets.items()}
        healthy = self.space.condition("Healthy", self.name).get("status")
        assert [seen[revision][0] for revision in ("1", "2")] == [0, 2], seen
        assert not any(STALE in annotations for _, annotations in seen.values()), seen
        assert (status["replicas"], healthy) == (2, "True"), status
        return True

    def _world(self) -> JSON:
        """All that should be the same whoever died, without names and times."""
        status = told_status(self.space.status(self.name))
        sets = self.space.sets(self.name)
        assert len(self.space.list(kinds.REPLICA_SET, f"app={self.name}")) == len(sets)
        annotations = {revision: timeless(rs["metadata"]["annotations"]) for revision, rs in sets.items()}
        hashes = [_hash(rs) for rs in sets.values()]
        revision = self.space.rollout(self.name)["metadata"]["annotations"]
        return {
            "status": {key: _without(value, (self.name, *hashes)) for key, value in status.items()},
            "services": [
                _without(service["spec"]["selector"], (self.name, *hashes))
                for service in self.space.list(kinds.SERVICE)
                if service["metadata"]["name"].startswith(f"{self.name}-")
            ],
            "roles": sorted(pod["metadata"]["labels"].get("role", "") for pod in self.space.pods(self.name)),
            "promoted": status["stableRS"] == status["currentPodHash"] == _hash(sets["2"]),
            "annotations": annotations,
            "revision": revision,
            "experiments": [
                experiment["status"]["phase"]
                for experiment in self.space.list(kinds.EXPERIMENT)
                if experiment["metadata"]["labels"].get(LABEL) == self.name
            ],
        }


def _hash(rs: JSON) -> str:
    return str(rs["metadata"]["labels"]["rollouts-pod-template-hash"])


def _without(value: Any, words: tuple[str, ...]) -> Any:
    """Texts without name and hashes, which depend on the name."""
    if isinstance(value, dict):
        return {key: _without(inner, words) for key, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_without(inner, words) for inner in value]
    return "…" if isinstance(value, str) and any(word in value for word in words) else value


@pytest.mark.timeout(300)  # a dozen controllers, one after the other
@pytest.mark.parametrize("sort", SORTS, ids=lambda sort: sort.__name__)
def test_it_ends_in_the_same_place_whenever_the_controller_dies(
    space: Space, own_controller: Callable[..., OwnController], sort: Sort
) -> None:
    wanted = Victim(space, own_controller, sort, die_after=None).released()
    assert wanted["promoted"]
    survived = False
    with ThreadPoolExecutor(IN_PARALLEL) as pool:
        for batch in range(1, MOST_WRITES, IN_PARALLEL):
            victims = [Victim(space, own_controller, sort, die_after=n) for n in range(batch, batch + IN_PARALLEL)]
            for victim, world in zip(victims, pool.map(Victim.released, victims), strict=True):
                assert world == wanted, victim.name
                survived = survived or not victim.died
            if survived:
                return
    raise AssertionError(f"it takes more than {MOST_WRITES} writes")
