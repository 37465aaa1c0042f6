"""The loop: a key from the queue, a snapshot from the store, a plan, its execution, and when to look again.

One row of `Controller` per kind that is decided about. A conflict plans again at once; any other error is logged,
counted, shown on the object as an event, and tried again with growing delays, on this key only.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from rollouts.api.kinds import Kind
from rollouts.engine.errors import ConflictError, NotFoundError
from rollouts.engine.events import Recorder
from rollouts.engine.metrics import Metrics
from rollouts.engine.queue import Queue
from rollouts.engine.store import Key, Store
from rollouts.engine.writer import Writer
from rollouts.plan import Event, Plan

JSON = Mapping[str, Any]
Decide = Callable[[JSON, datetime], Awaitable[Plan]]

log = structlog.get_logger(__name__)
_TELL_AFTER = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """A kind that is decided about. `decide(object, now)` gathers what it needs and gives a plan."""

    kind: Kind
    decide: Decide
    workers: int


class Loop:
    """Workers of one controller, between `start` and `stop`."""

    def __init__(
        self, *, controller: Controller, store: Store, writer: Writer, recorder: Recorder, metrics: Metrics
    ) -> None:
        self.controller = controller
        self.queue: Queue[Key] = Queue()
        self._store = store
        self._writer = writer
        self._recorder = recorder
        self._metrics = metrics
        self._tasks: list[asyncio.Task[None]] = []
        self._ids = itertools.count(1)
        self._failures: dict[Key, int] = {}

    def start(self) -> None:
        """Begin to work."""
        self._tasks = [asyncio.create_task(self._work()) for _ in range(self.controller.workers)]

    async def stop(self, *, seconds: float = 10.0) -> None:
        """Let work under way end, for a while at most."""
        deadline = asyncio.get_running_loop().time() + seconds
        while self.queue.statistics().working and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(0.02)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.queue.close()

    async def _work(self) -> None:
        while True:
            key = await self.queue.get()
            context = {self.controller.kind.kind.lower(): str(key), "reconcile": next(self._ids)}
            with structlog.contextvars.bound_contextvars(**context):
                began = time.perf_counter()
                try:
                    await self._guarded(key)
                finally:
                    self._metrics.reconciled(self.controller.kind, key, time.perf_counter() - began)
                    self.queue.finish(key)

    async def _guarded(self, key: Key) -> None:
        try:
            again = await self.once(key)
        except (ConflictError, NotFoundError) as conflict:
            log.debug("planning again from fresh state", because=str(conflict))
            self.queue.add_failed(key)
        except Exception as error:
            self._failed(key, error)
        else:
            self.queue.succeeded(key)
            self._failures.pop(key, None)
            if again is not None:
                self.queue.add_after(key, again)

    async def once(self, key: Key) -> float | None:
        """Plan and execute once; in how many seconds to look again."""
        obj = self._store.get(self.controller.kind, key)
        if obj is None:
            return None
        plan = await self.controller.decide(obj, datetime.now(UTC))
        if not plan.empty:
            log.info("acting", writes=len(plan.writes), status=sorted(plan.status), events=_reasons(plan))
        return await self._writer.execute(kind=self.controller.kind, obj=obj, plan=plan)

    def _failed(self, key: Key, error: Exception) -> None:
        delay = self.queue.add_failed(key)
        self._metrics.failed(self.controller.kind, key)
        log.error("reconcile failed", error=f"{type(error).__name__}: {error}", again_in=delay, exc_info=delay < 0.01)
        count = self._failures[key] = self._failures.get(key, 0) + 1
        obj = self._store.get(self.controller.kind, key)
        if count == _TELL_AFTER and obj is not None:
            event = Event(type="Warning", reason="ReconciliationError", message=f"{type(error).__name__}: {error}")
            self._recorder.record(obj, event)


def _reasons(plan: Plan) -> list[str]:
    return [event.reason for event in plan.events]
