"""What a decision about a Rollout gets to see: all that is its own, and nothing of its neighbours."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from rollouts.api import kinds
from rollouts.engine.leaving import Leaving
from rollouts.engine.snapshots import INDEXES, Rollouts, users_of
from rollouts.engine.store import Key, Store
from tests.engine.memory import MemoryApi
from tests.engine.objects import replica_set, rollout, template

HASH = "rollouts-pod-template-hash"


@pytest.fixture
def store() -> Store:
    return Store(INDEXES)


def seen(store: Store, obj: dict[str, Any]) -> Any:
    return Rollouts(api=MemoryApi(), store=store).snapshot(obj)


def names(objects: tuple[Any, ...]) -> list[str]:
    return [obj["metadata"]["name"] for obj in objects]


def web(**canary: Any) -> dict[str, Any]:
    return rollout(spec={"selector": {"matchLabels": {"app": "web"}}, "strategy": {"canary": canary}})


def test_replica_sets_are_its_own_and_orphans_that_match(store: Store) -> None:
    labels = {"app": "web", HASH: "abc"}
    for rs in (
        replica_set("web-1", owner="web", labels=labels),
        replica_set("web-2", owner="web", labels={**labels, "app": "debug"}),
        replica_set("orphan", labels=labels),
        replica_set("orphan-of-others", labels={**labels, "app": "api"}),
        replica_set("orphan-without-hash", labels={"app": "web"}),
        replica_set("orphan-elsewhere", labels=labels, namespace="other"),
        replica_set("api-1", owner="api", labels=labels),
    ):
        store.shelf(kinds.REPLICA_SET).put(rs)
    found = seen(store, web())
    assert names(found.replica_sets) == ["web-1", "orphan"]
    assert names(found.released) == ["web-2"]


def test_those_that_occupy_its_names_are_shown_apart(store: Store) -> None:
    for rs in (
        replica_set("web-1", owner="web", labels={"app": "web"}),
        replica_set("web-2", owner="api"),
        replica_set("webs-3", owner="api"),
    ):
        store.shelf(kinds.REPLICA_SET).put(rs)
    assert names(seen(store, web()).foreign) == ["web-2"]


def test_without_selector_no_orphan_matches(store: Store) -> None:
    store.shelf(kinds.REPLICA_SET).put(replica_set("orphan", labels={HASH: "abc"}))
    assert seen(store, rollout()).replica_sets == ()


@pytest.mark.parametrize(
    ("canary", "expected"),
    [
        ({}, set()),
        ({"analysis": {"templates": [{"templateName": "errors"}]}}, {"errors", "more"}),
        ({"steps": [{"setWeight": 5}, {"analysis": {"templates": [{"templateName": "errors"}]}}]}, {"errors", "more"}),
    ],
)
def test_templates_are_those_of_its_namespace_if_it_measures(
    store: Store, canary: dict[str, Any], expected: set[str]
) -> None:
    shelf = store.shelf(kinds.ANALYSIS_TEMPLATE)
    elsewhere = template("elsewhere")
    elsewhere["metadata"]["namespace"] = "other"
    for obj in (template("errors"), template("more"), elsewhere):
        shelf.put(obj)
    assert set(seen(store, web(**canary)).templates) == expected


def test_runs_are_its_own(store: Store) -> None:
    for name, owner in (("a", "web"), ("b", "api"), ("c", "")):
        store.shelf(kinds.ANALYSIS_RUN).put(replica_set(name, owner=owner))
    assert names(seen(store, web()).analysis_runs) == ["a"]


async def test_pods_are_listed_only_for_a_restart(store: Store) -> None:
    api = MemoryApi((kinds.POD, {"metadata": {"name": "web-1-x", "namespace": "ns"}}))
    rollouts = Rollouts(api=api, store=store)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    await rollouts.decide(web(), now)
    assert api.log == []
    obj = web()
    obj["spec"]["restartAt"] = "2025-12-31T00:00:00Z"
    await rollouts.decide(obj, now)
    assert api.log == ["GET /api/v1/namespaces/ns/pods"]


def test_experiments_are_its_own_and_the_names_of_others_are_taken(store: Store) -> None:
    for name, owner in (("web-1", "web"), ("web-2", "api"), ("free", "")):
        store.shelf(kinds.EXPERIMENT).put({**replica_set(name, owner=owner), "kind": "Experiment"})
    store.shelf(kinds.EXPERIMENT).put(replica_set("web-3", namespace="elsewhere"))
    world = seen(store, web())
    assert names(world.experiments) == ["web-1"]
    assert world.taken_experiments == {"web-2", "free"}


def test_templates_of_an_experiment_step_are_gathered_and_wake(store: Store) -> None:
    step = {"experiment": {"templates": [], "analyses": [{"name": "a", "templateName": "errors"}]}}
    obj = web(steps=[{"setWeight": 20}, step])
    store.shelf(kinds.ROLLOUT).put(obj)
    store.shelf(kinds.ANALYSIS_TEMPLATE).put(template("errors"))
    assert list(seen(store, obj).templates) == ["errors"]
    assert users_of(store, template("errors")) == (obj,)


async def test_what_is_named_and_not_known_yet_is_asked_for_before_anything_is_called_invalid(store: Store) -> None:
    """The watch of Services may be behind that of Rollouts."""
    there = {"metadata": {"name": "there", "namespace": "ns"}, "spec": {"selector": {"app": "web"}}}
    api = MemoryApi((kinds.SERVICE, there), (kinds.ANALYSIS_TEMPLATE, template("errors")))
    rollouts = Rollouts(api=api, store=store)
    obj = web(stableService="there", canaryService="missing", analysis={"templates": [{"templateName": "errors"}]})
    plan = await rollouts.decide(obj, datetime(2026, 1, 1, tzinfo=UTC))
    assert '"missing" not found' in plan.events[-1].message
    assert '"there" not found' not in plan.events[0].message
    assert store.get(kinds.ANALYSIS_TEMPLATE, Key("ns", "errors")) is not None
    api.log.clear()
    await rollouts.decide(obj, datetime(2026, 1, 1, tzinfo=UTC))
    assert api.log == ["GET /api/v1/namespaces/ns/services/missing"]


@pytest.mark.parametrize("name", ["app/proxy", "../../nodes", "a b", "A", "x..y", "\x00", "-", "é"])
async def test_what_is_no_name_is_no_part_of_a_request(store: Store, name: str) -> None:
    api = MemoryApi()
    await Rollouts(api=api, store=store).decide(web(stableService=name), datetime(2026, 1, 1, tzinfo=UTC))
    assert api.log == []
    managed = {"argo-rollouts.argoproj.io/managed-by-rollouts": name}
    metadata = {"name": "s", "namespace": "ns", "uid": "u", "resourceVersion": "1", "annotations": managed}
    store.shelf(kinds.SERVICE).put({"metadata": metadata})
    writes = await Leaving(api=api, store=store).writes(Key("ns", name))
    assert [write.name for write in writes] == ["s"]
    assert api.log == []
