"""One running controller: the parts put together, their start and their end. kopf drives it (operator.py)."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from analysis.providers import Provider, default_providers
from rollouts.api import kinds
from rollouts.api.kinds import Kind
from rollouts.engine.client import Api
from rollouts.engine.events import Recorder
from rollouts.engine.lease import Lease
from rollouts.engine.measuring import Measuring
from rollouts.engine.metrics import Metrics
from rollouts.engine.queue import Priority
from rollouts.engine.reconcile import Controller, Loop
from rollouts.engine.snapshots import INDEXES, Rollouts
from rollouts.engine.store import Key, Store, key_of
from rollouts.engine.writer import Writer
from rollouts.strategy.keys import INSTANCE_ID, POD_HASH

JSON = Mapping[str, Any]
log = structlog.get_logger(__name__)

PRUNE_FIRST: Final = 30.0
PRUNE_EVERY: Final = 600.0
SELECTORS: Final[Mapping[Kind, str]] = {kinds.REPLICA_SET: POD_HASH}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the command line decides. `namespace` None: the whole cluster. `instance_id`: only objects labelled so."""

    namespace: str | None = None
    instance_id: str = ""
    rollout_workers: int = 16
    analysis_workers: int = 30


@dataclass(kw_only=True)
class App:
    """The parts of a controller. `prime`, `work` and `drain` are its life."""

    api: Api
    settings: Settings = field(default_factory=Settings)
    lease: Lease | None = None
    providers: Mapping[str, Provider] = field(default_factory=default_providers)
    store: Store = field(default_factory=lambda: Store(INDEXES))
    primed: bool = False
    working: bool = False

    def __post_init__(self) -> None:
        self.recorder = Recorder(self.api)
        self.metrics = Metrics(store=self.store, requests=self.api.requests)
        writer = Writer(api=self.api, store=self.store, recorder=self.recorder)
        rollouts, measuring = (
            Rollouts(api=self.api, store=self.store),
            Measuring(api=self.api, providers=self.providers),
        )
        table = (
            Controller(kind=kinds.ROLLOUT, decide=rollouts.decide, workers=self.settings.rollout_workers),
            Controller(kind=kinds.ANALYSIS_RUN, decide=measuring.decide, workers=self.settings.analysis_workers),
        )
        self.loops = {
            row.kind: Loop(
                controller=row, store=self.store, writer=writer, recorder=self.recorder, metrics=self.metrics
            )
            for row in table
        }
        self.metrics.queues.update({kind.plural: loop.queue for kind, loop in self.loops.items()})
        self._tasks: list[asyncio.Task[None]] = []

    async def prime(self) -> None:
        """List every kind once, so that the first decision already sees everything."""
        for kind in INDEXES:
            await self._list(kind)
        self.primed = True
        gc.collect()
        gc.freeze()

    async def work(self) -> None:
        """Start background tasks; workers at once, or when the Lease is ours."""
        self.recorder.start()
        self._tasks.append(asyncio.create_task(self._prune()))
        if self.lease is None:
            self._open()
        else:
            self._tasks += [asyncio.create_task(self.lease.run()), asyncio.create_task(self._open_when_leading())]

    async def drain(self) -> None:
        """End gracefully: work under way, events, the Lease."""
        for loop in self.loops.values():
            await loop.stop()
        await self.recorder.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.lease is not None:
            await self.lease.release()

    def observe(self, kind: Kind, event_type: str | None, obj: JSON) -> None:
        """Take an event in and wake whoever it concerns. `event_type` as a watch gives it; None: from a list."""
        changed = self.store.shelf(kind).remove(obj) if event_type == "DELETED" else self.store.shelf(kind).put(obj)
        if changed:
            self.wake(kind, obj, Priority.LATER if event_type is None else Priority.SOON)

    def wake(self, kind: Kind, obj: JSON, priority: Priority) -> None:
        """Queue the keys an object concerns: itself, its owner, users of a template."""
        if kind in self.loops and self._ours(obj):
            self.loops[kind].queue.add(key_of(obj), priority)
        for key in self._concerned(kind, obj):
            self.loops[kinds.ROLLOUT].queue.add(key, priority)

    def _concerned(self, kind: Kind, obj: JSON) -> Iterable[Key]:
        metadata = obj["metadata"]
        if kind in (kinds.ANALYSIS_TEMPLATE, kinds.CLUSTER_ANALYSIS_TEMPLATE):
            entry = f"{metadata.get('namespace', '')}/{metadata['name']}"
            found = self.store.shelf(kinds.ROLLOUT).find("template", entry)
            return [key_of(rollout) for rollout in found if self._ours(rollout)]
        return [
            Key(metadata.get("namespace", ""), ref["name"])
            for ref in metadata.get("ownerReferences") or ()
            if ref.get("controller") and ref.get("kind") == kinds.ROLLOUT.kind
        ]

    def _ours(self, obj: JSON) -> bool:
        return (obj["metadata"].get("labels") or {}).get(INSTANCE_ID, "") == self.settings.instance_id

    def trouble(self) -> str:
        """What is wrong with this process; empty when nothing is."""
        return "the lease is lost" if self.lease is not None and self.lease.lost.is_set() else ""

    def not_ready(self) -> str:
        """What is missing before it can act or stand by; empty when it is ready."""
        return "" if self.primed else "the store is being filled"

    async def _list(self, kind: Kind) -> None:
        namespace = self.settings.namespace if kind.namespaced else None
        found = await self.api.list(kind, namespace, selector=SELECTORS.get(kind, ""))
        listed_at = int(found["metadata"].get("resourceVersion") or 0)
        ghosts = self.store.replace(kind, found["items"], listed_at=listed_at)
        for ghost in ghosts if self.primed else ():
            self.wake(kind, ghost, Priority.LATER)

    async def _prune(self) -> None:
        """Deletions missed by a watch are only found by listing again."""
        wait = PRUNE_FIRST
        while True:
            await asyncio.sleep(wait)
            wait = PRUNE_EVERY
            for kind in INDEXES:
                try:
                    await self._list(kind)
                except Exception as error:
                    log.warning("listing again failed", kind=kind.kind, error=str(error))

    def _open(self) -> None:
        for kind, loop in self.loops.items():
            for obj in self.store.shelf(kind).objects.values():
                if self._ours(obj):
                    loop.queue.add(key_of(obj), Priority.LATER)
            loop.start()
        self.working = True

    async def _open_when_leading(self) -> None:
        if self.lease is not None:
            await self.lease.held.wait()
            self._open()
