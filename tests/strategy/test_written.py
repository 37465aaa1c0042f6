"""What is remembered of a spec changes how long a decision takes, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from rollouts.api.kinds import ROLLOUT as KIND
from rollouts.engine.snapshots import INDEXES, Rollouts
from rollouts.engine.store import Store
from rollouts.plan import Plan
from rollouts.strategy import Snapshot, decide, podhash, written
from rollouts.strategy.written import Written
from tests.engine.memory import MemoryApi
from tests.strategy.world import World, rollout

STEPS = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {"duration": 1}}]


def remembering(world: World) -> tuple[Snapshot, Plan, Plan]:
    """The world as it is; what is decided without and with what is known of the spec."""
    plain = world.snapshot()
    known = replace(plain, written=Written(plain.rollout))
    return plain, decide(plain, world.now), decide(known, world.now)


@pytest.mark.parametrize(
    "extra", [{}, {"replicas": -1}, {"template": {"spec": {"containers": [{"image": 7}]}}}], ids=["good", "-1", "7"]
)
def test_a_decision_is_the_same_with_and_without(extra: dict[str, Any]) -> None:
    world = World(rollout(steps=STEPS))
    world.settle()
    for act in (lambda: world.image("app:2"), lambda: world.command(pauseConditions=None), lambda: world.edit(**extra)):
        act()
        for _ in range(6):
            _, without, with_it = remembering(world)
            assert without == with_it
            world.reconcile()
            world.pods()


def test_what_is_known_of_another_spec_is_not_believed() -> None:
    world = World(rollout(steps=STEPS))
    world.settle()
    old = Written(world.rollout)
    world.image("app:2")
    snapshot = world.snapshot()
    assert not old.stands_for(snapshot.rollout)
    assert decide(replace(snapshot, written=old), world.now) == decide(snapshot, world.now)


def test_a_spec_is_checked_and_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    for module, name in ((written, "check"), (podhash, "pod_template_hash"), (podhash, "step_hash")):
        monkeypatch.setattr(module, name, noting(getattr(module, name), asked))
    world = World(rollout(steps=STEPS))
    world.settle()
    asked.clear()
    snapshot = world.snapshot()
    known = replace(snapshot, written=Written(snapshot.rollout))
    for _ in range(3):
        decide(known, world.now)
    assert sorted(asked) == ["check", "pod_template_hash", "step_hash"]


def noting(function: Any, asked: list[str]) -> Any:
    def noted(*args: Any, **given: Any) -> Any:
        asked.append(function.__name__)
        return function(*args, **given)

    return noted


def test_the_engine_knows_a_spec_for_as_long_as_it_stays() -> None:
    store = Store(INDEXES)
    rollouts = Rollouts(api=MemoryApi(), store=store)

    def seen(version: int, generation: int, **spec: Any) -> Written | None:
        obj = rollout(**spec)
        obj["metadata"] |= {"resourceVersion": str(version), "generation": generation}
        (shelf := store.shelf(KIND)).put(obj)
        return rollouts.snapshot(next(iter(shelf.objects.values()))).written

    first = seen(1, 1)
    assert first is not None
    assert seen(2, 1) is first
    assert seen(3, 2, replicas=7) is not first


def test_what_is_known_of_rollouts_that_are_gone_is_let_go() -> None:
    store = Store(INDEXES)
    rollouts = Rollouts(api=MemoryApi(), store=store)
    for number in range(500):
        obj = rollout(name=f"app-{number}")
        store.shelf(KIND).put(obj)
        rollouts.snapshot(obj)
        store.shelf(KIND).remove(obj)
    assert len(rollouts._written) <= 101


@pytest.mark.parametrize("status", [{"phase": 5}, {"pauseConditions": [{"startTime": "soon"}]}, {"conditions": "x"}])
def test_a_broken_status_does_not_make_a_rollout_invalid(status: dict[str, Any]) -> None:
    world = World(rollout(steps=STEPS))
    world.settle()
    world.command(**status)
    assert "InvalidSpec" not in str(world.plan().status)
    world.settle()
    assert world.status["phase"] == "Healthy"
