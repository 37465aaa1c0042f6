"""The loop: a key from the queue, a snapshot from the store, a plan, its execution, and when to look again.

One row of `Controller` per kind that is decided about. A conflict plans again at once (the writer has read the object
afresh); any other error is logged, counted, shown on the object as an event and a condition, and tried again with
growing delays, on this key only. The condition is taken away by the first plan that is carried out to its end. An API
server that does not answer is no fault of an object's: logged, not shown on it.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from rollouts.api.kinds import REPLICA_SET, Kind
from rollouts.engine.errors import ApiError, ConflictError, NotFoundError, UnavailableError
from rollouts.engine.events import Recorder
from rollouts.engine.metrics import Metrics
from rollouts.engine.queue import Queue
from rollouts.engine.store import Key, Store
from rollouts.engine.writer import Writer
from rollouts.plan import Event, Plan, Write
from rollouts.strategy import conditions, sound

JSON = Mapping[str, Any]
Decide = Callable[[JSON, datetime], Awaitable[Plan]]

log = structlog.get_logger(__name__)
_CONFLICTS: Final = 5
"""So many in a row are the daily business of optimistic locking; more are a fault."""
_ROUTINE: Final = frozenset({"metricResults"})
_TELL_EVERY: Final = 3
"""A single failure is mostly gone at the next attempt; people hear of the third, the sixth, …"""
_REMEMBERED: Final = 20
"""So many different words on one object are told once each; an error that says something new each time forgets them."""
_TELL_AT_ONCE: Final = frozenset({conditions.NOT_CREATED})
"""What mostly lasts (a quota, a policy) and keeps a release from beginning: people hear of the first as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Controller:
    """A kind that is decided about. `decide(object, now)` gathers what it needs and gives a plan. `shows_errors`: its
    status has conditions, and its plans take the condition ReconcileError away. `gone(key)`: what is to be written once
    there is no such object any more. `done(object, plan)` is told of each plan that was carried out to its end."""

    kind: Kind
    decide: Decide
    workers: int
    shows_errors: bool = False
    gone: Callable[[Key], Awaitable[Sequence[Write]]] | None = None
    done: Callable[[JSON, Plan], None] = lambda _obj, _plan: None


