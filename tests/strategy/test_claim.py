"""Which ReplicaSets belong to a Rollout: by owner and by labels."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.api.selectors import selects
from rollouts.plan import Create, Patch
from rollouts.strategy.claim import claim
from tests.strategy.world import World, rollout

HASH = "rollouts-pod-template-hash"
WEB: dict[str, Any] = {"selector": {"matchLabels": {"app": "web"}}}


def labelled(name: str, *, going: bool = False, **labels: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name, "labels": {**labels, HASH: "abc"}}
    return {"metadata": metadata | ({"deletionTimestamp": "2026-01-01T00:00:00Z"} if going else {})}


def names(found: list[Any]) -> list[str]:
    return [rs["metadata"]["name"] for rs in found]


def test_own_released_and_adopted() -> None:
    own, released = claim(
        {"spec": WEB},
        controlled=[labelled("own", app="web"), labelled("moved", app="debug"), labelled("going", app="x", going=True)],
        orphans=[
            labelled("adopted", app="web"),
            labelled("other", app="api"),
            labelled("late", app="web", going=True),
            {"metadata": {"name": "no-hash", "labels": {"app": "web"}}},
        ],
    )
    assert (names(own), names(released)) == (["own", "going", "adopted"], ["moved"])


def test_without_a_selector_nothing_is_let_go_or_adopted() -> None:
    own, released = claim({"spec": {}}, controlled=[labelled("own")], orphans=[labelled("orphan")])
    assert (names(own), names(released)) == (["own"], [])


@pytest.mark.parametrize(
    ("operator", "values", "matched"),
    [
        ("In", ["a", "b"], {"a", "b"}),
        ("NotIn", ["a"], {"b", None}),
        ("Exists", [], {"a", "b"}),
        ("DoesNotExist", [], {None}),
        ("Equals", ["a"], set()),
    ],
)
def test_expressions(operator: str, values: list[str], matched: set[str | None]) -> None:
    selector = {"matchExpressions": [{"key": "tier", "operator": operator, "values": values}]}
    labels: dict[str | None, dict[str, str]] = {"a": {"tier": "a"}, "b": {"tier": "b"}, None: {}}
    assert {value for value, found in labels.items() if selects(selector, found)} == matched


def test_one_whose_labels_were_changed_is_let_go_and_replaced() -> None:
    world = World(rollout(replicas=3))
    world.settle()
    (name,) = world.sets
    world.sets[name]["metadata"]["labels"]["app"] = "debug"
    plan = world.plan()
    (let_go, made) = [write for write in plan.writes if isinstance(write, Patch | Create)][:2]
    assert isinstance(let_go, Patch)
    assert (let_go.name, let_go.body) == (name, {"metadata": {"ownerReferences": None}})
    assert isinstance(made, Create)
    assert made.body["metadata"]["name"] != name


def test_a_hash_label_that_was_taken_away_is_put_back() -> None:
    world = World(rollout(replicas=3))
    world.settle()
    (name,) = world.sets
    label = world.sets[name]["metadata"]["labels"].pop(HASH)
    (write,) = world.plan().writes
    assert isinstance(write, Patch)
    assert (write.name, write.body) == (name, {"metadata": {"labels": {HASH: label}}})
