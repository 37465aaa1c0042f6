"""One running controller: the parts put together, their start and their end. kopf drives it (operator.py).

    prime   every kind is listed once, so the first decision already sees everything
    work    the background tasks start; the workers too, or when the Lease is ours (a standby keeps its store warm)
    observe each event of a watch goes into the store and wakes the keys it concerns
    drain   what is under way is finished, events are posted, the Lease is let go

Which events wake whom, and how urgently:

    Rollout, AnalysisRun, Experiment    itself, first: our own writes are known by then, so somebody else wrote it
    anything one of them controls       that Rollout or Experiment, soon; if a ReplicaSet's controller has only seen its
                                        spec so far, in a second: of its pods we hear before that
    AnalysisTemplate, Cluster…          every Rollout that uses it, soon
    a workload referred to              every Rollout that refers to it, soon (workloads.py)
    Service, a router's object          every Rollout that names it, or manages it, soon
    what a list brings                  the same, later
    what we have just written           nobody but those it concerns beside its own loop, be the event before the answer
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import structlog

from analysis.providers import Provider, default_providers
from rollouts.api import kinds
from rollouts.api.kinds import Kind
from rollouts.engine.additions import Addition, with_additions
from rollouts.engine.client import Api
from rollouts.engine.deletions import Deletions
from rollouts.engine.durations import Durations
from rollouts.engine.errors import ForbiddenError, NotFoundError
from rollouts.engine.events import Recorder
from rollouts.engine.experiments import Experiments
from rollouts.engine.jobs import JobProvider
from rollouts.engine.lease import Lease
from rollouts.engine.leaving import Leaving, strangers
from rollouts.engine.measuring import Measuring
from rollouts.engine.metrics import Metrics
from rollouts.engine.queue import Priority
from rollouts.engine.reconcile import Controller, Loop
from rollouts.engine.snapshots import INDEXES, Rollouts, followers_of, indexes, managers, users_of
from rollouts.engine.store import Key, Store, key_of
from rollouts.engine.weights import weight_of
from rollouts.engine.workloads import PROJECTIONS, Workloads, users_of_workload
from rollouts.engine.writer import Origin, Writer
from rollouts.strategy.keys import INSTANCE_ID, POD_HASH
from rollouts.strategy.snapshot import acknowledges
from rollouts.traffic import ROUTERS, Routers

JSON = Mapping[str, Any]
log = structlog.get_logger(__name__)

PRUNE_FIRST: Final = 30.0
PRUNE_EVERY: Final = 600.0
_GARBAGE: Final = (20_000, 20, 20)
"""New objects until cycles among them are looked for, and so on. Decisions and requests make and drop thousands, hardly
any in cycles: looking after each 700, as Python does, took 6 % of all CPU in a storm."""
_GRACE: Final = 10.0
_ACKNOWLEDGED: Final = 1.0
"""Seconds until a look at a ReplicaSet whose controller has only just seen the spec; its pods wake us before that."""
_GRACE_LOST: Final = 2.0
_OWNED: Final = frozenset({kinds.ROLLOUT, kinds.REPLICA_SET, kinds.ANALYSIS_RUN, kinds.EXPERIMENT})
OWNERS: Final = {kind.kind: kind for kind in (kinds.ROLLOUT, kinds.EXPERIMENT)}
SELECTORS: Final[Mapping[Kind, str]] = {kinds.REPLICA_SET: POD_HASH}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the command line decides. `namespace` None: the whole cluster. `instance_id`: only objects labelled so."""

    namespace: str | None = None
    instance_id: str = ""
    rollout_workers: int = 512
    analysis_workers: int = 64
    experiment_workers: int = 10


