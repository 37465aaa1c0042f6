"""The recorder: one object per event, counted up when repeated, in order per object, never in the way."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from rollouts.engine.client import Request
from rollouts.engine.events import Recorder
from rollouts.plan import Event
from tests.engine.memory import MemoryApi, refusal
from tests.engine.objects import rollout

pytestmark = pytest.mark.looptime(start=0, end=36_000)


@contextlib.asynccontextmanager
async def recording(api: MemoryApi) -> AsyncIterator[Recorder]:
    recorder = Recorder(api)
    recorder.start()
    try:
        yield recorder
    finally:
        await recorder.stop()


def events(api: MemoryApi) -> list[dict[str, Any]]:
    return [obj for obj in api.objects.values() if obj["kind"] == "Event"]


async def test_an_event_tells_kubectl_all_it_shows() -> None:
    api = MemoryApi()
    async with recording(api) as recorder:
        recorder.record(rollout(), Event(reason="RolloutAborted", message="Rollout aborted", type="Warning"))
    (event,) = events(api)
    assert event["source"] == {"component": "rollouts-controller"}
    assert (event["reason"], event["message"], event["type"]) == ("RolloutAborted", "Rollout aborted", "Warning")
    assert event["involvedObject"] == {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "name": "web",
        "namespace": "ns",
        "uid": "uid-web",
        "resourceVersion": "1",
    }
    assert event["count"] == 1
    assert event["firstTimestamp"] == event["lastTimestamp"]
    assert event["metadata"]["namespace"] == "ns"


async def test_a_repeated_event_is_counted_up_and_another_message_is_not_the_same() -> None:
    api = MemoryApi()
    async with recording(api) as recorder:
        for message in ("a", "b", "a", "a"):
            recorder.record(rollout(), Event(reason="R", message=message))
    assert {event["message"]: event["count"] for event in events(api)} == {"a": 3, "b": 1}


async def test_an_event_that_has_expired_meanwhile_is_made_anew() -> None:
    api = MemoryApi()
    recorder = Recorder(api)
    recorder.start()
    recorder.record(rollout(), Event(reason="R", message="a"))
    await asyncio.sleep(1)
    assert len(events(api)) == 1
    api.objects.clear()
    recorder.record(rollout(), Event(reason="R", message="a"))
    await recorder.stop()
    assert [event["count"] for event in events(api)] == [1]


async def test_an_objects_events_keep_their_order() -> None:
    api = MemoryApi()
    async with recording(api) as recorder:
        for number in range(40):
            recorder.record(rollout(f"r{number % 4}"), Event(reason=f"N{number:02}", message=""))
    for name in ("r0", "r1", "r2", "r3"):
        reasons = [event["reason"] for event in events(api) if event["involvedObject"]["name"] == name]
        assert len(reasons) == 10
        assert reasons == sorted(reasons)


async def test_one_that_talks_too_much_is_silenced_for_a_while_and_others_are_not() -> None:
    api = MemoryApi()
    async with recording(api) as recorder:
        for number in range(200):
            recorder.record(rollout("loud"), Event(reason=f"N{number}", message=""))
        recorder.record(rollout("calm"), Event(reason="Once", message=""))
        await asyncio.sleep(60)
        assert len(events(api)) == 51
        assert recorder.dropped == 150
        recorder.record(rollout("loud"), Event(reason="Later", message=""))
    assert len(events(api)) == 52


@pytest.mark.parametrize("status", [403, 404, 422, 500])
async def test_an_event_that_is_refused_does_not_stop_the_next(status: int) -> None:
    api = MemoryApi()

    def refuse(request: Request) -> None:
        if request.body and request.body["reason"] == "Bad":
            raise refusal(status)

    api.before = refuse
    async with recording(api) as recorder:
        recorder.record(rollout(), Event(reason="Bad", message=""))
        recorder.record(rollout(), Event(reason="Good", message=""))
    assert [event["reason"] for event in events(api)] == ["Good"]


async def test_stopping_does_not_wait_for_ever() -> None:
    api = MemoryApi()

    async def never(request: Request) -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    api.send = never  # type: ignore[method-assign]
    recorder = Recorder(api)
    recorder.start()
    recorder.record(rollout(), Event(reason="R", message=""))
    began = asyncio.get_running_loop().time()
    await recorder.stop(seconds=5)
    assert asyncio.get_running_loop().time() - began == pytest.approx(5, abs=0.1)
