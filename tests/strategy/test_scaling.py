"""Another number of replicas at any moment: pods follow, the step stays, and no moment makes it stick half-way."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rollouts.strategy.keys import DESIRED_REPLICAS
from rollouts.strategy.replicas import max_surge, split
from tests.strategy.world import World, rollout

WAIT: dict[str, Any] = {"pause": {}}


def held(how: str, *, replicas: int = 4, weight: int = 50, **canary: Any) -> World:
    """An update at its pause, held in one of three ways."""
    world = World(rollout(replicas=replicas, steps=[{"setWeight": weight}, WAIT], canary=canary))
    world.settle()
    world.image("app:2")
    world.settle()
    hold(world, how)
    world.settle()
    return world


def hold(world: World, how: str) -> None:
    if how == "by a person":
        world.edit(paused=True)
    if how == "inconclusive":
        reason = {"reason": "InconclusiveAnalysisRun", "startTime": "2026-01-01T00:00:00Z"}
        world.command(pauseConditions=[reason], controllerPause=True)
    if how == "aborted":
        world.command(abort=True)


HOLDS = ["at the step", "by a person", "inconclusive", "aborted"]


@pytest.mark.parametrize("how", HOLDS)
@pytest.mark.parametrize("replicas", [8, 2, 1, 0])
def test_pods_follow_and_the_step_stays(how: str, replicas: int) -> None:
    world = held(how)
    step = world.status["currentStepIndex"]
    world.edit(replicas=replicas)
    world.settle()
    canary, stable = (0, replicas) if how == "aborted" else split(replicas=replicas, weight=50, surge=1)
    assert world.replicas == {"app:1": stable, "app:2": canary}
    assert world.status["currentStepIndex"] == step


@pytest.mark.parametrize("how", HOLDS)
def test_from_nothing_it_comes_back(how: str) -> None:
    world = held(how)
    world.edit(replicas=0)
    world.settle()
    assert world.replicas == {"app:1": 0, "app:2": 0}
    world.edit(replicas=4)
    world.settle()
    assert sum(world.replicas.values()) == 4


@pytest.mark.parametrize("how", ["by a person", "inconclusive"])
def test_what_unavailable_pods_put_off_is_made_up_for(how: str) -> None:
    """Shrinking waits for pods to be available; the pause must not take hold in between."""
    world = held(how, replicas=8)
    for rs in world.sets.values():
        rs["status"] |= {"readyReplicas": 1, "availableReplicas": 1}
    world.edit(replicas=4)
    world.reconcile()
    assert sum(world.replicas.values()) > 4
    world.settle()
    assert world.replicas == {"app:1": 2, "app:2": 2}


@pytest.mark.parametrize("how", ["by a person", "inconclusive"])
def test_back_to_the_number_before_while_it_is_half_way(how: str) -> None:
    world = held(how, replicas=8)
    for rs in world.sets.values():
        rs["status"] |= {"readyReplicas": 1, "availableReplicas": 1}
    world.edit(replicas=4)
    world.reconcile()
    assert sum(world.replicas.values()) < 8
    world.edit(replicas=8)
    world.settle()
    assert world.replicas == {"app:1": 4, "app:2": 4}


@pytest.mark.parametrize("how", ["by a person", "inconclusive"])
def test_with_the_same_number_nothing_moves(how: str) -> None:
    world = held(how)
    world.edit(strategy={"canary": {**world.rollout["spec"]["strategy"]["canary"], "maxSurge": 2}})
    before = world.replicas
    world.settle()
    assert world.replicas == before


def test_a_first_deploy_that_is_paused_waits_at_nothing() -> None:
    world = World(rollout(paused=True))
    world.settle()
    assert world.replicas == {"app:1": 0}
    world.edit(replicas=7)
    world.settle()
    world.edit(paused=False)
    world.settle()
    assert (world.replicas, world.status["phase"]) == ({"app:1": 7}, "Healthy")


@pytest.mark.timeout(300)
@given(
    how=st.sampled_from(HOLDS),
    weight=st.sampled_from([5, 20, 50, 80]),
    surge=st.sampled_from([0, 1, 2, "25%", "100%"]),
    unavailable=st.sampled_from([1, 2, "25%"]),
    changes=st.lists(st.tuples(st.integers(0, 9), st.lists(st.integers(0, 3), max_size=3)), min_size=1, max_size=5),
    losses=st.lists(st.integers(0, 3), min_size=1, max_size=4),
)
@settings(deadline=None, max_examples=40)
def test_whatever_happens_in_between_it_ends_where_it_should(
    how: str, weight: int, surge: int | str, unavailable: int | str, changes: list[Any], losses: list[int]
) -> None:
    world = held(how, weight=weight, maxSurge=surge, maxUnavailable=unavailable)
    for replicas, coming in changes:
        world.edit(replicas=replicas)
        for available in coming:
            world.reconcile()
            world.pods(available=available)
            lose(world, losses)
    world.settle()
    replicas = world.rollout["spec"]["replicas"]
    wanted = split(replicas=replicas, weight=weight, surge=max_surge(surge, replicas))
    canary, stable = (0, replicas) if how == "aborted" else wanted
    assert world.replicas == {"app:1": stable, "app:2": canary}


def lose(world: World, losses: list[int]) -> None:
    """Pods that fail."""
    for rs, lost in zip(world.sets.values(), losses, strict=False):
        left = max(rs.get("status", {}).get("availableReplicas", 0) - lost, 0)
        rs.setdefault("status", {}).update(readyReplicas=left, availableReplicas=left)


def test_one_made_anew_while_others_shrink_does_not_say_it_has_its_size_yet() -> None:
    """It was deleted while a person held the Rollout, which wants fewer now: one decision, then pods are waited for."""
    world = held("by a person", replicas=10, weight=60)
    world.lose("app:2")
    world.edit(replicas=7)
    world.pods()
    world.reconcile()
    assert world.plan().empty
    world.settle()
    assert {rs["metadata"]["annotations"].get(DESIRED_REPLICAS) for rs in world.sets.values()} == {"7"}
