"""One watch a kind while it is needed, of metadata of our objects only; no fault ends it, no lack of rights hurts."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from rollouts.api import kinds
from rollouts.api.kinds import Kind
from rollouts.engine.client import Api, Request
from rollouts.engine.errors import ForbiddenError, UnavailableError
from rollouts.gitops.gitsync.watching import REFUSED, Watches
from rollouts.gitops.gitsync.watchlist import Names, Watchlist, names_of
from rollouts.gitops.objects import Ref
from rollouts.gitops.seen import mark

pytestmark = pytest.mark.looptime(start=0, end=36_000)
A = Ref(group="apps", kind="Deployment", namespace="team", name="a")


LABELS = {"gitops.rollouts.dev/managed": "true"}


def partial(version: int = 7, *, generation: int = 1, name: str = "a") -> dict[str, Any]:
    """An object as such a watch gives it: without saying what it is."""
    metadata = {"name": name, "namespace": "team", "uid": "u", "generation": generation, "labels": LABELS}
    return {"kind": "PartialObjectMetadata", "metadata": {**metadata, "resourceVersion": str(version)}}


class Server(Api):
    """An API server: `lists` are answered one after the other (an exception is raised), streams take `tell`."""

    def __init__(self, *lists: Any) -> None:
        super().__init__(session=self, server="memory:")  # type: ignore[arg-type]
        self.status = 200
        self.content = self
        self.asked: list[Request] = []
        self.watched: list[dict[str, str]] = []
        self.forms: list[str] = []
        self._lists = list(lists)
        self._out: asyncio.Queue[bytes | None] = asyncio.Queue()

    def accepting(self, media_type: str) -> Api:
        self.forms.append(media_type)
        return self

    async def send(self, request: Request) -> dict[str, Any]:
        self.asked.append(request)
        answer = self._lists.pop(0) if len(self._lists) > 1 else self._lists[0]
        if isinstance(answer, Exception):
            raise answer
        return {"metadata": {"resourceVersion": "100"}, "items": [], **answer}

    @contextlib.asynccontextmanager
    async def get(self, url: str, *, params: dict[str, str], **_: Any) -> AsyncIterator[Server]:  # type: ignore[override]
        self.watched.append(params)
        yield self

    async def iter_any(self) -> AsyncIterator[bytes]:
        while (chunk := await self._out.get()) is not None:
            yield chunk

    async def tell(self, event: str | None, obj: dict[str, Any] | None = None) -> None:
        """Send an event, None: end the stream; and wait until it was taken in."""
        line = json.dumps({"type": event, "object": obj}).encode() + b"\n"
        self._out.put_nowait(line if event else None)
        await settle()


async def settle() -> None:
    for _ in range(100):
        await asyncio.sleep(0)


class Around:
    """Watches over a watchlist on which the sync `shop` has a mark of the Deployment `a`."""

    def __init__(self, api: Server, *, namespace: str | None = None, kept: tuple[Names, ...] = ()) -> None:
        self.api = api
        self.woken: list[str] = []
        self.watchlist = Watchlist()
        self.watchlist.note("shop", {A: mark(kinds.DEPLOYMENT, partial())})
        self.watches = Watches(
            api=api, watchlist=self.watchlist, woken=self.woken.append, namespace=namespace, kept=kept
        )

    @property
    def live(self) -> bool:
        return self.watches.live(kinds.DEPLOYMENT)


@contextlib.asynccontextmanager
async def around(api: Server, **options: Any) -> AsyncIterator[Around]:
    made = Around(api, **options)
    made.watches.adjust()
    await settle()
    yield made
    await made.watches.close()


async def test_it_asks_for_metadata_of_our_objects_only() -> None:
    """§2.5 D: what is in an object never gets to the controller by this way."""
    async with around(Server({"items": [partial()]})) as world:
        assert world.live
        assert all("as=PartialObjectMetadata" in form for form in world.api.forms)
        (listed,) = world.api.asked
        assert (listed.path, listed.params["labelSelector"]) == (
            "/apis/apps/v1/deployments",
            "gitops.rollouts.dev/managed=true",
        )
        (watched,) = world.api.watched
        assert (watched["labelSelector"], watched["resourceVersion"]) == ("gitops.rollouts.dev/managed=true", "100")


async def test_an_event_wakes_the_sync_of_the_object() -> None:
    async with around(Server({"items": [partial()]})) as world:
        await world.api.tell("MODIFIED", partial(101))
        assert world.woken == []
        await world.api.tell("MODIFIED", partial(102, generation=2))
        await world.api.tell("DELETED", partial(103))
        assert world.woken == ["shop", "shop"]


async def test_what_is_not_in_the_list_is_gone() -> None:
    """Somebody deleted it, or took our label away, before the watch began."""
    async with around(Server({"items": [partial(name="b")]})) as world:
        assert world.woken == ["shop"]


async def test_lists_come_in_pages() -> None:
    more = {"metadata": {"resourceVersion": "100", "continue": "there"}, "items": [partial()]}
    async with around(Server(more, {"items": [partial(name="b")]})) as world:
        assert world.woken == []
        assert [request.params.get("continue") for request in world.api.asked] == [None, "there"]


async def test_a_stream_that_ends_is_taken_up_where_it_was() -> None:
    async with around(Server({"items": [partial()]})) as world:
        await world.api.tell("BOOKMARK", partial(150))
        await world.api.tell(None)
        assert [params["resourceVersion"] for params in world.api.watched] == ["100", "150"]
        assert len(world.api.asked) == 1


async def test_what_is_too_old_is_listed_again() -> None:
    async with around(Server({"items": [partial()]}, {"items": []})) as world:
        await world.api.tell("ERROR", {"code": 410, "message": "too old"})
        assert (len(world.api.asked), world.woken) == (2, ["shop"])


async def test_a_server_that_is_away_is_asked_again_and_nothing_is_trusted_meanwhile() -> None:
    async with around(Server(UnavailableError("away"), {"items": [partial()]})) as world:
        assert not world.live
        await asyncio.sleep(1.1)
        await settle()
        assert world.live


async def test_without_the_right_a_kind_is_polled_and_the_right_tried_again_later() -> None:
    """§2.5 D: no right of the controller is taken for granted, and no sync fails for the lack of one."""
    async with around(Server(ForbiddenError("no", status=403), {"items": [partial()]})) as world:
        assert not world.live
        await asyncio.sleep(REFUSED - 1)
        assert len(world.api.asked) == 1
        await asyncio.sleep(2)
        await settle()
        assert world.live


async def test_it_ends_with_the_last_mark() -> None:
    async with around(Server({"items": [partial()]})) as world:
        world.watchlist.forget("shop")
        world.watches.adjust()
        await settle()
        assert not world.live


CLUSTER_WIDE = Kind(group="x", version="v1", kind="Y", plural="ys", namespaced=False)


@pytest.mark.parametrize(
    ("kind", "options"),
    [(kinds.DEPLOYMENT, {"kept": (names_of(kinds.DEPLOYMENT),)}), (CLUSTER_WIDE, {"namespace": "team"})],
)
async def test_what_the_engine_watches_or_is_out_of_sight_is_not_watched(kind: Kind, options: Any) -> None:
    world = Around(Server({}), **options)
    world.watchlist.note("shop", {A: mark(kind, partial())})
    world.watches.adjust()
    await settle()
    assert world.api.asked == []
    await world.watches.close()
