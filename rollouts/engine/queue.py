"""A work queue of keys: no duplicates, one worker per key at a time, delays, back-off, two priorities.

A key added while it is being worked on is worked on again afterwards. Re-adding keeps the higher priority and the
earlier time. `asyncio` only; not for use from several threads.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Hashable
from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

BACKOFF_BASE = 0.005
BACKOFF_MOST = 10.0


class Priority(IntEnum):
    """What people wait for goes first."""

    SOON = 0
    LATER = 1


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
    """Keys in order of priority and time."""

    def __init__(self) -> None:
        self._ready: list[tuple[int, int, K]] = []
        self._priority: dict[K, int] = {}
        self._timers: dict[K, tuple[float, asyncio.TimerHandle]] = {}
        self._working: set[K] = set()
        self._again: dict[K, int] = {}
        self._failures: dict[K, int] = {}
        self._order = itertools.count()
        self._wake = asyncio.Event()
        self._adds = self._retries = self._done = 0

    def add(self, key: K, priority: Priority = Priority.SOON) -> None:
        """Work on this key soon."""
        self._adds += 1
        self._cancel_timer(key)
        if key in self._working:
            self._again[key] = min(priority, self._again.get(key, priority))
        elif priority < self._priority.get(key, Priority.LATER + 1):
            self._priority[key] = priority
            heapq.heappush(self._ready, (priority, next(self._order), key))
            self._wake.set()

    def add_after(self, key: K, delay: float) -> None:
        """Work on this key in so many seconds, or earlier if something else asks for it."""
        if delay <= 0:
            self.add(key)
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + delay
        known = self._timers.get(key)
        if known is not None and known[0] <= due:
            return
        self._cancel_timer(key)
        self._timers[key] = (due, loop.call_later(delay, self._due, key))

    def add_failed(self, key: K) -> float:
        """Work on this key again after its back-off; returns that delay in seconds."""
        self._retries += 1
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay = min(BACKOFF_BASE * 2.0 ** min(failures, 20), BACKOFF_MOST)
        self.add_after(key, delay)
        return delay

    def succeeded(self, key: K) -> None:
        """Forget this key's failures."""
        self._failures.pop(key, None)

    async def get(self) -> K:
        """The next key; it is the caller's until `finish`."""
        while True:
            while self._ready:
                priority, _, key = heapq.heappop(self._ready)
                if self._priority.get(key) == priority:
                    del self._priority[key]
                    self._working.add(key)
                    return key
            self._wake.clear()
            await self._wake.wait()

    def finish(self, key: K) -> None:
        """Give a key back."""
        self._working.discard(key)
        self._done += 1
        again = self._again.pop(key, None)
        if again is not None:
            self.add(key, Priority(again))

    def statistics(self) -> Statistics:
        """Numbers for metrics and probes."""
        return Statistics(
            ready=len(self._priority),
            delayed=len(self._timers),
            working=len(self._working),
            adds=self._adds,
            retries=self._retries,
            done=self._done,
        )

    def close(self) -> None:
        """Cancel what is delayed."""
        for key in list(self._timers):
            self._cancel_timer(key)

    def _due(self, key: K) -> None:
        self._timers.pop(key, None)
        self.add(key)

    def _cancel_timer(self, key: K) -> None:
        _, handle = self._timers.pop(key, (0.0, None))
        if handle is not None:
            handle.cancel()
