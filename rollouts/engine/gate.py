"""A gate for writes: so many at a time, and what users wait for goes through first.

In a storm the API server is the bottleneck. Which request it gets next is then our choice: creations before patches,
so that new pods start while statuses still queue.
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import itertools
from collections.abc import AsyncIterator
from enum import IntEnum


class Urgency(IntEnum):
    """Order at the gate."""

    CREATE = 0
    CHANGE = 1
    REPORT = 2


class Gate:
    """At most `slots` holders at once; waiters enter by urgency, then by arrival."""

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._waiting: list[tuple[Urgency, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    @contextlib.asynccontextmanager
    async def enter(self, urgency: Urgency) -> AsyncIterator[None]:
        """Hold a slot for the length of the context."""
        if self._free > 0:
            self._free -= 1
        else:
            await self._wait(urgency)
        try:
            yield
        finally:
            self._leave()

    async def _wait(self, urgency: Urgency) -> None:
        future = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (urgency, next(self._order), future))
        try:
            await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled():
                self._leave()
            raise

    def _leave(self) -> None:
        while self._waiting:
            _, _, future = heapq.heappop(self._waiting)
            if not future.done():
                future.set_result(None)
                return
        self._free += 1
