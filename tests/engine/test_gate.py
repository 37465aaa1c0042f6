"""The gate: so many at once, the urgent first, and no slot is ever lost."""

from __future__ import annotations

import asyncio

import pytest

from rollouts.engine.gate import Gate, Urgency

pytestmark = pytest.mark.looptime(start=0, end=3600)


async def hold(gate: Gate, urgency: Urgency, order: list[str], name: str, seconds: float = 1) -> None:
    async with gate.enter(urgency):
        order.append(name)
        await asyncio.sleep(seconds)


async def test_waiters_enter_by_urgency_then_arrival() -> None:
    gate, order = Gate(1), list[str]()
    async with asyncio.TaskGroup() as group:
        for name, urgency in [
            ("first", Urgency.REPORT),
            ("report", Urgency.REPORT),
            ("change", Urgency.CHANGE),
            ("change 2", Urgency.CHANGE),
            ("create", Urgency.CREATE),
        ]:
            group.create_task(hold(gate, urgency, order, name))
    assert order == ["first", "create", "change", "change 2", "report"]


async def test_so_many_at_once() -> None:
    gate, order = Gate(3), list[str]()
    async with asyncio.TaskGroup() as group:
        for number in range(9):
            group.create_task(hold(gate, Urgency.CHANGE, order, str(number)))
        await asyncio.sleep(0.5)
        assert len(order) == 3
    assert asyncio.get_running_loop().time() == 3


@pytest.mark.parametrize("when", [0.5, 1.0])
async def test_one_that_is_cancelled_while_waiting_gives_its_turn_away(when: float) -> None:
    gate, order = Gate(1), list[str]()
    tasks = [asyncio.create_task(hold(gate, Urgency.CHANGE, order, name)) for name in "abc"]
    await asyncio.sleep(when)
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order[0] == "a"
    assert order[-1] == "c"
    await asyncio.wait_for(hold(gate, Urgency.REPORT, order, "last"), 5)


async def test_a_failure_inside_frees_the_slot() -> None:
    gate = Gate(1)
    for _ in range(3):
        with pytest.raises(ValueError, match="inside"):
            async with gate.enter(Urgency.CREATE):
                raise ValueError("inside")
