"""When pods are looked at: late, seldom, and never for what is all right. In virtual time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rollouts.api import kinds
from rollouts.engine.client import Request
from rollouts.engine.troubles import PER_SECOND, Troubles
from rollouts.strategy import trouble
from tests.engine.memory import MemoryApi, refusal
from tests.engine.objects import replica_set, rollout

pytestmark = pytest.mark.looptime(start=0, end=36_000)

JSON = dict[str, Any]
HASH = "rollouts-pod-template-hash"
LIST = "GET /api/v1/namespaces/ns/pods"


def new(name: str = "web", *, ready: int = 0) -> JSON:
    """The new ReplicaSet of a Rollout, which wants one pod."""
    return {**replica_set(f"{name}-1", owner=name, labels={HASH: "1"}), "status": {"readyReplicas": ready}}


def asked(name: str = "web") -> JSON:
    return rollout(name, status={"currentPodHash": "1"})


def broken(name: str = "web") -> JSON:
    """A pod that can't be pulled."""
    owner = {"uid": f"uid-{name}-1", "controller": True}
    waiting = {"reason": "ImagePullBackOff", "message": "no"}
    return {
        "metadata": {"name": f"{name}-1-x", "namespace": "ns", "ownerReferences": [owner]},
        "status": {"containerStatuses": [{"name": name, "state": {"waiting": waiting}}]},
    }


async def followed(troubles: Troubles, obj: JSON, rs: JSON, *, seconds: float) -> list[str]:
    """Look each time it is due, for so many seconds; what was found each time."""
    loop, said = asyncio.get_running_loop(), []
    end = loop.time() + seconds
    while True:
        look = await troubles.look(obj, [rs])
        said.append(trouble.summary(look.found or ()))
        if look.again is None or loop.time() + look.again > end:
            return said
        await asyncio.sleep(look.again)


async def test_a_rollout_whose_pods_are_there_costs_nothing() -> None:
    api = MemoryApi()
    assert (await Troubles(api).look(asked(), [new(ready=1)])).again is None
    assert (await Troubles(api).look(rollout(), [new()])).again is None
    assert (await Troubles(api).look(asked(), [])).again is None
    assert api.log == []


async def test_pods_that_come_within_five_seconds_cost_nothing() -> None:
    api = MemoryApi((kinds.POD, broken()))
    troubles = Troubles(api)
    assert await followed(troubles, asked(), new(), seconds=4.9) == [""]
    assert (await troubles.look(asked(), [new(ready=1)])).again is None
    assert api.log == []


async def test_what_is_wrong_is_known_after_five_seconds() -> None:
    api = MemoryApi((kinds.POD, broken()), (kinds.POD, broken("other")))
    said = await followed(Troubles(api), asked(), new(), seconds=5)
    assert said == ["", "container web: ImagePullBackOff: no"]
    assert api.log == [LIST]


async def test_looks_grow_rare() -> None:
    api = MemoryApi((kinds.POD, broken()))
    await followed(Troubles(api), asked(), new(), seconds=3600)
    assert len(api.log) == 5 + 1 + (3600 - 140) // 60


async def test_events_in_between_cost_no_look_and_lose_nothing() -> None:
    api = MemoryApi((kinds.POD, broken()))
    troubles = Troubles(api)
    await followed(troubles, asked(), new(), seconds=5)
    for _ in range(20):
        await asyncio.sleep(0.2)
        assert (await troubles.look(asked(), [new()])).found
    assert api.log == [LIST]


async def test_another_replica_set_begins_afresh() -> None:
    api = MemoryApi((kinds.POD, broken()))
    troubles = Troubles(api)
    await followed(troubles, asked(), new(), seconds=5)
    other = {**new(), "metadata": {**new()["metadata"], "uid": "another"}}
    assert (await troubles.look(asked(), [other])).found is None
    assert api.log == [LIST]


async def test_many_rollouts_in_trouble_share_a_budget() -> None:
    names = [f"r{number}" for number in range(100)]
    api = MemoryApi(*((kinds.POD, broken(name)) for name in names))
    troubles = Troubles(api)
    await asyncio.gather(*(followed(troubles, asked(name), new(name), seconds=15) for name in names))
    assert len(api.log) <= PER_SECOND * 11
    await asyncio.gather(*(followed(troubles, asked(name), new(name), seconds=60) for name in names))
    assert all([(await troubles.look(asked(name), [new(name)])).found for name in names])


async def test_an_api_server_that_refuses_does_no_harm() -> None:
    def forbidden(_: Request) -> None:
        raise refusal(403)

    api = MemoryApi((kinds.POD, broken()))
    troubles = Troubles(api)
    await followed(troubles, asked(), new(), seconds=5)
    api.before = forbidden
    said = await followed(troubles, asked(), new(), seconds=100)
    assert set(said) == {"container web: ImagePullBackOff: no"}
