"""A work queue of keys: no duplicates, one worker per key at a time, delays, back-off, three priorities.

A key added while it is being worked on is worked on again afterwards. A priority is a head start in seconds, not a
rank: whatever is added is overtaken for so long and no longer, so nothing starves in a controller that has more to do
than it can. Re-adding keeps the earlier turn. Time is the event loop's. `asyncio` only; not for use from several
threads.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from collections import deque
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Generic, TypeVar

K = TypeVar("K", bound=Hashable)

BACKOFF_BASE: Final = 0.005
BACKOFF_MOST: Final = 10.0


class Priority(IntEnum):
    """What people wait for goes first, what nobody waits for last."""

    FIRST = 0
    """Somebody wrote the object itself: created it, changed it, gave a command."""
    SOON = 1
    """Something it depends on moved, or its time has come."""
    LATER = 2
    """The initial list, and looking again to be sure."""


OVERTAKEN: Final = {Priority.FIRST: 0.0, Priority.SOON: 5.0, Priority.LATER: 30.0}
"""Seconds for which what comes later, but more urgent, goes before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """A look at the queue: keys ready, waiting for their time, in work; and how many were added, retried, done."""

    ready: int
    delayed: int
    working: int
    adds: int
    retries: int
    done: int


class Queue(Generic[K]):
    """Keys in order of their turns: when they were added, and for how long they may be overtaken. `waited` is called
    with the seconds a key was ready before it was taken."""

    def __init__(self, *, waited: Callable[[float], None] = lambda _: None) -> None:
        self._ready: list[tuple[float, int, K]] = []
        self._turn: dict[K, float] = {}
        self._since: dict[K, float] = {}
        self._timers: dict[K, tuple[float, asyncio.TimerHandle]] = {}
        self._working: set[K] = set()
        self._again: dict[K, Priority] = {}
        self._failures: dict[K, int] = {}
        self._order = itertools.count()
        self._waiters: deque[asyncio.Future[None]] = deque()
        self._waited = waited
        self._closed = False
        self._adds = self._retries = self._done = 0

    def add(self, key: K, priority: Priority = Priority.SOON) -> None:
        """Work on this key as soon as its turn comes."""
        self._adds += 1
        self._cancel_timer(key)
        if key in self._working:
            self._again[key] = min(priority, self._again.get(key, priority))
            return
        now = asyncio.get_running_loop().time()
        turn = now + OVERTAKEN[priority]
        if turn < self._turn.get(key, math.inf):
            self._since.setdefault(key, now)
            self._turn[key] = turn
            heapq.heappush(self._ready, (turn, next(self._order), key))
            self._wake_one()

    def add_after(self, key: K, delay: float) -> None:
        """Work on this key in so many seconds, or earlier if something else asks for it."""
        if delay <= 0:
            self.add(key)
            return
        if key in self._turn or self._closed:
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + delay
        known = self._timers.get(key)
        if known is not None and known[0] <= due:
            return
        self._cancel_timer(key)
        self._timers[key] = (due, loop.call_later(delay, self._due, key))

    def add_failed(self, key: K) -> float:
        """Work on this key again after its back-off (5 ms, doubling, 10 s at most); returns that delay in seconds."""
        self._retries += 1
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = min(BACKOFF_BASE * 2.0 ** min(failures, 20), BACKOFF_MOST)
        self.add_after(key, delay)
        return delay

    def failures(self, key: K) -> int:
        """How often in a row this key has failed."""
        return self._failures.get(key, 0)

    def succeeded(self, key: K) -> None:
        """Forget this key's failures."""
        self._failures.pop(key, None)

    async def get(self) -> K | None:
        """The next key, the caller's until `finish`; None once the queue is closed."""
        while not self._closed:
            key = self._pop()
            if key is not None:
                return key
            await self._woken()
        return None

    def finish(self, key: K) -> None:
        """Give a key back."""
        self._working.discard(key)
        self._done += 1
        again = self._again.pop(key, None)
        if again is not None:
            self.add(key, again)

    def statistics(self) -> Statistics:
        """Numbers for metrics and probes."""
        return Statistics(
            ready=len(self._turn),
            delayed=len(self._timers),
            working=len(self._working),
            adds=self._adds,
            retries=self._retries,
            done=self._done,
        )

    def close(self) -> None:
        """Hand out nothing more: whoever waits in `get` gets None. What is delayed is dropped."""
        self._closed = True
        for key in list(self._timers):
            self._cancel_timer(key)
        while self._waiters:
            self._wake_one()

    async def _woken(self) -> None:
        """Until a key is added. Each key wakes one waiter: hundreds of workers all waking for one would cost more CPU
        than the work."""
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled():  # woken and cancelled at once: the key is another's
                self._wake_one()
            raise

    def _wake_one(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    def _pop(self) -> K | None:
        while self._ready:
            turn, _, key = heapq.heappop(self._ready)
            if self._turn.get(key) == turn:  # else an entry left behind when the key's turn came nearer
                del self._turn[key]
                self._working.add(key)
                self._waited(asyncio.get_running_loop().time() - self._since.pop(key))
                return key
        return None

    def _due(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def _cancel_timer(self, key: K) -> None:
        _, handle = self._timers.pop(key, (0.0, None))
        if handle is not None:
            handle.cancel()
