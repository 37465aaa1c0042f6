"""When a forge is told: not before this process knows, never for an old Rollout, and again after a pause."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from rollouts.engine.errors import NotFoundError
from rollouts.engine.snapshots import INDEXES
from rollouts.engine.store import Store
from rollouts.gitops.gitsync.posting import Teller
from rollouts.gitops.gitsync.values import Facts, Finding, Mandate, Task
from rollouts.gitops.health import HEALTHY, Part
from rollouts.gitops.objects import Ref
from tests.gitops.forges.server import TOKEN, ForgeServer
from tests.gitops.gitsync.world import A, after, at, finding, settled, sync

WEB = Ref(group="argoproj.io", kind="Rollout", namespace="team", name="web")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ForgeServer]:
    started = ForgeServer(tmp_path, "gitea")
    yield started
    started.close()


def rollout(version: int, **status: Any) -> dict[str, Any]:
    metadata = {"name": "web", "namespace": "team", "uid": "r", "generation": 1, "resourceVersion": str(version)}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": metadata,
        "status": {"observedGeneration": "1", "phase": "Healthy", **status},
    }


class Api:
    """Has the Secret of the forge."""

    def __init__(self, server: ForgeServer) -> None:
        self.data: dict[str, bytes] | None = {"token": TOKEN.encode(), "ca.crt": server.ca.read_bytes()}

    async def get(self, kind: Any, namespace: str, name: str) -> dict[str, Any]:
        if self.data is None:
            raise NotFoundError("no such Secret", status=404)
        data = {key: base64.b64encode(value).decode() for key, value in self.data.items()}
        return {"metadata": {"name": name}, "data": data}


class World:
    """A GitSync that was compared, its teller, and a clock."""

    def __init__(self, server: ForgeServer) -> None:
        self.server, self.api = server, Api(server)
        forge = {"provider": "gitea", "apiURL": server.url, "secretRef": {"name": "forge"}}
        source = {"repoURL": "https://git.example/team/app.git", "targetRevision": "main"}
        self.obj = after(finding(), obj=sync(forge=forge, source=source))
        self.woken = asyncio.Event()
        self.now = 5.0
        self.restart()

    def restart(self) -> None:
        """Another process, which knows nothing."""
        wake: Callable[[Any], None] = lambda obj: self.woken.set()  # noqa: E731
        self.teller = Teller(api=self.api, store=Store(INDEXES), wake=wake, clock=lambda: at(self.now))  # type: ignore[arg-type]

    def compared(self, version: int, **values: Any) -> None:
        part = Part(ref=WEB, health=HEALTHY, version=version)
        self.teller.found("u", replace(finding(), parts=(part,), **values))

    async def consider(self, *rollouts: dict[str, Any]) -> float | None:
        """Ask once, and wait for what begins."""
        self.woken.clear()
        wait = self.teller.consider(self.obj, rollouts, at(self.now))
        talk = self.teller._talks.get("u")
        if talk is not None and talk.task is not None:
            async with asyncio.timeout(20):
                await self.woken.wait()
        return wait

    def store(self) -> None:
        self.obj, _ = settled(self.obj, Facts(looked_at=at(1), told=self.teller.told(self.obj)), now=at(6))
        self.teller.stored(self.obj)

    @property
    def message(self) -> str:
        return str((self.obj["status"].get("forge") or {}).get("message") or "")


@pytest.fixture
async def world(server: ForgeServer) -> World:
    return World(server)


async def test_nothing_is_said_before_this_process_has_compared(world: World) -> None:
    await world.consider(rollout(7))
    world.compared(7, mandate=Mandate(task=Task.IMAGES))
    await world.consider(rollout(7))
    assert world.server.requests == []
    world.compared(7)
    await world.consider(rollout(7))
    assert [state for state, _ in world.server.told(A)] == ["success"]


async def test_an_old_rollout_does_not_speak_for_a_new_commit(world: World) -> None:
    """The pass has applied version 9 of the Rollout; the store still has the one before, which is Healthy."""
    world.compared(9)
    await world.consider(rollout(8))
    await world.consider()
    assert world.server.requests == []
    await world.consider(rollout(10, phase="Progressing", stableRS="a", currentPodHash="b"))
    assert world.server.told(A) == [("pending", "web: waits for its pods")]


async def test_what_was_told_is_not_told_again_whoever_acts(world: World) -> None:
    """Killed between the post and the status: the next process asks, and only stores it."""
    world.compared(7)
    await world.consider(rollout(7))
    world.restart()
    world.compared(7)
    await world.consider(rollout(7))
    assert len(world.server.told()) == 1
    world.store()
    count = len(world.server.requests)
    await world.consider(rollout(7))
    assert len(world.server.requests) == count


async def test_a_failure_is_tried_again_after_a_growing_pause(world: World) -> None:
    world.server.bad = lambda method, path: web.Response(status=500)
    world.compared(7)
    for pause in (10, 20, 40, 80):
        await world.consider(rollout(7))
        world.store()
        assert await world.consider(rollout(7)) == pause
        world.now += pause
    assert "answers 500" in world.message
    world.server.bad = lambda method, path: None
    await world.consider(rollout(7))
    world.store()
    assert world.message == ""


async def test_a_forge_that_asks_for_a_longer_pause_gets_it(world: World) -> None:
    world.server.bad = lambda method, path: web.Response(status=429, headers={"Retry-After": "1234"})
    world.compared(7)
    await world.consider(rollout(7))
    world.store()
    assert await world.consider(rollout(7)) == 1234


@pytest.mark.parametrize("change", ["a new spec", "a request"])
async def test_a_person_who_changes_something_does_not_wait(world: World, change: str) -> None:
    world.api.data = {"token": b""}
    world.compared(7)
    await world.consider(rollout(7))
    world.store()
    assert "needs a key `token`" in world.message
    world.api.data = Api(world.server).data
    assert await world.consider(rollout(7))
    assert world.server.requests == []
    if change == "a request":
        world.obj["metadata"]["annotations"] = {"gitops.rollouts.dev/requestedAt": "now"}
    else:
        world.obj["metadata"]["generation"] = 2
    await world.consider(rollout(7))
    assert len(world.server.told()) == 1


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (None, "Secret forge (spec.forge.secretRef) could not be read"),
        ({}, "needs a key `token`"),
        ({"token": b"a\nb: c"}, "one line of printable text"),
        ({"token": b"x", "ca.crt": b"no certificate"}, "`ca.crt` is no certificate"),
    ],
    ids=["no Secret", "no token", "two lines", "no certificate"],
)
async def test_a_secret_that_does_not_do_is_named(world: World, data: dict[str, bytes] | None, said: str) -> None:
    world.api.data = data
    world.compared(7)
    await world.consider(rollout(7))
    world.store()
    assert said in world.message
    assert world.server.requests == []


async def test_a_gitsync_without_a_forge_costs_nothing(world: World) -> None:
    world.obj["spec"].pop("forge")
    world.compared(7)
    await world.consider(rollout(7))
    assert world.server.requests == []


async def test_a_gitsync_that_is_gone_ends_what_is_under_way(world: World) -> None:
    world.compared(7)
    world.teller.consider(world.obj, (rollout(7),), at(5))
    world.teller.forget("u")
    await world.teller.stop()
    assert world.teller.told(world.obj) is None
    assert isinstance(finding(), Finding)
