"""The loop, in virtual time: plans carried out, conflicts planned again, faults kept to their own key."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
import structlog

from rollouts.api import kinds
from rollouts.engine.client import Request
from rollouts.engine.errors import ApiError, Attempt
from rollouts.engine.events import Recorder
from rollouts.engine.metrics import Metrics
from rollouts.engine.queue import Priority
from rollouts.engine.reconcile import Controller, Loop
from rollouts.engine.store import Key, Store
from rollouts.engine.writer import Writer
from rollouts.plan import Event, Plan
from tests.engine.memory import MemoryApi, refusal
from tests.engine.objects import rollout

pytestmark = pytest.mark.looptime(start=0, end=36_000)

Decide = Callable[[Any], Awaitable[Plan]]


class Shop:
    """A loop over Rollouts in memory; `decided` counts decisions by name."""

    def __init__(self, decide: Decide, *names: str, workers: int = 2, shows_errors: bool = False) -> None:
        self.api = MemoryApi(*((kinds.ROLLOUT, rollout(name)) for name in names))
        self.store = Store({kinds.ROLLOUT: {}, kinds.ANALYSIS_RUN: {}})
        for obj in self.api.objects.values():
            self.store.absorb(kinds.ROLLOUT, obj)
        self.recorder = Recorder(self.api)
        self.metrics = Metrics(store=self.store, requests=Counter(), events=self.recorder.recorded)
        self.decided: Counter[str] = Counter()
        self._decide = decide
        self.loop = Loop(
            controller=Controller(kind=kinds.ROLLOUT, decide=self.decide, workers=workers, shows_errors=shows_errors),
            store=self.store,
            writer=Writer(api=self.api, store=self.store, recorder=self.recorder),
            recorder=self.recorder,
            metrics=self.metrics,
        )

    async def decide(self, obj: Any, now: datetime) -> Plan:
        assert now.tzinfo is not None
        self.decided[obj["metadata"]["name"]] += 1
        return await self._decide(obj)

    def phase(self, name: str) -> str | None:
        known = self.api.objects[kinds.ROLLOUT.path("ns", name)]
        found: str | None = known.get("status", {}).get("phase")
        return found

    def conditions(self, name: str) -> dict[str, str]:
        """Messages by type."""
        known = self.api.objects[kinds.ROLLOUT.path("ns", name)]
        return {c["type"]: c["message"] for c in known["status"]["conditions"]}


@contextlib.asynccontextmanager
async def working(shop: Shop, *names: str) -> AsyncIterator[None]:
    for name in names:
        shop.loop.queue.add(Key("ns", name))
    shop.loop.start()
    try:
        yield
    finally:
        await shop.loop.stop()


async def healthy(_: Any) -> Plan:
    return Plan(status={"phase": "Healthy"})


async def test_a_key_is_decided_about_and_the_plan_carried_out() -> None:
    shop = Shop(healthy, "web")
    async with working(shop, "web"):
        await asyncio.sleep(1)
    assert shop.phase("web") == "Healthy"
    assert shop.decided["web"] == 1


async def test_a_key_whose_object_is_gone_is_let_go() -> None:
    shop = Shop(healthy, "web")
    async with working(shop, "gone"):
        await asyncio.sleep(1)
    assert shop.loop.queue.statistics().delayed == 0
    assert not shop.decided


async def test_it_looks_again_when_the_plan_says() -> None:
    async def again(_: Any) -> Plan:
        return Plan(requeue_after=10)

    shop = Shop(again, "web")
    async with working(shop, "web"):
        await asyncio.sleep(35)
        assert shop.decided["web"] == 4


async def test_a_conflict_is_planned_again_at_once_from_fresh_state() -> None:
    async def note_image(obj: Any) -> Plan:
        return Plan(status={"phase": obj["spec"].get("image", "none")})

    shop = Shop(note_image, "web")
    shop.api.put(kinds.ROLLOUT, rollout(spec={"image": "new"}))
    async with working(shop, "web"):
        await asyncio.sleep(0.1)
        assert shop.phase("web") == "new"
    assert shop.decided["web"] == 2
    assert not shop.recorder.recorded


async def test_a_decider_that_fails_is_logged_counted_shown_and_tried_again() -> None:
    async def bad(_: Any) -> Plan:
        raise ZeroDivisionError("by nothing")

    shop = Shop(bad, "web")
    async with working(shop, "web"):
        await asyncio.sleep(60)
        assert 10 < shop.decided["web"] < 20
    assert shop.recorder.recorded == {("Warning", "ReconciliationError"): 1}
    assert (
        f'rollout_reconcile_error_total{{name="web",namespace="ns"}} {shop.decided["web"]}.0'
        in shop.metrics.text().decode()
    )


async def test_a_fault_is_a_condition_written_once_and_gone_with_the_next_success() -> None:
    broken = True

    async def decide(obj: Any) -> Plan:
        if broken:
            raise ZeroDivisionError("by nothing")
        return Plan(status={"conditions": [c for c in obj["status"]["conditions"] if c["type"] != "ReconcileError"]})

    shop = Shop(decide, "web", shows_errors=True)
    kept = {"type": "Available", "status": "True", "reason": "AvailableReason", "message": "yes"}
    shop.store.absorb(kinds.ROLLOUT, shop.api.put(kinds.ROLLOUT, rollout(status={"conditions": [kept]})))
    async with working(shop, "web"):
        await asyncio.sleep(60)
        assert shop.conditions("web") == {"Available": "yes", "ReconcileError": "ZeroDivisionError: by nothing"}
        assert len(shop.api.writes()) == 1
        broken = False
        await asyncio.sleep(11)
    assert shop.conditions("web") == {"Available": "yes"}


async def test_a_fault_that_can_not_be_shown_is_tried_again_all_the_same() -> None:
    async def bad(_: Any) -> Plan:
        raise ZeroDivisionError("by nothing")

    def refused(_: Request) -> None:
        raise refusal(403)

    shop = Shop(bad, "web", shows_errors=True)
    shop.api.before = refused
    async with working(shop, "web"):
        await asyncio.sleep(60)
        assert shop.decided["web"] > 10


async def test_a_fault_that_was_told_before_a_restart_is_not_told_again() -> None:
    async def bad(_: Any) -> Plan:
        raise ZeroDivisionError("by nothing")

    shop = Shop(bad, "web", shows_errors=True)
    shown = {"type": "ReconcileError", "status": "True", "reason": "x", "message": "ZeroDivisionError: by nothing"}
    shop.store.absorb(kinds.ROLLOUT, shop.api.put(kinds.ROLLOUT, rollout(status={"conditions": [shown]})))
    async with working(shop, "web"):
        await asyncio.sleep(60)
    assert not shop.recorder.recorded


async def test_a_fault_with_other_words_is_told_too_and_one_that_comes_back() -> None:
    faults = iter(["a"] * 3 + ["b"] * 6 + [""] + ["b"] * 3)

    async def decide(_: Any) -> Plan:
        if words := next(faults, ""):
            raise ValueError(words)
        return Plan(requeue_after=1)

    shop = Shop(decide, "web")
    async with working(shop, "web"):
        await asyncio.sleep(60)
    assert shop.recorder.recorded == {("Warning", "ReconciliationError"): 3}


async def test_faults_that_take_turns_are_told_once_each() -> None:
    faults = iter(["a"] * 3 + (["b"] * 3 + ["a"] * 3) * 3)

    async def decide(_: Any) -> Plan:
        raise ValueError(next(faults, "a"))

    shop = Shop(decide, "web")
    async with working(shop, "web"):
        await asyncio.sleep(300)
    assert shop.decided["web"] > 21
    assert shop.recorder.recorded == {("Warning", "ReconciliationError"): 2}


@pytest.mark.parametrize(("verb", "failures"), [("create", 1), ("scale up", 3)])
async def test_a_replica_set_that_can_not_be_made_is_told_at_once(verb: str, failures: int) -> None:
    """As by the peer. What fails on the way may be gone at the next attempt."""
    seen: list[int] = []

    async def decide(_: Any) -> Plan:
        seen.append(sum(shop.recorder.recorded.values()))
        error = ApiError("no room")
        error.attempt = Attempt(verb=verb, kind=kinds.REPLICA_SET.kind, name="web-5f6c")
        raise error

    shop = Shop(decide, "web", shows_errors=True)
    async with working(shop, "web"):
        await asyncio.sleep(60)
    assert seen.index(1) == failures
    assert seen[-1] == 1
    assert len(shop.api.writes()) == 1  # the conditions


async def test_what_a_plan_did_is_told_once_it_is_done() -> None:
    done: list[Any] = []
    shop = Shop(healthy, "web")
    shop.loop.controller = replace(shop.loop.controller, done=lambda obj, plan: done.append((obj, plan)))
    shop.api.put(kinds.ROLLOUT, rollout(spec={"image": "new"}))  # so that the first attempt is refused
    async with working(shop, "web"):
        await asyncio.sleep(0.1)
    ((obj, plan),) = done
    assert (obj["spec"], plan.status) == ({"image": "new"}, {"phase": "Healthy"})


async def test_it_heals_and_forgets_its_failures() -> None:
    broken = True

    async def decide(obj: Any) -> Plan:
        if broken:
            raise ValueError
        return await healthy(obj)

    shop = Shop(decide, "web")
    async with working(shop, "web"):
        await asyncio.sleep(20)
        broken = False
        await asyncio.sleep(11)
        assert shop.phase("web") == "Healthy"
        assert shop.loop.queue.failures(Key("ns", "web")) == 0


async def test_one_bad_key_and_one_slow_key_do_not_hold_up_the_others() -> None:
    async def decide(obj: Any) -> Plan:
        match obj["metadata"]["name"]:
            case "bad":
                raise ValueError
            case "slow":
                await asyncio.sleep(3600)
        return await healthy(obj)

    names = [f"r{number}" for number in range(50)]
    shop = Shop(decide, "bad", "slow", *names)
    async with working(shop, "bad", "slow", *names):
        await asyncio.sleep(0.5)
        assert [name for name in names if shop.phase(name) != "Healthy"] == []


async def test_a_key_is_never_worked_on_twice_at_once() -> None:
    inside = most = 0

    async def decide(_: Any) -> Plan:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        await asyncio.sleep(1)
        inside -= 1
        return Plan()

    shop = Shop(decide, "web", workers=8)
    async with working(shop, "web"):
        for _ in range(10):
            shop.loop.queue.add(Key("ns", "web"), Priority.FIRST)
            await asyncio.sleep(0.3)
    assert most == 1
    assert shop.decided["web"] >= 3


async def test_an_api_server_that_is_away_is_not_the_objects_fault_and_nothing_is_lost() -> None:
    def away(_: Request) -> None:
        raise refusal(503)

    shop = Shop(healthy, "web")
    shop.api.before = away
    async with working(shop, "web"):
        await asyncio.sleep(60)
        assert shop.phase("web") is None
        shop.api.before = lambda _: None
        await asyncio.sleep(11)
    assert shop.phase("web") == "Healthy"
    assert not shop.recorder.recorded


async def test_stopping_lets_work_under_way_end_and_takes_up_nothing_more() -> None:
    async def slow(obj: Any) -> Plan:
        await asyncio.sleep(3)
        return await healthy(obj)

    shop = Shop(slow, "one", "two", workers=1)
    async with working(shop, "one", "two"):
        await asyncio.sleep(1)
    assert (shop.phase("one"), shop.phase("two")) == ("Healthy", None)


async def test_stopping_does_not_wait_for_ever() -> None:
    async def hung(_: Any) -> Plan:
        await asyncio.Event().wait()
        return Plan()

    shop = Shop(hung, "web")
    shop.loop.queue.add(Key("ns", "web"))
    shop.loop.start()
    await asyncio.sleep(1)
    await shop.loop.stop(seconds=4)
    assert asyncio.get_running_loop().time() == pytest.approx(5, abs=0.1)


@pytest.mark.parametrize(
    ("plan", "level"),
    [
        (Plan(status={"metricResults": []}), "debug"),
        (Plan(status={"metricResults": [], "phase": "Failed"}), "info"),
        (Plan(status={"metricResults": []}, events=(Event(reason="MetricFailed", message="m"),)), "info"),
    ],
)
async def test_one_more_measurement_is_not_worth_a_line_in_the_log(plan: Plan, level: str) -> None:
    async def measured(_: Any) -> Plan:
        return plan

    shop = Shop(measured, "web")
    with structlog.testing.capture_logs() as lines:
        await shop.loop.once(Key("ns", "web"))
    assert [line["log_level"] for line in lines if line["event"] == "acting"] == [level]
