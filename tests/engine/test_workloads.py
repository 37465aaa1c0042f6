"""Workloads referred to: one watch per kind while it is needed, only what is referred to is kept, no fault ends it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from rollouts.api import kinds
from rollouts.engine.client import Request
from rollouts.engine.errors import ApiError, ForbiddenError
from rollouts.engine.snapshots import INDEXES
from rollouts.engine.store import Key, Store
from rollouts.engine.workloads import PROJECTIONS, Workloads
from tests.engine.memory import MemoryApi
from tests.engine.objects import rollout

pytestmark = pytest.mark.looptime(start=0, end=36_000)
LIST = "GET /apis/apps/v1/deployments"


def referring(name: str = "web", to: str = "old") -> dict[str, Any]:
    return rollout(name, spec={"workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": to}})


def deployment(name: str = "old", *, version: int = 50, replicas: int = 1, **more: Any) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "ns", "uid": f"uid-{name}", "resourceVersion": str(version)}
    return {
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {"replicas": replicas, **more},
        "status": {"x": version},
    }


class Stream:
    """A watch: what is put into it goes out in pieces of 7 bytes; None ends it, an exception breaks it."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.content = self
        self._out: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()

    def send(self, kind: str, obj: dict[str, Any]) -> None:
        line = json.dumps({"type": kind, "object": obj}).encode() + b"\n"
        for start in range(0, len(line), 7):
            self._out.put_nowait(line[start : start + 7])

    def end(self, error: Exception | None = None) -> None:
        self._out.put_nowait(error)

    async def text(self) -> str:
        return "no"

    async def iter_any(self) -> AsyncIterator[bytes]:
        while (chunk := await self._out.get()) is not None:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk


class Watched(MemoryApi):
    """An API server with a stream for each watch, in the order they begin; lists come in pages of `page`."""

    def __init__(self, *objects: Any, streams: list[Stream] | None = None, page: int = 500) -> None:
        super().__init__(*((kinds.DEPLOYMENT, obj) for obj in objects))
        self.streams = streams or [Stream()]
        self.began: list[str] = []
        self.pages: list[str] = []
        self.session = Session(self)  # type: ignore[assignment]
        self._page = page

    async def send(self, request: Request) -> dict[str, Any]:
        answer = await super().send(request)
        if "items" not in answer:
            return answer
        self.pages.append(request.params["limit"])
        start = int(request.params.get("continue", 0))
        items = [obj for obj in self.objects.values() if obj["kind"] == "Deployment"]
        more = {"continue": str(start + self._page)} if start + self._page < len(items) else {}
        return {"items": items[start : start + self._page], "metadata": {"resourceVersion": "1000", **more}}


class Session:
    """As much of an HTTP session as a watch needs."""

    def __init__(self, api: Watched) -> None:
        self._api = api

    @contextlib.asynccontextmanager
    async def get(self, url: str, *, params: Any, **_: Any) -> AsyncIterator[Stream]:
        began, streams = self._api.began, self._api.streams
        began.append(params["resourceVersion"])
        yield streams[min(len(began), len(streams)) - 1]


class Around:
    """Workloads over a store with Rollouts; `woken` is what was said to have changed."""

    def __init__(self, api: Watched, *rollouts: dict[str, Any]) -> None:
        self.store = Store(INDEXES, projections=PROJECTIONS)
        self.woken: list[str] = []
        self.api = api
        self.workloads = Workloads(
            api=api, store=self.store, namespace=None, changed=lambda _, obj: self.woken.append(obj["metadata"]["name"])
        )
        for obj in rollouts:
            self.store.shelf(kinds.ROLLOUT).put(obj)

    @property
    def kept(self) -> list[str]:
        return sorted(key.name for key in self.store.shelf(kinds.DEPLOYMENT).objects)

    async def replicas(self, name: str = "old") -> int | None:
        found = self.store.get(kinds.DEPLOYMENT, Key("ns", name))
        return None if found is None else int(found["spec"]["replicas"])

    async def settle(self) -> None:
        for _ in range(200):
            await asyncio.sleep(0)


@contextlib.asynccontextmanager
async def around(api: Watched, *rollouts: dict[str, Any]) -> AsyncIterator[Around]:
    made = Around(api, *rollouts)
    yield made
    await made.workloads.close()


async def test_without_a_reference_nothing_is_asked() -> None:
    async with around(Watched(deployment()), rollout()) as world:
        assert await world.workloads.of(rollout()) is None
        assert world.api.log == []
        assert not world.workloads.watched


async def test_one_list_serves_all_rollouts_and_keeps_only_what_is_referred_to() -> None:
    unrelated = [deployment(f"other-{number}") for number in range(7)]
    async with around(Watched(*unrelated, deployment(), page=3), referring(), referring("api")) as world:
        found = await asyncio.gather(world.workloads.of(referring()), world.workloads.of(referring("api")))
        assert [obj["metadata"]["name"] for obj in found if obj] == ["old", "old"]
        assert (world.kept, world.api.log) == (["old"], [LIST] * 3)
        assert found[0] is not None
        assert "status" not in found[0]