class App:
    """The parts of a controller. `prime`, `work` and `drain` are its life."""

    def __init__(
        self,
        *,
        api: Api,
        settings: Settings | None = None,
        lease: Lease | None = None,
        providers: Mapping[str, Provider] | None = None,
        routers: Routers = ROUTERS,
        additions: Sequence[Addition] = (),
    ) -> None:
        self.api = api
        self.settings = settings or Settings()
        self.lease = lease
        self.routers = routers
        self.additions = {addition.kind: addition for addition in additions}
        self.absent: set[Kind] = set()
        self._indexes = with_additions(indexes(routers), additions)
        self.store = Store(
            {kind: self._indexes[kind] for kind in self.kinds}, projections=PROJECTIONS, learned=self._learned
        )
        self.recorder = Recorder(api)
        self.metrics = Metrics(store=self.store, requests=api.requests, events=self.recorder.recorded)
        self._deletions, self._durations = Deletions(self.recorder), Durations()
        self.metrics.include(self._durations.collectors)
        self.writer = Writer(api=api, store=self.store, recorder=self.recorder, absorbed=self._written)
        self.providers = {**default_providers(), "job": JobProvider(api=api)} if providers is None else providers
        self.workloads = Workloads(api=api, store=self.store, namespace=self.settings.namespace, changed=self._learned)
        self.loops = {row.kind: self._loop(row) for row in self._controllers()}
        for kind, addition in self.additions.items():
            addition.bind(
                api=api,
                store=self.store,
                wake=self.loops[kind].queue.add,
                whole=tuple(self._whole()),
                namespace=self.settings.namespace,
            )
            self.metrics.include(addition.collectors())
        self.metrics.queues.update({kind.plural: loop.queue for kind, loop in self.loops.items()})
        self.primed = False
        self.working = False
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What is watched. A controller of one namespace has no right to, and no use for, what belongs to none."""
        return tuple(kind for kind in self._indexes if kind.namespaced or self.settings.namespace is None)

    def _controllers(self) -> tuple[Controller, ...]:
        rollouts = Rollouts(api=self.api, store=self.store, routers=self.routers, workloads=self.workloads)
        experiments = Experiments(api=self.api, store=self.store)
        measuring = Measuring(api=self.api, providers=self.providers, weight_of=partial(weight_of, store=self.store))
        return (
            Controller(
                kind=kinds.ROLLOUT,
                decide=rollouts.decide,
                workers=self.settings.rollout_workers,
                shows_errors=True,
                gone=Leaving(api=self.api, store=self.store).writes,
                done=self._durations.observe,
            ),
            Controller(kind=kinds.ANALYSIS_RUN, decide=measuring.decide, workers=self.settings.analysis_workers),
            Controller(kind=kinds.EXPERIMENT, decide=experiments.decide, workers=self.settings.experiment_workers),
            *(Controller(kind=row.kind, decide=row.decide, workers=row.workers) for row in self.additions.values()),
        )

    def _loop(self, row: Controller) -> Loop:
        return Loop(controller=row, store=self.store, writer=self.writer, recorder=self.recorder, metrics=self.metrics)

    async def prime(self) -> None:
        """List every kind once, so that the first decision already sees everything. A cluster needs no kinds of
        routers and additions it does not use."""
        for kind in self.kinds:
            try:
                await self._list(kind)
            except (NotFoundError, ForbiddenError) as error:
                if kind in self.additions or kind not in INDEXES:
                    log.warning("left out until a restart", kind=kind.kind, because=str(error))
                    self.absent.add(kind)
                    continue
                if isinstance(error, ForbiddenError):
                    raise
                hint = "install the CRDs first (kubectl apply --server-side -f crds/)"
                raise NotFoundError(f"the API server does not know {kind.plural}: {hint}", status=404) from error
        self.primed = True
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GARBAGE)

    async def work(self) -> None:
        """Start background tasks; workers at once, or when the Lease is ours."""
        self.recorder.start()
        self._tasks.append(asyncio.create_task(self._prune()))
        if self.lease is None:
            self._open()
        else:
            self._tasks += [asyncio.create_task(self.lease.run()), asyncio.create_task(self._open_when_leading())]

    async def drain(self) -> None:
        """End gracefully: work under way, events, the Lease. With the Lease lost there is little time: others act."""
        seconds = _GRACE_LOST if self.lost else _GRACE
        await asyncio.gather(*(loop.stop(seconds=seconds) for loop in self.loops.values()))
        for addition in self.additions.values():
            await addition.stop()
        await self.recorder.stop(seconds=seconds)
        await self.workloads.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for provider in self.providers.values():
            await provider.close()
        if self.lease is not None:
            await self.lease.release()

    @property
    def lost(self) -> bool:
        """Whether the Lease was ours and is not any more."""
        return self.lease is not None and self.lease.lost.is_set()

    def observe(self, kind: Kind, event_type: str | None, obj: JSON) -> None:
        """Take an event in and wake whoever it concerns. `event_type` as a watch gives it; None: from a list."""
        shelf = self.store.shelf(kind)
        gone = event_type == "DELETED" or not self._ours(kind, obj)
        if event_type == "DELETED" and self._ours(kind, obj):
            self._deleted(kind, obj)
        before, echo = shelf.objects.get(key_of(obj)), None if gone else self.writer.echo(kind, obj)
        if not (shelf.remove(obj) if gone else shelf.put(obj)):
            return
        if echo is not None:
            self._written(kind, obj, echo)
        elif kind == kinds.REPLICA_SET and not gone and before is not None and acknowledges(before, obj):
            self._wake_others(kind, obj, Priority.SOON, after=_ACKNOWLEDGED)
        else:
            self.wake(kind, obj, Priority.LATER if event_type is None else Priority.SOON)

    def _learned(self, kind: Kind, obj: JSON) -> None:
        self.wake(kind, obj, Priority.SOON)

    def _deleted(self, kind: Kind, obj: JSON) -> None:
        """A standby says nothing: the one that leads does."""
        if kind == kinds.ROLLOUT and self.working:
            self._deletions.tell(obj)

    def _written(self, kind: Kind, obj: JSON, origin: Origin) -> None:
        """A run or an Experiment that one loop wrote concerns another, a workload the Rollout it was scaled for; the
        rest is written by its own loop only, which knows of it but for the news in the answer."""
        shared = kind in (kinds.ANALYSIS_RUN, kinds.EXPERIMENT, *PROJECTIONS)
        if origin is Origin.NEWS or (shared and origin is Origin.OTHER):
            self.wake(kind, obj, Priority.SOON)
        elif shared:
            self._wake_others(kind, obj, Priority.SOON)
        else:
            self._wake_additions(kind, obj, Priority.SOON)

    def wake(self, kind: Kind, obj: JSON, priority: Priority) -> None:
        """Queue the keys an object concerns: itself, its owner, users of a template."""
        if kind in self.loops:
            own = Priority.FIRST if priority is Priority.SOON else priority
            self.loops[kind].queue.add(key_of(obj), own)
        self._wake_others(kind, obj, priority)

    def _wake_others(self, kind: Kind, obj: JSON, priority: Priority, *, after: float = 0.0) -> None:
        for concerned, key in self._concerned(kind, obj):
            queue = self.loops[concerned].queue
            queue.add_after(key, after) if after else queue.add(key, priority)
        self._wake_additions(kind, obj, priority)

    def _wake_additions(self, kind: Kind, obj: JSON, priority: Priority) -> None:
        for other, addition in self.additions.items():
            for key in addition.concerned(kind, obj):
                self.loops[other].queue.add(key, priority)

    def _concerned(self, kind: Kind, obj: JSON) -> Iterable[tuple[Kind, Key]]:
        if kind in PROJECTIONS:
            return [(kinds.ROLLOUT, key_of(user)) for user in users_of_workload(self.store, kind, key_of(obj))]
        if kind in (kinds.ANALYSIS_TEMPLATE, kinds.CLUSTER_ANALYSIS_TEMPLATE):
            return [(kinds.ROLLOUT, key_of(user)) for user in users_of(self.store, obj)]
        namespace = obj["metadata"].get("namespace", "")
        owners = ((owner, Key(namespace, name)) for owner, name in _controllers_of(obj))
        found = [(owner, key) for owner, key in owners if self.store.get(owner, key) is not None]
        if kind not in _OWNED:
            found += [(kinds.ROLLOUT, key_of(user)) for user in followers_of(self.store, kind, obj)]
            found += [(kinds.ROLLOUT, key) for key in managers(obj)]
        return found

    def _ours(self, kind: Kind, obj: JSON) -> bool:
        labels = obj["metadata"].get("labels") or {}
        return kind not in self.loops or labels.get(INSTANCE_ID, "") == self.settings.instance_id

    def _whole(self) -> Iterator[Kind]:
        """The kinds of which every object is in the store, not only those with a label."""
        for kind in self.kinds:
            if kind not in SELECTORS and not (kind in self.loops and self.settings.instance_id):
                yield kind

    def trouble(self) -> str:
        """What is wrong with this process; empty when nothing is."""
        return "the lease is lost" if self.lost else ""

    def not_ready(self) -> str:
        """What is missing before it can act or stand by; empty when it is ready."""
        return "" if self.primed else "the store is being filled"

    async def _list(self, kind: Kind) -> None:
        namespace = self.settings.namespace if kind.namespaced else None
        found = await self.api.list(kind, namespace, selector=SELECTORS.get(kind, ""))
        listed_at = int(found["metadata"].get("resourceVersion") or 0)
        items = [item for item in found["items"] if self._ours(kind, item)]
        news = self.store.replace(kind, items, listed_at=listed_at)
        for obj in news if self.primed else ():
            if self.store.get(kind, key_of(obj)) is None:
                self._deleted(kind, obj)
            self.wake(kind, obj, Priority.LATER)

    async def _prune(self) -> None:
        """Deletions missed by a watch are only found by listing again."""
        wait = PRUNE_FIRST
        while True:
            await asyncio.sleep(wait)
            wait = PRUNE_EVERY
            for kind in (kind for kind in self.kinds if kind not in self.absent):
                try:
                    await self._list(kind)
                except Exception as error:
                    log.warning("listing again failed", kind=kind.kind, error=str(error))

    def _open(self) -> None:
        for kind, loop in self.loops.items():
            for key in self.store.shelf(kind).objects:
                loop.queue.add(key, Priority.LATER)
            loop.start()
        for key in strangers(self.store):
            self.loops[kinds.ROLLOUT].queue.add(key, Priority.LATER)
        self.working = True

    async def _open_when_leading(self) -> None:
        if self.lease is not None:
            await self.lease.held.wait()
            self._open()


def _controllers_of(obj: JSON) -> Iterator[tuple[Kind, str]]:
    """The Rollout or Experiment that controls an object: its kind and name."""
    for ref in obj["metadata"].get("ownerReferences") or ():
        kind = OWNERS.get(ref.get("kind", ""))
        if kind is not None and ref.get("controller") and ref["apiVersion"].startswith(kinds.ARGO):
            yield kind, ref["name"]