class Loop:
    """Workers of one controller, between `start` and `stop`."""

    def __init__(
        self, *, controller: Controller, store: Store, writer: Writer, recorder: Recorder, metrics: Metrics
    ) -> None:
        self.controller = controller
        self.queue: Queue[Key] = Queue(waited=metrics.waited(controller.kind))
        self._store = store
        self._writer = writer
        self._recorder = recorder
        self._metrics = metrics
        self._tasks: list[asyncio.Task[None]] = []
        self._ids = itertools.count(1)
        self._told: dict[Key, set[str]] = {}

    def start(self) -> None:
        """Begin to work."""
        self._tasks = [asyncio.create_task(self._work()) for _ in range(self.controller.workers)]

    async def stop(self, *, seconds: float = 10.0) -> None:
        """Take up nothing more; let work under way end, for a while at most."""
        self.queue.close()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=seconds)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _work(self) -> None:
        while (key := await self.queue.get()) is not None:
            context = {self.controller.kind.kind.lower(): str(key), "reconcile": next(self._ids)}
            with structlog.contextvars.bound_contextvars(**context):
                began = time.perf_counter()
                try:
                    await self._guarded(key)
                finally:
                    self._metrics.reconciled(self.controller.kind, time.perf_counter() - began)
                    self.queue.finish(key)

    async def _guarded(self, key: Key) -> None:
        try:
            again = await self.once(key)
        except Exception as error:  # whatever it is, it is this key's alone
            await self._failed(key, error)
        else:
            self.queue.succeeded(key)
            self._told.pop(key, None)
            if again is not None:
                self.queue.add_after(key, again)

    async def once(self, key: Key) -> float | None:
        """Plan and execute once; in how many seconds to look again."""
        obj = self._store.get(self.controller.kind, key)
        if obj is None:
            if self.controller.gone is not None:
                await self._writer.carry_out(await self.controller.gone(key))
            return None
        plan = await self.controller.decide(obj, datetime.now(UTC))
        if not plan.empty:
            tell = log.debug if _is_routine(plan) else log.info
            tell("acting", writes=len(plan.writes), status=sorted(plan.status), events=_reasons(plan))
        again = await self._writer.execute(kind=self.controller.kind, obj=obj, plan=plan)
        self.controller.done(obj, plan)
        return again

    async def _failed(self, key: Key, error: Exception) -> None:
        delay = self.queue.add_failed(key)
        count = self.queue.failures(key)
        if isinstance(error, ConflictError | NotFoundError) and count <= _CONFLICTS:
            log.debug("planning again from fresh state", because=str(error))
            return
        self._metrics.failed(self.controller.kind, key)
        surprising = count == 1 and not isinstance(error, ApiError)
        log.error("reconcile failed", error=_text(error), again_in=delay, exc_info=error if surprising else None)
        obj = self._store.get(self.controller.kind, key)
        event = fault(error)
        time_to_tell = count % _TELL_EVERY == 0 or (count == 1 and event.reason in _TELL_AT_ONCE)
        if time_to_tell and obj is not None and not isinstance(error, UnavailableError):
            await self._tell(key, obj, event)

    async def _tell(self, key: Key, obj: JSON, event: Event) -> None:
        """An event and the condition ReconcileError, unless people were told so already: by a process before this one,
        too, where there is a condition to see that from. That it can't be written is logged."""
        written = list(sound.status(obj.get("status")).get("conditions") or ())
        shown = (conditions.RECONCILE_ERROR, event.message)
        known = any((c.get("type"), c.get("message")) == shown for c in written)
        told = self._told.setdefault(key, set())
        if not known and event.message not in told:
            self._recorder.record(obj, event)
        if len(told) >= _REMEMBERED:
            told.clear()
        told.add(event.message)
        if self.controller.shows_errors and not known:
            await self._show(obj, written, event)

    async def _show(self, obj: JSON, written: list[JSON], event: Event) -> None:
        shown = [conditions.reconcile_error(event.message)]
        shown += [conditions.not_created(event.message)] if event.reason == conditions.NOT_CREATED else []
        merged = conditions.merge(written, shown, drop=frozenset(), now=datetime.now(UTC))
        try:
            await self._writer.execute(kind=self.controller.kind, obj=obj, plan=Plan(status={"conditions": merged}))
        except ApiError as error:
            log.warning("the error could not be shown on the object", error=str(error))


def _is_routine(plan: Plan) -> bool:
    """One more measurement of a run: with thousands of runs the log would hold nothing else."""
    return not plan.writes and not plan.events and plan.status.keys() <= _ROUTINE


def _text(error: Exception) -> str:
    return str(error) if isinstance(error, ApiError) else f"{type(error).__name__}: {error}"


def fault(error: Exception) -> Event:
    """What to say of an error to people; of a ReplicaSet that can't be created or changed in the peer's words."""
    tried = error.attempt if isinstance(error, ApiError) else None
    if tried is None or tried.kind != REPLICA_SET.kind:
        return Event(type="Warning", reason="ReconciliationError", message=_text(error))
    if tried.verb == "create":
        message = f'Failed to create new replica set "{tried.name}": {error}'
        return Event(type="Warning", reason="ReplicaSetCreateError", message=message)
    verb, _, way = tried.verb.partition(" ")
    message = f"Failed to {verb} {tried.name}{way and ' '}{way}: {error}"
    return Event(type="Warning", reason="ReplicaSetUpdateError", message=message)


def _reasons(plan: Plan) -> list[str]:
    return [event.reason for event in plan.events]
