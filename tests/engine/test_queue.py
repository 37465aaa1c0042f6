"""The queue, in virtual time: order, no duplicates, one worker per key, delays, back-off."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.engine.queue import BACKOFF_MOST, OVERTAKEN, Priority, Queue

pytestmark = pytest.mark.looptime(start=0, end=3600)
FIRST, SOON, LATER = Priority


async def taken(queue: Queue[str], count: int) -> list[str | None]:
    """The next keys, each given back at once."""
    keys = []
    for _ in range(count):
        key = await queue.get()
        keys.append(key)
        if key is not None:
            queue.finish(key)
    return keys


@pytest.mark.parametrize(
    ("adds", "order"),
    [
        ([("a", SOON), ("b", SOON)], ["a", "b"]),
        ([("a", LATER), ("b", SOON), ("c", FIRST)], ["c", "b", "a"]),
        ([("a", SOON), ("a", SOON), ("b", SOON)], ["a", "b"]),
        ([("a", LATER), ("b", LATER), ("b", FIRST)], ["b", "a"]),
        ([("a", FIRST), ("b", SOON), ("a", LATER)], ["a", "b"]),
    ],
)
async def test_keys_come_by_priority_then_by_arrival_and_once(
    adds: list[tuple[str, Priority]], order: list[str]
) -> None:
    queue: Queue[str] = Queue()
    for key, priority in adds:
        queue.add(key, priority)
    assert await taken(queue, len(order)) == order
    assert queue.statistics().ready == 0


@pytest.mark.parametrize(("priority", "urgent"), [(SOON, FIRST), (LATER, SOON), (LATER, FIRST)])
async def test_nothing_starves_below_what_is_more_urgent(priority: Priority, urgent: Priority) -> None:
    queue: Queue[str] = Queue()
    queue.add("patient", priority)
    order = []
    for second in range(80):
        queue.add(f"urgent-{second}", urgent)
        queue.add(f"more-{second}", urgent)
        await asyncio.sleep(1)
        order += await taken(queue, 1)
    patience = OVERTAKEN[priority] - OVERTAKEN[urgent]
    assert order.index("patient") == pytest.approx(2 * patience, abs=2)


async def test_a_key_in_work_is_not_handed_out_again_but_is_afterwards() -> None:
    queue: Queue[str] = Queue()
    queue.add("a")
    assert await queue.get() == "a"
    queue.add("a", LATER)
    queue.add("b")
    assert await queue.get() == "b"
    assert queue.statistics().ready == 0
    queue.finish("a")
    assert await queue.get() == "a"


async def test_a_delay_is_kept_and_the_earlier_of_two_counts() -> None:
    queue, loop = Queue[str](), asyncio.get_running_loop()
    queue.add_after("a", 30)
    queue.add_after("a", 60)
    queue.add_after("b", 20)
    queue.add_after("b", 10)
    assert (await queue.get(), loop.time()) == ("b", 10)
    assert (await queue.get(), loop.time()) == ("a", 30)
    assert queue.statistics().delayed == 0


async def test_an_add_overtakes_a_delay_and_replaces_it() -> None:
    queue, loop = Queue[str](), asyncio.get_running_loop()
    queue.add_after("a", 30)
    queue.add("a")
    assert await taken(queue, 1) == ["a"]
    assert loop.time() == 0
    assert queue.statistics().delayed == 0


async def test_a_delay_does_not_follow_a_key_that_is_ready_anyway() -> None:
    queue: Queue[str] = Queue()
    queue.add("a")
    queue.add_after("a", 30)
    assert queue.statistics().delayed == 0


async def test_back_off_doubles_up_to_its_most_and_is_forgotten_on_success() -> None:
    queue: Queue[str] = Queue()
    delays = []
    for _ in range(13):
        delays.append(queue.add_failed("a"))
        assert await taken(queue, 1) == ["a"]
    assert delays[:4] == [0.005, 0.01, 0.02, 0.04]
    assert delays[-1] == BACKOFF_MOST
    assert asyncio.get_running_loop().time() == pytest.approx(sum(delays))
    queue.succeeded("a")
    assert queue.add_failed("a") == 0.005
    assert queue.failures("a") == 1


async def test_one_key_failing_does_not_hold_up_another() -> None:
    queue: Queue[str] = Queue()
    for _ in range(20):
        queue.add_failed("bad")
        await taken(queue, 1)
    queue.add_failed("bad")
    queue.add("good", LATER)
    before = asyncio.get_running_loop().time()
    assert await taken(queue, 1) == ["good"]
    assert asyncio.get_running_loop().time() == before


async def test_closing_wakes_whoever_waits_and_drops_what_is_delayed() -> None:
    queue: Queue[str] = Queue()
    queue.add_after("a", 5)
    waiting = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(1)
    queue.close()
    assert await asyncio.gather(*waiting) == [None, None, None]
    assert queue.statistics().delayed == 0


async def test_the_time_a_key_was_ready_is_told() -> None:
    waits: list[float] = []
    queue: Queue[str] = Queue(waited=waits.append)
    queue.add("a", LATER)
    await asyncio.sleep(7)
    queue.add("a", FIRST)
    await taken(queue, 1)
    assert waits == [7]


async def test_statistics_count() -> None:
    queue: Queue[str] = Queue()
    queue.add("a")
    queue.add("a")
    queue.add_after("b", 9)
    queue.add_failed("c")
    assert await queue.get() == "a"
    now = queue.statistics()
    assert (now.ready, now.delayed, now.working, now.adds, now.retries, now.done) == (0, 2, 1, 2, 1, 0)


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(Priority), st.booleans()), max_size=30))
def test_whatever_is_added_comes_out_and_never_twice_at_once(steps: list[tuple[str, Priority, bool]]) -> None:
    async def run() -> None:
        queue: Queue[str] = Queue()
        working: set[str] = set()
        owed: set[str] = set()
        for key, priority, take in steps:
            queue.add(key, priority)
            owed.add(key)
            if take and queue.statistics().ready:
                got = await queue.get()
                assert got is not None
                assert got not in working
                working.add(got)
                owed.discard(got)
        for key in working:
            queue.finish(key)
        rest = set(await taken(queue, queue.statistics().ready))
        assert rest == owed

    asyncio.run(run())


class Counting(Queue[str]):
    """Counts how often a worker looks for a key."""

    looks = 0

    def _pop(self) -> str | None:
        self.looks += 1
        return super()._pop()


async def test_one_key_wakes_one_worker() -> None:
    queue = Counting()
    workers = [asyncio.create_task(queue.get()) for _ in range(100)]
    await asyncio.sleep(1)
    assert queue.looks == 100
    queue.add("a")
    await asyncio.sleep(1)
    assert queue.looks == 101
    queue.add("b")
    queue.add("c")
    await asyncio.sleep(1)
    assert sorted(str(worker.result()) for worker in workers if worker.done()) == ["a", "b", "c"]
    queue.close()
    assert [key for key in await asyncio.gather(*workers) if key is None] == [None] * 97


@pytest.mark.parametrize("woken_first", [True, False])
async def test_a_worker_that_is_cancelled_takes_no_key_with_it(woken_first: bool) -> None:
    queue: Queue[str] = Queue()
    first, second = (asyncio.create_task(queue.get()) for _ in range(2))
    await asyncio.sleep(1)
    if woken_first:
        queue.add("a")
        first.cancel()
    else:
        first.cancel()
        queue.add("a")
    assert await second == "a"
    assert (await asyncio.gather(first, return_exceptions=True))[0].__class__ is asyncio.CancelledError
