"""The wiring: kopf feeds the app and writes nothing of its own."""

from __future__ import annotations

import asyncio
import itertools
import logging
from typing import Any

import kopf
import pytest
from kopf._core.intents.registries import OperatorRegistry

from rollouts import operator
from rollouts.api import kinds
from rollouts.engine.app import App, Settings
from rollouts.engine.errors import ApiError
from rollouts.engine.snapshots import INDEXES
from rollouts.engine.store import Key
from tests.engine.memory import MemoryApi
from tests.engine.objects import rollout


@pytest.fixture
async def app() -> App:
    return App(api=MemoryApi(), providers={})


def handlers(registry: OperatorRegistry) -> dict[str, Any]:
    return {handler.id: handler for handler in registry._watching._handlers}


async def test_every_kind_kept_is_watched_and_nothing_else_is_asked_of_kopf(app: App) -> None:
    registry = operator.build_operator(app, stop=asyncio.Event())
    assert set(handlers(registry)) == {kind.plural for kind in INDEXES}
    assert [h.id for h in registry._activities._handlers] == ["start", "stop", "login"]
    for other in (registry._changing, registry._spawning, registry._indexing, registry._webhooks):
        assert other._handlers == []  # these would bring annotations, finalizers, or slow starts


async def test_one_namespace_has_no_cluster_kinds() -> None:
    app = App(api=MemoryApi(), providers={}, settings=Settings(namespace="ns"))
    registry = operator.build_operator(app, stop=asyncio.Event())
    assert "clusteranalysistemplates" not in handlers(registry)


async def test_an_event_goes_into_the_app_and_nothing_comes_back(app: App) -> None:
    registry = operator.build_operator(app, stop=asyncio.Event())
    event = {"type": "ADDED", "object": rollout()}
    # What is returned, kopf would write into the object's status.
    assert await handlers(registry)["rollouts"].fn(type="ADDED", event=event, logger=logging.getLogger()) is None
    assert app.store.get(kinds.ROLLOUT, Key("ns", "web")) is not None
    assert app.loops[kinds.ROLLOUT].queue.statistics().ready == 1


async def test_an_api_server_that_is_away_is_waited_for_without_a_traceback(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away() -> None:
        raise ApiError("GET /apis: the API server did not answer")

    monkeypatch.setattr(app, "prime", away)
    registry = operator.build_operator(app, stop=asyncio.Event())
    (start,) = [handler for handler in registry._activities._handlers if handler.id == "start"]
    with pytest.raises(kopf.TemporaryError, match="did not answer"):
        await start.fn()  # type: ignore[call-arg]


async def test_ending_sets_the_flag_kopf_would_otherwise_wait_for(app: App) -> None:
    stop = asyncio.Event()
    registry = operator.build_operator(app, stop=stop)
    (end,) = [handler for handler in registry._activities._handlers if handler.id == "stop"]
    await end.fn()  # type: ignore[call-arg]
    assert stop.is_set()


def test_kopf_is_told_to_write_nothing() -> None:
    chosen = operator.settings()
    assert not chosen.posting.enabled
    assert chosen.peering.standalone
    assert chosen.scanning.disabled
    progress, base = chosen.persistence.progress_storage, chosen.persistence.diffbase_storage
    patch, body = kopf.Patch(), kopf.Body({})  # type: ignore[typeddict-item]
    progress.store(key=kopf.HandlerId("x"), record={}, body=body, patch=patch)  # type: ignore[typeddict-item]
    progress.touch(body=body, patch=patch, value="x")
    base.store(body=body, patch=patch, essence={})  # type: ignore[typeddict-item]
    assert not patch
    assert base.fetch(body=body) is None


def test_replica_sets_are_filtered_by_the_api_server() -> None:
    selectors = operator.settings().watching.label_selectors
    assert selectors["apps", "replicasets"] == "rollouts-pod-template-hash"


def test_kopf_never_gives_up_on_an_api_server_that_is_away() -> None:
    waits = operator.settings().networking.error_backoffs
    assert not isinstance(waits, float)
    for _ in range(2):  # kopf walks it anew for every request
        first = list(itertools.islice(waits, 1000))
        assert len(first) == 1000
        assert max(first) == 5.0