async def test_one_that_was_passed_over_is_read_when_it_is_referred_to() -> None:
    async with around(Watched(deployment(), deployment("later")), referring()) as world:
        await world.workloads.of(referring())
        other = referring("api", to="later")
        world.store.shelf(kinds.ROLLOUT).put(other)
        assert await world.workloads.of(other) is not None
        assert world.api.log == [LIST, "GET /apis/apps/v1/namespaces/ns/deployments/later"]
        missing = referring("x", to="missing")
        assert await world.workloads.of(missing) is None


async def test_what_a_watch_brings_wakes_only_when_it_matters() -> None:
    async with around(Watched(deployment()), referring()) as world:
        await world.workloads.of(referring())
        world.woken.clear()
        stream = world.api.streams[0]
        stream.send("MODIFIED", deployment(version=1001))  # another status
        stream.send("MODIFIED", deployment("unrelated", version=1002))
        await world.settle()
        assert (world.woken, world.kept) == ([], ["old"])
        stream.send("MODIFIED", deployment(version=1003, replicas=4, template={"text": "x" * 300_000}))
        await world.settle()
        assert (world.woken, await world.replicas()) == (["old"], 4)
        stream.send("DELETED", deployment(version=1004))
        await world.settle()
        assert (world.woken, world.kept) == (["old", "old"], [])


async def test_it_ends_when_nothing_refers_to_the_kind_any_more() -> None:
    async with around(Watched(deployment()), referring()) as world:
        await world.workloads.of(referring())
        world.store.shelf(kinds.ROLLOUT).remove(referring())
        world.api.streams[0].send("BOOKMARK", {"kind": "Deployment", "metadata": {"resourceVersion": "1001"}})
        await world.settle()
        assert (world.workloads.watched, world.kept) == (frozenset(), [])
        world.store.shelf(kinds.ROLLOUT).put(referring("again"))
        assert await world.workloads.of(referring("again")) is not None
        assert world.api.began == ["1000", "1000"]


async def test_a_watch_that_ends_goes_on_where_it_was() -> None:
    first, second = Stream(), Stream()
    async with around(Watched(deployment(), streams=[first, second]), referring()) as world:
        await world.workloads.of(referring())
        first.send("BOOKMARK", {"kind": "Deployment", "metadata": {"resourceVersion": "1500"}})
        first.end()
        await world.settle()
        second.send("MODIFIED", deployment(version=1600, replicas=9))
        await world.settle()
        assert (world.api.began, await world.replicas()) == (["1000", "1500"], 9)


@pytest.mark.parametrize("broken", ["gone in the stream", "gone at once", "lost", "garbage"])
async def test_a_watch_that_breaks_begins_anew_and_misses_no_deletion(broken: str) -> None:
    first, second = Stream(), Stream()
    between = [Stream(status=410)] if broken == "gone at once" else []
    async with around(Watched(deployment(), streams=[first, *between, second]), referring()) as world:
        await world.workloads.of(referring())
        world.woken.clear()
        del world.api.objects["/apis/apps/v1/namespaces/ns/deployments/old"]
        if broken == "gone in the stream":
            first.send("ERROR", {"kind": "Status", "code": 410, "message": "too old"})
        if broken == "gone at once":
            first.end()
        if broken == "lost":
            first.end(TimeoutError())
        if broken == "garbage":
            first._out.put_nowait(b"{not json\n")
        await asyncio.sleep(5)
        assert (world.kept, world.woken) == ([], ["old"])
        second.send("ADDED", deployment(version=2000, replicas=2))
        await world.settle()
        assert await world.replicas() == 2


async def test_rights_that_are_missing_are_told_and_asked_for_again() -> None:
    api = Watched(deployment())

    def refuse(_: Request) -> None:
        raise ForbiddenError("deployments is forbidden", status=403)

    api.before = refuse
    async with around(api, referring()) as world:
        for _ in range(2):
            with pytest.raises(ApiError, match="deployments is forbidden"):
                await world.workloads.of(referring())
            await world.settle()
        api.before = lambda _: None
        assert await world.workloads.of(referring()) is not None


async def test_a_fault_of_our_own_ends_no_worker() -> None:
    """Whoever waits gets the fault, not a cancellation, and the next one begins anew."""
    api = Watched(deployment())

    def fail(_: Request) -> None:
        raise RuntimeError("a bug")

    api.before = fail
    async with around(api, referring()) as world:
        with pytest.raises(RuntimeError, match="a bug"):
            await world.workloads.of(referring())
        await world.settle()
        assert not world.workloads.watched
