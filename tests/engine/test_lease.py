"""The Lease, in virtual time: one acts, the next takes over in time, one that is cut off stops in time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from rollouts.api import kinds
from rollouts.engine.client import Request
from rollouts.engine.errors import UnavailableError
from rollouts.engine.lease import Lease, Timing
from tests.engine.memory import MemoryApi

pytestmark = pytest.mark.looptime(start=0, end=3600)
TIMING = Timing(duration=15, renew_deadline=10, retry=2)
PATH = kinds.LEASE.path("ns", "lock")


@contextlib.asynccontextmanager
async def running(api: MemoryApi, identity: str) -> AsyncIterator[Lease]:
    lease = Lease(api=api, namespace="ns", name="lock", identity=identity, timing=TIMING)
    task = asyncio.create_task(lease.run())
    try:
        yield lease
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def holder(api: MemoryApi) -> str | None:
    found: str | None = api.objects[PATH]["spec"].get("holderIdentity")
    return found


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_the_first_makes_it_and_renews_with_one_request() -> None:
    api = MemoryApi()
    async with running(api, "one") as lease:
        await lease.held.wait()
        await asyncio.sleep(1)
        assert holder(api) == "one"
        api.log.clear()
        await asyncio.sleep(60)
        assert set(api.log) == {f"PATCH {PATH}"}
        assert 27 <= len(api.log) <= 34
        assert api.objects[PATH]["spec"]["leaseTransitions"] == 1


async def test_a_second_waits_while_the_first_renews() -> None:
    api = MemoryApi()
    async with running(api, "one") as one:
        await one.held.wait()
        async with running(api, "two") as two:
            await asyncio.sleep(300)
            assert not two.held.is_set()
            assert not one.lost.is_set()


async def test_one_that_died_is_followed_after_its_duration_and_not_before() -> None:
    api = MemoryApi()
    async with running(api, "one") as one:
        await one.held.wait()
    async with running(api, "two") as two:
        began = now()
        await two.held.wait()
        assert TIMING.duration <= now() - began <= TIMING.duration + 2 * TIMING.retry
        assert holder(api) == "two"
        assert api.objects[PATH]["spec"]["leaseTransitions"] == 2


async def test_one_that_ends_well_is_followed_at_once() -> None:
    api = MemoryApi()
    async with contextlib.AsyncExitStack() as stack:
        one = await stack.enter_async_context(running(api, "one"))
        await one.held.wait()
        async with running(api, "two") as two:
            await asyncio.sleep(30)
            await stack.aclose()
            await one.release()
            began = now()
            await two.held.wait()
            assert now() - began <= 2 * TIMING.retry


async def test_one_that_is_cut_off_stops_before_another_may_begin() -> None:
    api = MemoryApi()

    def unreachable(_: Request) -> None:
        raise UnavailableError("no route")

    async with running(api, "one") as one:
        await one.held.wait()
        await asyncio.sleep(30)
        api.before = unreachable
        began = now()
        await one.lost.wait()
        assert TIMING.renew_deadline - 2 * TIMING.retry <= now() - began < TIMING.duration


async def test_a_short_outage_does_no_harm() -> None:
    api = MemoryApi()

    def unreachable(_: Request) -> None:
        raise UnavailableError("no route")

    async with running(api, "one") as one:
        await one.held.wait()
        api.before = unreachable
        await asyncio.sleep(6)
        api.before = lambda _: None
        await asyncio.sleep(60)
        assert not one.lost.is_set()


async def test_one_whose_lease_was_taken_stops_at_its_next_renewal() -> None:
    api = MemoryApi()
    async with running(api, "one") as one:
        await one.held.wait()
        api.put(kinds.LEASE, {"metadata": {"name": "lock", "namespace": "ns"}, "spec": {"holderIdentity": "thief"}})
        began = now()
        await one.lost.wait()
        assert now() - began <= 2 * TIMING.retry
        await one.release()
        assert holder(api) == "thief"


async def test_a_deleted_lease_is_made_anew() -> None:
    api = MemoryApi()
    async with running(api, "one") as one:
        await one.held.wait()
        del api.objects[PATH]
        await asyncio.sleep(10)
        assert holder(api) == "one"
        assert not one.lost.is_set()


async def test_releasing_empties_the_holder_with_a_valid_lease() -> None:
    api = MemoryApi()
    async with running(api, "one") as one:
        await one.held.wait()
    await one.release()
    assert "holderIdentity" not in api.objects[PATH]["spec"]
    assert api.objects[PATH]["spec"]["leaseDurationSeconds"] > 0
