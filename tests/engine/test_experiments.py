"""What a decision about an Experiment gets to see: all that is its own, and which of its names are taken."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from rollouts.api import kinds
from rollouts.engine.experiments import Experiments
from rollouts.engine.snapshots import INDEXES
from rollouts.engine.store import Key, Store
from tests.engine.memory import MemoryApi
from tests.engine.objects import replica_set, template

START = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def store() -> Store:
    return Store(INDEXES)


def experiment(**spec: Any) -> dict[str, Any]:
    templates = [{"name": "a"}, {"name": "b-c", "service": {"name": "named"}}]
    return {**replica_set("exp"), "kind": "Experiment", "spec": {"templates": templates, **spec}}


def seen(store: Store, **spec: Any) -> Any:
    return Experiments(api=MemoryApi(), store=store).snapshot(experiment(**spec))


def names(objects: tuple[Any, ...]) -> list[str]:
    return [obj["metadata"]["name"] for obj in objects]


def test_what_it_controls_is_its_own(store: Store) -> None:
    for kind in (kinds.REPLICA_SET, kinds.SERVICE, kinds.ANALYSIS_RUN):
        store.shelf(kind).put(replica_set("exp-a", owner="exp"))
        store.shelf(kind).put(replica_set("exp-d", owner="other"))
    world = seen(store, analyses=[{"name": "a"}])
    assert names(world.replica_sets) == names(world.services) == names(world.analysis_runs) == ["exp-a"]
    assert (world.taken_sets, world.taken_services, world.taken_runs) == (frozenset(),) * 3


def test_names_others_have_are_shown_up_to_the_first_that_is_free(store: Store) -> None:
    for name in ("exp-a", "exp-a-1", "exp-a-3", "exp-d"):
        store.shelf(kinds.REPLICA_SET).put(replica_set(name, owner="other"))
    for name in ("exp-check", "exp-check.1"):
        store.shelf(kinds.ANALYSIS_RUN).put(replica_set(name))
    for name in ("named", "exp-a", "web"):
        store.shelf(kinds.SERVICE).put(replica_set(name))
    world = seen(store, analyses=[{"name": "check"}])
    assert world.taken_sets == {"exp-a", "exp-a-1"}
    assert world.taken_runs == {"exp-check", "exp-check.1"}
    assert world.taken_services == {"named", "exp-a"}


def test_templates_are_gathered_only_for_one_that_measures(store: Store) -> None:
    store.shelf(kinds.ANALYSIS_TEMPLATE).put(template("errors"))
    assert (dict(seen(store).templates), list(seen(store, analyses=[{"name": "x"}]).templates)) == ({}, ["errors"])


@pytest.mark.parametrize("spec", [None, {}, {"templates": None}, {"templates": "x"}, {"templates": [1, {"name": 2}]}])
def test_a_broken_spec_stops_nothing(store: Store, spec: Any) -> None:
    world = Experiments(api=MemoryApi(), store=store).snapshot({**experiment(), "spec": spec})
    assert world.taken_sets == frozenset()


async def test_a_template_no_watch_has_brought_yet_is_asked_for(store: Store) -> None:
    api = MemoryApi((kinds.ANALYSIS_TEMPLATE, template("errors")))
    spec = {"analyses": [{"name": "x", "templateName": "errors"}, {"name": "y", "templateName": "../no"}]}
    await Experiments(api=api, store=store).decide(experiment(**spec), START)
    assert store.get(kinds.ANALYSIS_TEMPLATE, Key("ns", "errors")) is not None
    asked = len(api.log)
    await Experiments(api=api, store=store).decide({**experiment(**spec), "status": {"phase": "Error"}}, START)
    assert len(api.log) == asked
