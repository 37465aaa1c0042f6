"""The app: what is kept, who is woken by what and how urgently, what a standby does, how it starts and ends."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rollouts.api import kinds
from rollouts.api.kinds import Kind
from rollouts.engine import app as app_module
from rollouts.engine.app import App, Settings
from rollouts.engine.client import Request
from rollouts.engine.errors import NotFoundError
from rollouts.engine.lease import Lease, Timing
from rollouts.engine.missing import fetch_missing
from rollouts.engine.queue import Priority
from rollouts.engine.store import Key
from rollouts.engine.writer import Origin
from tests.engine.memory import MemoryApi, refusal
from tests.engine.objects import replica_set, rollout, template
from tests.strategy.router import ConfigMapRouter

pytestmark = pytest.mark.looptime(start=0, end=36_000)
INSTANCE = "argo-rollouts.argoproj.io/controller-instance-id"
LEASES = kinds.LEASE.path("ns", "lock")


class Woken(App):
    """Writes down who is woken instead of queueing."""

    def __init__(self, **more: Any) -> None:
        super().__init__(api=MemoryApi(), providers={}, **more)
        self.keys: dict[str, dict[str, Priority]] = {"rollouts": {}, "analysisruns": {}, "experiments": {}}
        for kind, loop in self.loops.items():
            loop.queue.add = lambda key, priority=Priority.SOON, kind=kind: self.keys[kind.plural].update(  # type: ignore[method-assign]
                {key.name: priority}
            )

    def having(self, *objects: tuple[Kind, Any]) -> Woken:
        for kind, obj in objects:
            self.store.shelf(kind).put(obj)
        return self


def using(*templates: str, name: str = "web") -> dict[str, Any]:
    """A Rollout with an analysis step."""
    step = {"analysis": {"templates": [{"templateName": name} for name in templates]}}
    return rollout(name, spec={"strategy": {"canary": {"steps": [step]}}})


def run(name: str, *, owner: str = "web") -> dict[str, Any]:
    return {**replica_set(name, owner=owner), "apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisRun"}


@pytest.mark.parametrize(
    ("kind", "obj", "rollouts", "runs"),
    [
        (kinds.ROLLOUT, rollout(version=9), {"web": Priority.FIRST}, {}),
        (kinds.REPLICA_SET, replica_set("web-1", owner="web"), {"web": Priority.SOON}, {}),
        (kinds.REPLICA_SET, replica_set("lost"), {}, {}),
        (kinds.REPLICA_SET, replica_set("x-1", owner="unknown"), {}, {}),
        (kinds.ANALYSIS_RUN, run("r"), {"web": Priority.SOON}, {"r": Priority.FIRST}),
        (kinds.ANALYSIS_TEMPLATE, template("errors"), {"web": Priority.SOON, "api": Priority.SOON}, {}),
        (kinds.ANALYSIS_TEMPLATE, template("part"), {"api": Priority.SOON}, {}),
        (kinds.ANALYSIS_TEMPLATE, template("unused"), {}, {}),
    ],
)
@pytest.mark.parametrize("event_type", ["ADDED", "MODIFIED", None])
async def test_who_is_woken(
    kind: Kind, obj: Any, rollouts: dict[str, Priority], runs: dict[str, Priority], event_type: str | None
) -> None:
    app = Woken().having(
        (kinds.ROLLOUT, using("errors")),
        (kinds.ROLLOUT, using("errors", "whole", name="api")),
        (kinds.ROLLOUT, rollout("plain")),
        (kinds.ANALYSIS_TEMPLATE, template("whole", embeds=("part", "whole"))),
    )
    app.observe(kind, event_type, obj)
    if event_type is None:
        rollouts, runs = dict.fromkeys(rollouts, Priority.LATER), dict.fromkeys(runs, Priority.LATER)
    assert app.keys == {"rollouts": rollouts, "analysisruns": runs, "experiments": {}}


async def test_what_one_rollout_asked_for_wakes_the_others_that_wait_for_it() -> None:
    app = Woken().having((kinds.ROLLOUT, using("errors")), (kinds.ROLLOUT, using("errors", name="api")))
    app.api.put(kinds.ANALYSIS_TEMPLATE, template("errors"))
    await fetch_missing([(kinds.ANALYSIS_TEMPLATE, Key("ns", "errors"))], api=app.api, store=app.store)
    assert app.keys["rollouts"] == {"web": Priority.SOON, "api": Priority.SOON}


def experiment(name: str = "exp", *, owner: str = "") -> dict[str, Any]:
    return {**replica_set(name, owner=owner), "apiVersion": "argoproj.io/v1alpha1", "kind": "Experiment"}


def of_experiment(obj: dict[str, Any]) -> dict[str, Any]:
    obj["metadata"]["ownerReferences"][0]["kind"] = "Experiment"
    return obj


@pytest.mark.parametrize(
    ("kind", "obj", "rollouts"),
    [
        (kinds.EXPERIMENT, experiment(owner="web"), {"web": Priority.SOON}),
        (kinds.EXPERIMENT, experiment(), {}),
        (kinds.REPLICA_SET, of_experiment(replica_set("exp-a", owner="exp")), {}),
        (kinds.SERVICE, of_experiment({**replica_set("exp-a", owner="exp"), "kind": "Service"}), {}),
        (kinds.ANALYSIS_RUN, of_experiment(run("exp-check", owner="exp")), {}),
    ],
)
async def test_what_wakes_an_experiment_and_whom_it_wakes(kind: Kind, obj: Any, rollouts: dict[str, Priority]) -> None:
    app = Woken().having((kinds.ROLLOUT, rollout()))
    itself = kind is kinds.EXPERIMENT
    if not itself:
        app.store.shelf(kinds.EXPERIMENT).put(experiment())
    app.observe(kind, "MODIFIED", obj)
    assert app.keys["experiments"] == {"exp": Priority.FIRST if itself else Priority.SOON}
    assert app.keys["rollouts"] == rollouts


@pytest.mark.parametrize(
    ("origin", "itself"),
    [(Origin.OWN, {}), (Origin.OTHER, {"exp": Priority.FIRST}), (Origin.NEWS, {"exp": Priority.FIRST})],
)
async def test_an_experiment_we_write_wakes_its_rollout_and_its_own_loop_if_another_wrote_it(
    origin: Origin, itself: Any
) -> None:
    app = Woken().having((kinds.ROLLOUT, rollout()))
    app._written(kinds.EXPERIMENT, experiment(owner="web"), origin)
    assert (app.keys["experiments"], app.keys["rollouts"]) == (itself, {"web": Priority.SOON})


@pytest.mark.parametrize(("origin", "woken"), [(Origin.OTHER, {}), (Origin.NEWS, {"web": Priority.SOON})])
async def test_a_replica_set_we_write_wakes_its_rollout_when_the_answer_brings_news(origin: Origin, woken: Any) -> None:
    app = Woken().having((kinds.ROLLOUT, rollout()))
    app._written(kinds.REPLICA_SET, replica_set("web-1", owner="web"), origin)
    assert app.keys["rollouts"] == woken


@pytest.mark.parametrize(
    ("kind", "obj", "rollouts"),
    [
        (kinds.ROLLOUT, rollout(version=5), {}),
        (kinds.REPLICA_SET, replica_set("web-1", owner="web", version=5), {}),
        (kinds.ANALYSIS_RUN, run("web-1") | {"status": {"phase": "Running"}}, {"web": Priority.SOON}),
    ],
    ids=["a Rollout", "a ReplicaSet", "a run, which a Rollout waits for"],
)
async def test_an_echo_that_is_quicker_than_the_answer_wakes_nobody_whom_the_answer_would_not(
    kind: Kind, obj: Any, rollouts: Any
) -> None:
    app = Woken().having((kinds.ROLLOUT, rollout()))
    obj["metadata"]["resourceVersion"] = "5"
    app.writer.echo = lambda _kind, _obj: Origin.OWN  # type: ignore[method-assign]
    app.observe(kind, "MODIFIED", obj)
    assert app.keys["rollouts"] == rollouts
    assert not app.keys["analysisruns"]
    assert app.store.get(kind, Key("ns", obj["metadata"]["name"])) == obj


STARTED = {"replicas": 0, "observedGeneration": 1}


@pytest.mark.parametrize(
    ("asked", "before", "after", "at_once"),
    [
        (1, {"replicas": 0}, STARTED, False),
        (1, None, STARTED, False),
        (0, {"replicas": 1, "observedGeneration": 1}, {"replicas": 1, "observedGeneration": 2}, False),
        (1, {"replicas": 1, "observedGeneration": 1}, {"replicas": 1, "observedGeneration": 2}, True),
        (1, STARTED, {**STARTED, "replicas": 1}, True),
        (2, {"replicas": 1}, {"replicas": 1, "readyReplicas": 1, "observedGeneration": 1}, True),
        (1, {"replicas": 0}, {**STARTED, "conditions": [{"type": "ReplicaFailure", "status": "True"}]}, True),
    ],
    ids=["new", "newer", "pods to go", "nothing to come", "pods", "ready", "quota"],
)
async def test_a_replica_set_that_has_only_been_seen_by_its_controller_is_looked_at_in_a_second(
    asked: int, before: Any, after: Any, at_once: bool
) -> None:
    app = Woken().having((kinds.ROLLOUT, rollout()))
    rs = replica_set("web-1", owner="web") | {"spec": {"replicas": asked}}
    app.observe(kinds.REPLICA_SET, "ADDED", rs if before is None else {**rs, "status": before})
    app.keys["rollouts"].clear()
    app.observe(
        kinds.REPLICA_SET,
        "MODIFIED",
        {**rs, "metadata": {**rs["metadata"], "resourceVersion": "2", "managedFields": [{}]}, "status": after},
    )
    assert app.keys["rollouts"] == ({"web": Priority.SOON} if at_once else {})
    await asyncio.sleep(1.1)
    assert app.keys["rollouts"] == {"web": Priority.SOON}


async def test_a_label_that_changes_with_what_was_seen_is_looked_at_at_once() -> None:
    app = Woken().having((kinds.ROLLOUT, rollout()))
    rs = replica_set("web-1", owner="web")
    app.observe(kinds.REPLICA_SET, "ADDED", rs)
    app.keys["rollouts"].clear()
    app.observe(
        kinds.REPLICA_SET,
        "MODIFIED",
        {**replica_set("web-1", owner="web", version=2, labels={"a": "b"}), "status": STARTED},
    )
    assert app.keys["rollouts"] == {"web": Priority.SOON}


async def test_the_end_of_something_wakes_its_owner() -> None:
    app = Woken().having((kinds.ROLLOUT, rollout()), (kinds.REPLICA_SET, replica_set("web-1", owner="web")))
    app.observe(kinds.REPLICA_SET, "DELETED", replica_set("web-1", owner="web", version=5))
    assert app.keys["rollouts"] == {"web": Priority.SOON}
    assert not app.store.shelf(kinds.REPLICA_SET).objects


async def test_an_echo_of_our_own_write_wakes_nobody() -> None:
    app = Woken()
    app.store.absorb(kinds.ROLLOUT, rollout(version=8))
    for version in (7, 8):
        app.observe(kinds.ROLLOUT, "MODIFIED", rollout(version=version))
    assert app.keys["rollouts"] == {}


@pytest.mark.parametrize(("label", "ours"), [("", False), ("blue", True), ("green", False)])
async def test_only_objects_of_our_instance_id_are_ours(label: str, ours: bool) -> None:
    app = Woken(settings=Settings(instance_id="blue"))
    obj = rollout()
    obj["metadata"]["labels"] = {INSTANCE: label} if label else {}
    app.observe(kinds.ROLLOUT, "ADDED", obj)
    app.observe(kinds.REPLICA_SET, "ADDED", replica_set("web-1", owner="web"))
    assert bool(app.keys["rollouts"]) == ours
    assert len(app.store.shelf(kinds.ROLLOUT).objects) == ours


async def test_an_object_that_is_given_to_another_instance_is_let_go() -> None:
    app = Woken().having((kinds.ROLLOUT, rollout()))
    given = rollout(version=5)
    given["metadata"]["labels"] = {INSTANCE: "green"}
    app.observe(kinds.ROLLOUT, "MODIFIED", given)
    assert not app.store.shelf(kinds.ROLLOUT).objects


async def test_a_controller_of_one_namespace_asks_for_nothing_beyond_it() -> None:
    app = Woken(settings=Settings(namespace="ns"))
    await app.prime()
    assert isinstance(app.api, MemoryApi)
    assert app.api.log
    assert all("/namespaces/ns/" in line for line in app.api.log)


async def test_missing_crds_are_said_so() -> None:
    app = Woken()

    def unknown(_: Request) -> None:
        raise refusal(404)

    app.api.before = unknown  # type: ignore[attr-defined]
    with pytest.raises(NotFoundError, match="install the CRDs"):
        await app.prime()
    assert app.not_ready()


async def test_a_router_whose_kind_is_not_installed_keeps_nobody_from_starting() -> None:
    class Mesh(ConfigMapRouter):
        kinds = (Kind(group="mesh.example", version="v1", kind="Route", plural="routes"),)

    api = MemoryApi()

    def before(request: Request) -> None:
        if request.path.endswith("/routes"):
            raise refusal(404, request)

    api.before = before
    app = App(api=api, providers={}, settings=Settings(namespace="ns"), routers={"mesh": Mesh()})
    await app.prime()
    assert (app.primed, [kind.kind for kind in app.absent]) == (True, ["Route"])


async def test_it_becomes_ready_when_the_store_is_full() -> None:
    api = MemoryApi((kinds.ROLLOUT, rollout()))
    app = App(api=api, providers={}, settings=Settings(namespace="ns"))
    assert app.not_ready()
    await app.prime()
    assert not app.not_ready()
    assert not app.trouble()
    assert app.store.get(kinds.ROLLOUT, Key("ns", "web")) is not None


async def test_what_a_list_brings_before_its_event_wakes_whom_it_concerns() -> None:
    """The event is old when it comes at last: with thousands of runs a list may be half a minute ahead of the watch."""
    app, api = Woken(settings=Settings(namespace="ns")), MemoryApi((kinds.ROLLOUT, rollout()))
    app.api = api
    await app.prime()
    await app.work()
    app.keys["rollouts"].clear()
    new = api.put(kinds.ROLLOUT, rollout("other"))
    await asyncio.sleep(app_module.PRUNE_FIRST + 1)
    app.observe(kinds.ROLLOUT, "ADDED", new)
    assert app.keys["rollouts"] == {"other": Priority.LATER}
    await app.drain()


async def test_deletions_nobody_told_us_of_are_found_by_listing_again() -> None:
    api = MemoryApi((kinds.ROLLOUT, rollout()), (kinds.REPLICA_SET, replica_set("web-1", owner="web")))
    app = Woken(settings=Settings(namespace="ns"))
    app.api = api
    await app.prime()
    await app.work()
    app.keys["rollouts"].clear()
    del api.objects[kinds.REPLICA_SET.path("ns", "web-1")]
    await asyncio.sleep(app_module.PRUNE_FIRST + 1)
    assert app.keys["rollouts"] == {"web": Priority.LATER}
    assert not app.store.shelf(kinds.REPLICA_SET).objects
    await app.drain()


def standing(api: MemoryApi, identity: str) -> App:
    lease = Lease(api=api, namespace="ns", name="lock", identity=identity, timing=Timing())
    return App(api=api, providers={}, settings=Settings(namespace="ns"), lease=lease)


async def test_a_standby_keeps_its_store_but_acts_only_with_the_lease() -> None:
    api = MemoryApi((kinds.ROLLOUT, rollout()))
    first, second = standing(api, "first"), standing(api, "second")
    for app in (first, second):
        await app.prime()
        await app.work()
        await asyncio.sleep(1)
    assert (first.working, second.working) == (True, False)
    second.observe(kinds.ROLLOUT, "ADDED", rollout("later", version=10_000))
    assert second.store.get(kinds.ROLLOUT, Key("ns", "later")) is not None
    await first.drain()
    await asyncio.sleep(5)
    assert second.working
    await second.drain()
    assert api.objects[LEASES]["spec"].get("holderIdentity") is None


async def test_one_whose_lease_is_lost_says_so_and_does_not_release_it() -> None:
    api = MemoryApi()
    app = standing(api, "first")
    await app.prime()
    await app.work()
    await asyncio.sleep(1)
    api.put(kinds.LEASE, {"metadata": {"name": "lock", "namespace": "ns"}, "spec": {"holderIdentity": "thief"}})
    await asyncio.sleep(5)
    assert app.lost
    assert "lost" in app.trouble()
    await app.drain()
    assert api.objects[LEASES]["spec"]["holderIdentity"] == "thief"


async def test_a_deleted_rollout_is_told_of_once() -> None:
    app = Woken()
    app.working = True
    gone = rollout(version=9)
    app.store.shelf(kinds.ROLLOUT).put(gone)
    app.store.drop(kinds.ROLLOUT, Key("ns", "web"))  # a write of our own learned it first
    app.observe(kinds.ROLLOUT, "DELETED", gone)
    app.observe(kinds.ROLLOUT, "DELETED", gone)
    assert app.recorder.recorded == {("Normal", "RolloutDeleted"): 1}


async def test_a_deletion_that_only_a_list_shows_is_told_of() -> None:
    app = Woken()
    app.store.shelf(kinds.ROLLOUT).put(rollout(version=9))
    app.working = True
    await app._list(kinds.ROLLOUT)
    app.observe(kinds.ROLLOUT, "DELETED", rollout(version=9))
    assert app.recorder.recorded == {("Normal", "RolloutDeleted"): 1}


async def test_a_standby_and_another_instance_tell_of_no_deletion() -> None:
    standby = Woken()
    standby.observe(kinds.ROLLOUT, "DELETED", rollout())
    other = Woken(settings=Settings(instance_id="other"))
    other.working = True
    other.observe(kinds.ROLLOUT, "DELETED", rollout())
    assert not standby.recorder.recorded and not other.recorder.recorded
