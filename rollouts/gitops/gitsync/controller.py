"""The shell around `decide`: gathers the facts, starts and cancels passes, remembers what may be forgotten.

What is kept here is lost with the process and learnt anew: when each sync was last looked at, what its last pass found,
how often drift had to be set back. A pass runs as a task; when it ends its finding is kept and the key is woken, so
everything that is stored goes through one decision after the other.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import structlog
from prometheus_client.registry import Collector

from rollouts.api import kinds
from rollouts.api.kinds import Kind
from rollouts.engine.client import Api
from rollouts.engine.store import Index, Key, Store, key_of
from rollouts.gitops import marks
from rollouts.gitops.budgets import Budgets
from rollouts.gitops.gitsync import reading, work
from rollouts.gitops.gitsync.decide import Decision, decide
from rollouts.gitops.gitsync.desk import Means, Surroundings
from rollouts.gitops.gitsync.memory import Memory
from rollouts.gitops.gitsync.metrics import FromSyncs, durations
from rollouts.gitops.gitsync.posting import Teller
from rollouts.gitops.gitsync.sharing import Question, Sharing
from rollouts.gitops.gitsync.values import Facts, Finding, Mandate, Task
from rollouts.gitops.gitsync.watching import Watches, told
from rollouts.gitops.gitsync.watchlist import Watchlist, names_of
from rollouts.gitops.gitsync.webhooks import Door
from rollouts.gitops.health import Part
from rollouts.gitops.objects import JSON, Ref, ref_of
from rollouts.gitops.render.place import Here
from rollouts.gitops.render.renderer import Renderer
from rollouts.gitops.render.sidecar import Sidecar
from rollouts.gitops.seen import Mark, version
from rollouts.plan import Plan

log = structlog.get_logger(__name__)
PASSES = 4
"""Passes at once: each runs a git process and up to eight requests at a time."""


def by_tracking(obj: JSON) -> Iterable[str]:
    """Index of Rollouts: the sync that has applied it."""
    owner = marks.tracked_by(obj, ref_of(obj))
    return () if owner is None else (owner,)


class GitSyncs:
    """Decides for GitSyncs; an `engine.additions.Addition`.

    `account`: ServiceAccount for those that name none. `directory`: where object stores are kept while the process
    lives. `allow_local`: permit repositories on the controller's own disk. `insecure_registries`: hosts of registries
    that are asked without TLS. `budgets`: how much repositories and renders may take. `renderer`: socket of a renderer
    in another container, None for children of this process.
    """

    kind = kinds.GIT_SYNC
    workers = 8
    indexes: Mapping[Kind, Mapping[str, Index]] = {kinds.GIT_SYNC: {}, kinds.ROLLOUT: {"tracking": by_tracking}}

    def __init__(
        self,
        *,
        directory: Path,
        account: str = "",
        allow_local: bool = False,
        passes: int = PASSES,
        insecure_registries: Iterable[str] = (),
        budgets: Budgets | None = None,
        renderer: Path | None = None,
    ) -> None:
        self._place = Here() if renderer is None else Sidecar(renderer)
        self._budgets = budgets or Budgets()
        self._directory = directory
        self._account = account
        self._allow_local = allow_local
        self._memories: dict[str, Memory] = {}
        self._watchlist = Watchlist()
        self._durations = durations()
        self._webhooks: Counter[int] = Counter()
        self._insecure = frozenset(insecure_registries)
        self._gate = asyncio.Semaphore(passes)
        self._awaited_gate = asyncio.Semaphore(passes)
        # a gate of its own: registries that don't answer must not keep anybody's commits waiting
        self._images_gate = asyncio.Semaphore(passes)

    def bind(
        self, *, api: Api, store: Store, wake: Callable[[Key], None], whole: Iterable[Kind], namespace: str | None
    ) -> None:
        """Take the engine's parts."""
        self._store, self._wake = store, wake
        self._whole = {names_of(kind): kind for kind in whole}
        self._watches = Watches(
            api=api,
            watchlist=self._watchlist,
            woken=self._stirred,
            reported=self._reported,
            kept=self._whole,
            namespace=namespace,
        )
        self._means = Means(
            api=api,
            directory=self._directory,
            sharing=Sharing(self._directory),
            account=self._account,
            allow_local=self._allow_local,
            insecure=self._insecure,
            renderer=Renderer(place=self._place, limits=self._budgets.render(), tree=self._budgets.tree()),
            budgets=self._budgets,
            dry_runs=asyncio.Semaphore(self._budgets["dry-runs"]),
        )
        self._teller = Teller(api=api, store=store, wake=lambda obj: wake(key_of(obj)))

    async def decide(self, obj: JSON, now: datetime) -> Plan:
        """Decide, and start or cancel a pass if that is the decision."""
        memory = self._memory(obj)
        facts = self._facts(obj, memory)
        decision = decide(obj, facts, now)
        if decision.settled:
            memory.finding = memory.contested = None
            self._teller.stored(obj)
        if decision.cancel and memory.task is not None:
            memory.task.cancel()
        if decision.start is not None and memory.task is None:
            self._start(obj, memory, decision.start)
        return self._tell(obj, memory, facts, decision, now) if decision.settled else decision.plan

    def _tell(self, obj: JSON, memory: Memory, facts: Facts, decision: Decision, now: datetime) -> Plan:
        """Nothing is left to store: tell the forge, unless objects are being applied."""
        plan = decision.plan
        if plan.writes or (memory.mandate is not None and memory.mandate.task is Task.SYNC):
            return plan
        wait = self._teller.consider(obj, facts.rollouts, now)
        if wait is None or (plan.requeue_after is not None and plan.requeue_after <= wait):
            return plan
        return replace(plan, requeue_after=wait)

    def concerned(self, kind: Kind, obj: JSON) -> Iterable[Key]:
        """The sync that applied a Rollout; syncs that wait for another."""
        self._heed(kind, obj)
        if kind == kinds.ROLLOUT:
            return _keys(by_tracking(obj))
        if kind == kinds.GIT_SYNC:
            self._forget_if_gone(obj)
            return [key for key, other in self._store.shelf(kind).objects.items() if _depends(other, obj)]
        return ()

    def door(self) -> Door:
        """What webhooks need."""
        return Door(
            find=lambda namespace, name: self._store.get(self.kind, Key(namespace, name)),
            secret=lambda namespace, name: self._means.api.get(kinds.SECRET, namespace, name),
            hint=self._hint,
            answered=self._heard,
            secret_seen=self._secret_seen,
            largest=self._budgets["webhook-bytes"],
            per_second=self._budgets["webhooks-per-second"],
        )

    async def _hint(self, namespace: str, name: str) -> None:
        """Something may be new: look soon. A standby can't, so it leaves a note that whoever acts will find."""
        key = Key(namespace, name)
        obj = self._store.get(self.kind, key)
        memory = None if obj is None else self._memories.get(obj["metadata"]["uid"])
        if memory is not None:
            memory.hinted = True
            self._wake(key)
            return
        stamp = {reading.REQUESTED[0]: f"webhook {datetime.now(UTC).isoformat(timespec='milliseconds')}"}
        await self._means.api.patch(self.kind, namespace, name, {"metadata": {"annotations": stamp}})

    def _secret_seen(self, obj: JSON, fault: str) -> None:
        """What a request found of the Secret of a webhook; said only when it is news."""
        memory = self._memories.get(obj["metadata"]["uid"])
        if memory is not None and memory.webhook != fault:
            memory.webhook = fault
            self._wake(memory.key)

    def collectors(self) -> tuple[Collector, ...]:
        """What Prometheus is told."""
        told = FromSyncs(known=self._known, watched=self._watches.states, webhooks=lambda: list(self._webhooks.items()))
        return told, self._durations

    def _known(self) -> Iterator[tuple[JSON, Memory | None]]:
        for obj in list(self._store.shelf(self.kind).objects.values()):
            yield obj, self._memories.get(obj["metadata"]["uid"])

    def _heard(self, code: int) -> None:
        self._webhooks[code] += 1

    async def stop(self) -> None:
        """Cancel the passes; the record was stored before they wrote anything."""
        tasks = [memory.task for memory in self._memories.values() if memory.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._watches.close()
        await self._teller.stop()

    def _memory(self, obj: JSON) -> Memory:
        uid = obj["metadata"]["uid"]
        return self._memories.setdefault(uid, Memory(uid=uid, key=key_of(obj)))

    def _facts(self, obj: JSON, memory: Memory) -> Facts:
        name = reading.identity(obj["metadata"]["namespace"], obj["metadata"]["name"])
        stored = tuple(reading.status_of(obj).get("contested") or ())
        return Facts(
            running=memory.mandate,
            finding=memory.finding,
            looked_at=memory.looked_at,
            compared_at=memory.compared_at,
            images_at=memory.images_at,
            reverted_at=memory.reverted_at,
            hinted=memory.hinted,
            stagger=memory.stagger,
            rollouts=self._store.shelf(kinds.ROLLOUT).find("tracking", name),
            blockers=self._blockers(obj),
            account=self._account,
            contested=stored if memory.contested is None else memory.contested,
            again=memory.again,
            blocked=memory.blocked,
            stirred=memory.stirred,
            restless=memory.restless,
            moved=memory.moved,
            reported=memory.reported_at if memory.reported else None,
            told=self._teller.told(obj),
            webhook=memory.webhook,
        )

    def _blockers(self, obj: JSON) -> tuple[str, ...]:
        return tuple(self._not_ready(obj))

    def _not_ready(self, obj: JSON) -> Iterator[str]:
        for row in obj["spec"].get("dependsOn") or ():
            other = self._store.get(self.kind, Key(obj["metadata"]["namespace"], str(row.get("name"))))
            if other is None:
                yield f"GitSync {row.get('name')}, which does not exist"
            elif not _ready(other):
                yield f"GitSync {row.get('name')} to be ready"

    def _start(self, obj: JSON, memory: Memory, mandate: Mandate) -> None:
        memory.begins(mandate, now=datetime.now(UTC))
        memory.task = asyncio.create_task(self._run(obj, memory, mandate))

    async def _run(self, obj: JSON, memory: Memory, mandate: Mandate) -> None:
        try:
            async with self._gate_of(mandate):
                current = self._store.get(self.kind, memory.key) or obj
                finding = await work.run(current, mandate, self._means, self._around(memory))
        except asyncio.CancelledError:
            began = mandate.began or datetime.now(UTC)
            finding = Finding(mandate=mandate, began=began, at=datetime.now(UTC), errors=("terminated",), step="sync")
        except Exception as error:
            log.exception("a pass failed unexpectedly", gitsync=str(memory.key))
            began = mandate.began or datetime.now(UTC)
            text = f"unexpected {type(error).__name__}; the controller's log says more"
            finding = Finding(mandate=mandate, began=began, at=datetime.now(UTC), errors=(text,), step="sync")
        self._ended(memory, finding)

    def _gate_of(self, mandate: Mandate) -> asyncio.Semaphore:
        """Where a pass waits for its turn. What somebody waits for does not queue behind what is merely due."""
        if mandate.task is Task.IMAGES:
            return self._images_gate
        awaited = mandate.explicit or mandate.stirred or (mandate.fresh and not mandate.thorough)
        return self._awaited_gate if awaited else self._gate

    def _ended(self, memory: Memory, finding: Finding) -> None:
        self._durations.labels(finding.mandate.task.value).observe((finding.at - finding.began).total_seconds())
        obj = self._store.get(self.kind, memory.key)
        if obj is not None:
            self._teller.found(memory.uid, finding)
        memory.ended(finding, contested=tuple(reading.status_of(obj or {}).get("contested") or ()))
        if finding.failed:
            log.info("a pass failed", gitsync=str(memory.key), step=finding.step, error="; ".join(finding.errors))
        if obj is not None and finding.mandate.task is Task.SYNC and finding.compared:
            changed = self._watchlist.note(memory.uid, finding.seen)
            memory.stirred = datetime.now(UTC) if changed else None
            self._watches.adjust()
        self._wake(memory.key)

    def _stirred(self, sync: str) -> None:
        """An object of a sync is not what it was."""
        memory = self._memories.get(sync)
        if memory is not None:
            memory.stirred = memory.stirred or datetime.now(UTC)
            self._wake(memory.key)

    def _reported(self, sync: str, ref: Ref) -> None:
        """The controller of an object has written its status. Rollouts tell themselves how they are."""
        memory = self._memories.get(sync)
        if memory is None or ref.kind == kinds.ROLLOUT.kind or not memory.may_have_health(ref):
            return
        fresh = not memory.reported
        memory.reported.add(ref)
        if fresh:
            memory.reported_at = datetime.now(UTC)
            self._wake(memory.key)

    def _heed(self, kind: Kind, obj: JSON) -> None:
        """An event of a kind that the engine watches; it may be about an object that a sync has applied."""
        if names_of(kind) not in self._whole or marks.MANAGED not in (obj["metadata"].get("labels") or {}):
            return
        gone = self._store.get(kind, key_of(obj)) is None
        ref, now = ref_of(obj), told(kind, obj, gone=gone)
        if (sync := self._watchlist.observe(ref, now)) is not None:
            self._stirred(sync)
        elif (sync := self._watchlist.reported(ref, now)) is not None:
            self._reported(sync, ref)

    def _follows(self, memory: Memory, question: Question, moved: bool) -> None:
        """A sync has asked its repository. When there is a new commit, those that ask the same are told (R3)."""
        memory.follows = question
        for other in self._memories.values() if moved else ():
            if other is not memory and other.follows == question:
                other.moved = datetime.now(UTC)
                self._wake(other.key)

    def _to_be_read(self, memory: Memory) -> tuple[Mapping[Ref, Part], Mapping[Ref, Kind]]:
        """How the objects were, and of which it has to be asked: what a watch has told of, and what none is up for."""
        if not memory.looking:
            return memory.parts, {}
        kinds_of = {ref: self._watchlist.kind_of(memory.uid, ref) for ref in {*memory.parts, *memory.looking}}
        few = {ref: kind for ref, kind in kinds_of.items() if kind is not None}
        return memory.parts, {r: kind for r, kind in few.items() if r in memory.looking or not self._heard_of(kind)}

    def _heard_of(self, kind: Kind) -> bool:
        return names_of(kind) in self._whole or self._watches.live(kind)

    def _steady(self, ref: Ref, mark: Mark) -> bool:
        """Whether an object is known to be as it was."""
        kind = self._whole.get(names_of(mark.kind))
        if kind is None:
            return self._watches.live(mark.kind) and self._watchlist.steady(ref, mark)
        obj = self._store.get(kind, Key(ref.namespace, ref.name))
        return obj is not None and version(obj) <= mark.version

    def _around(self, memory: Memory) -> Surroundings:
        def current() -> JSON | None:
            return self._store.get(self.kind, memory.key)

        def blockers() -> tuple[str, ...]:
            obj = current()
            return () if obj is None else self._blockers(obj)

        return Surroundings(
            current=current,
            blockers=blockers,
            heals=lambda: (memory.heals, memory.healed_at),
            news=lambda: memory.hinted,
            calm=lambda: memory.calm,
            steady=self._steady,
            follows=lambda question, moved: self._follows(memory, question, moved),
            absorbed=self._absorbed,
            reported=lambda: self._to_be_read(memory),
        )

    def _absorbed(self, kind: Kind, answer: JSON) -> None:
        """What somebody wrote just before a pass wrote comes with the answer only: its event is old by then."""
        if self._store.absorb(kind, answer):
            self._wake(key_of(answer))

    def _forget_if_gone(self, obj: JSON) -> None:
        if self._store.get(self.kind, key_of(obj)) is not None:
            return
        self._teller.forget(obj["metadata"]["uid"])
        self._watchlist.forget(obj["metadata"]["uid"])
        self._watches.adjust()
        memory = self._memories.pop(obj["metadata"]["uid"], None)
        if memory is not None and memory.task is not None:
            memory.task.cancel()


def _keys(owners: Iterable[str]) -> Iterator[Key]:
    for owner in owners:
        namespace, slash, name = owner.partition("/")
        if slash:
            yield Key(namespace, name)


def _depends(obj: JSON, on: JSON) -> bool:
    rows = obj["spec"].get("dependsOn") or ()
    same = obj["metadata"]["namespace"] == on["metadata"]["namespace"]
    return same and any(row.get("name") == on["metadata"]["name"] for row in rows)


def _ready(obj: JSON) -> bool:
    status = reading.status_of(obj)
    rows = {row.get("type"): row.get("status") for row in status.get("conditions") or ()}
    observed = int(status.get("observedGeneration") or 0) == int(obj["metadata"].get("generation") or 0)
    return observed and rows.get("Ready") == "True"
