"""The sync itself: the pipeline in order, for one commit, and the loop that runs it for each new one.

Every step hands a complete value to the next or raises; nothing is skipped and nothing is guessed. The record is stored
before the first write and after the last, so the process may be killed anywhere in between.

The loop polls with jitter. A new commit is synced at once; the current one is looked at again every `resync` seconds
(drift); a commit that failed is tried again with growing pauses, because what was wrong may have been the cluster.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import tenacity

from rollouts.api import kinds as known
from rollouts.api.kinds import Kind
from rollouts.engine.client import Api
from rollouts.engine.errors import ApiError
from rollouts.gitops import health, inventory, references
from rollouts.gitops.apply import Outcome, execute
from rollouts.gitops.claims import claims
from rollouts.gitops.cluster import CONFIG_MAP, Cluster, in_parallel
from rollouts.gitops.diff import Question, examine
from rollouts.gitops.errors import ClusterError, SyncError, redact
from rollouts.gitops.inventory import Entry, Inventory, Record
from rollouts.gitops.materialise import materialise
from rollouts.gitops.normalise import KindKey, declared_kinds, key_of, normalise
from rollouts.gitops.objects import JSON, Manifest, Ref
from rollouts.gitops.plan import Examined, Leftover, Policy, SyncPlan, leftover_entries, plan
from rollouts.gitops.render import render
from rollouts.gitops.report import Report, Result
from rollouts.gitops.source import Repository, Source

_SCALERS: tuple[KindKey, ...] = (
    ("argoproj.io/v1alpha1", "Rollout"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("keda.sh/v1alpha1", "ScaledObject"),
)
_LONGEST_PAUSE = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One sync. `name` identifies it in the cluster; `namespace` holds its record and objects that name none.

    `interval`: seconds between polls, plus up to half of it as jitter. `resync`: seconds after which the current commit
    is compared with the cluster again; 0 never. `adopt`: take over objects that another tool manages.
    """

    name: str
    namespace: str
    source: Source
    policy: Policy
    interval: float = 120.0
    resync: float = 180.0
    adopt: bool = False
    attempts: int = 3


@dataclass(slots=True)
class _Memory:
    """What the loop knows of the last pass; lost with the process, and then simply learnt anew."""

    commit: str = ""
    at: float = 0.0
    failures: int = 0
    report: Report | None = None
    inventory: Inventory = field(default_factory=Inventory)


class Syncer:
    """Runs the passes of one sync. `directory` holds the object store (made when missing)."""

    def __init__(self, *, api: Api, settings: Settings, directory: Path) -> None:
        self.settings = settings
        self.cluster = Cluster(api)
        self.repository = Repository(source=settings.source, directory=directory)
        self._memory = _Memory()

    async def run(self, stop: asyncio.Event) -> AsyncIterator[Report]:
        """A report for each pass that did or found something new, until `stop` is set."""
        while not stop.is_set():
            report = await self.poll()
            if report is not None:
                yield report
            pause = self.settings.interval * random.uniform(1.0, 1.5)  # noqa: S311
            try:
                async with asyncio.timeout(pause):
                    await stop.wait()
            except TimeoutError:
                continue

    async def poll(self) -> Report | None:
        """Look at the branch; sync what is due. None when there is nothing new to say."""
        last = self._memory.report
        try:
            commit = await self._resolved()
            report = await (self.sync(commit) if self._due(commit) else self._glance())
        except SyncError as error:
            report = self._failed(error, commit="")
        self._memory.report = report
        said_before = last is not None and _same(last, report)
        return None if said_before else report

    async def once(self) -> Report:
        """Resolve and sync now, whatever happened before."""
        try:
            return await self.sync(await self._resolved())
        except SyncError as error:
            return self._failed(error, commit="")

    async def sync(self, commit: str) -> Report:
        """One pass over a commit. Never raises a SyncError: what went wrong is in the report."""
        try:
            report = await self._retrying(commit)
        except SyncError as error:
            report = self._failed(error, commit=commit)
            await self._note(report)
        failed = report.result is Result.FAILED
        again = self._memory.failures + 1 if commit == self._memory.commit else 1
        self._memory.commit, self._memory.at = commit, time.monotonic()
        self._memory.failures = again if failed else 0
        return report

    def _due(self, commit: str) -> bool:
        memory = self._memory
        if commit != memory.commit:
            return True
        age = time.monotonic() - memory.at
        if memory.failures:
            return bool(age >= min(self.settings.interval * 2**memory.failures, _LONGEST_PAUSE))
        return 0 < self.settings.resync <= age

    async def _resolved(self) -> str:
        async for attempt in self._attempts():
            with attempt:
                return await self.repository.resolve()
        raise AssertionError("tenacity either returns or raises")

    async def _retrying(self, commit: str) -> Report:
        async for attempt in self._attempts():
            with attempt:
                return await self._pass(commit)
        raise AssertionError("tenacity either returns or raises")

    def _attempts(self) -> tenacity.AsyncRetrying:
        return tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(self.settings.attempts),
            wait=tenacity.wait_random_exponential(multiplier=0.2, max=5),
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, SyncError) and error.retriable),
            reraise=True,
        )

    async def _pass(self, commit: str) -> Report:
        await self.repository.fetch(commit)
        subject = await self.repository.subject(commit)
        tree = await materialise(self.repository.git, commit=commit, path=self.settings.source.path)
        self.cluster.forget_kinds()
        stored = await self._stored()
        record = inventory.read(stored)
        manifests, kinds = await self._wanted(render(tree))
        question = await self._question(manifests, kinds)
        decided = plan(
            examined=await examine(self.cluster, manifests, question),
            inventory=record.inventory,
            leftovers=(leftovers := await self._leftovers(record.inventory, manifests)),
            policy=self.settings.policy,
            in_use=await self._in_use(leftovers),
        )
        if not decided.empty:
            await self._store(replace(record, inventory=decided.during, attempted=commit), stored)
        outcome = await self._execute(decided, question)
        return await self._finish(decided, outcome, commit=commit, subject=subject, record=record)

    async def _wanted(self, rendered: tuple[Manifest, ...]) -> tuple[tuple[Manifest, ...], Mapping[KindKey, Kind]]:
        found = await self.cluster.kinds(map(key_of, rendered))
        kinds = {**declared_kinds(rendered), **found}
        settings = self.settings
        return normalise(rendered, kinds=kinds, namespace=settings.namespace, sync=settings.name), kinds

    async def _question(self, manifests: tuple[Manifest, ...], kinds: Mapping[KindKey, Kind]) -> Question:
        served = await self.cluster.kinds(kinds)
        namespaces = [manifest for manifest in manifests if manifest.body["kind"] == "Namespace"]
        missing = [item for item in namespaces if await self.cluster.live(known.NAMESPACE, item.ref) is None]
        return Question(
            kinds=kinds,
            claims=claims([*await self._neighbours(manifests), *(manifest.body for manifest in manifests)]),
            sync=self.settings.name,
            adopt_owned=self.settings.adopt,
            brought_kinds=frozenset(kinds.keys() - served.keys()),
            brought_namespaces=frozenset(item.ref.name for item in missing),
        )

    async def _neighbours(self, manifests: Iterable[Manifest]) -> list[JSON]:
        """Live Rollouts and autoscalers of the namespaces concerned."""
        scalers = await self.cluster.kinds(_SCALERS)
        namespaces = sorted({manifest.ref.namespace for manifest in manifests} - {""})
        found = [await self.cluster.list(kind, space) for kind in scalers.values() for space in namespaces]
        return [body for bodies in found for body in bodies]

    async def _leftovers(self, stored: Inventory, manifests: Iterable[Manifest]) -> tuple[Leftover, ...]:
        entries = leftover_entries(stored, (manifest.ref for manifest in manifests))
        return tuple(await in_parallel(entries, self._leftover))

    async def _leftover(self, entry: Entry) -> Leftover:
        kind = await self._kind(entry)
        if kind is None:
            return Leftover(entry=entry, unknown=f"the cluster does not know the kind {entry.ref.kind} now")
        return Leftover(entry=entry, live=await self.cluster.live(kind, entry.ref))

    async def _kind(self, entry: Entry) -> Kind | None:
        key = (entry.api_version, entry.ref.kind)
        return (await self.cluster.kinds([key])).get(key)

    async def _in_use(self, leftovers: Iterable[Leftover]) -> frozenset[Ref]:
        spaces = {item.entry.ref.namespace for item in leftovers if item.entry.ref.kind in references.KINDS}
        found = [await self.cluster.list(known.REPLICA_SET, space) for space in sorted(spaces)]
        return references.in_use(body for bodies in found for body in bodies)

    async def _execute(self, decided: SyncPlan, question: Question) -> Outcome:
        async def reexamine(item: Examined) -> Examined:
            neighbours = claims([*await self._neighbours([item.manifest]), item.manifest.body])
            return (await examine(self.cluster, [item.manifest], replace(question, claims=neighbours)))[0]

        return await execute(self.cluster, decided, kinds=question.kinds, reexamine=reexamine)

    async def _finish(
        self, decided: SyncPlan, outcome: Outcome, *, commit: str, subject: str, record: Record
    ) -> Report:
        done = not outcome.errors
        final = _with_uids(decided.after if done else decided.during, outcome.uids)
        self._memory.inventory = final
        report = Report(
            sync=self.settings.name,
            result=Result.FAILED if outcome.errors else (Result.CURRENT if decided.empty else Result.SYNCED),
            commit=commit,
            subject=subject,
            applied=outcome.applied,
            unchanged=len(decided.unchanged),
            pruned=outcome.pruned,
            kept=decided.kept,
            errors=outcome.errors,
            step="apply" if outcome.errors else "",
            health=await self._health(final),
        )
        message = "; ".join(outcome.errors) or report.result.value
        applied = commit if done else record.applied
        await self._store(Record(inventory=final, attempted=commit, applied=applied, message=message))
        return report

    async def _glance(self) -> Report:
        """Nothing is due: only look whether the health is still what it was."""
        last = self._memory.report
        if last is None or last.health is None:
            return last or Report(sync=self.settings.name, result=Result.CURRENT)
        return replace(last, health=await self._health(self._memory.inventory))

    async def _health(self, stored: Inventory) -> health.Health:
        parts = await in_parallel(stored.entries.values(), self._part)
        return health.overall(part for part in parts if part is not None)

    async def _part(self, entry: Entry) -> health.Part | None:
        kind = await self._kind(entry)
        body = None if kind is None else await self.cluster.live(kind, entry.ref)
        state = health.Health(status=health.Status.MISSING) if body is None else health.assess(body)
        return None if state is None else health.Part(ref=entry.ref, health=state)

    async def _stored(self) -> JSON | None:
        return await self.cluster.live(CONFIG_MAP, self._record_ref())

    async def _store(self, record: Record, known_body: JSON | None = None) -> None:
        """Write the record, unless it says so already. ClusterError when it can't be: then nothing is applied."""
        body = inventory.body(record, sync=self.settings.name, namespace=self.settings.namespace)
        live = known_body if known_body is not None else await self._stored()
        if live is not None and live.get("data") == body["data"]:
            return
        try:
            await self.cluster.apply(CONFIG_MAP, Manifest(body=body, file="", line=0))
        except ApiError as error:
            raise ClusterError(f"the record {self._record_ref().label} could not be written: {error}") from error

    async def _note(self, report: Report) -> None:
        """Leave a note of a failed pass beside the inventory; a cluster that can't take it is no second error."""
        try:
            record = inventory.read(stored := await self._stored())
            if record.inventory.trusted:
                note = replace(record, attempted=report.commit, message="; ".join(report.errors))
                await self._store(note, stored)
        except SyncError:
            return

    def _record_ref(self) -> Ref:
        name = inventory.name_of(self.settings.name)
        return Ref(group="", kind="ConfigMap", namespace=self.settings.namespace, name=name)

    def _failed(self, error: SyncError, *, commit: str) -> Report:
        return Report(
            sync=self.settings.name,
            result=Result.FAILED,
            commit=commit,
            errors=(redact(str(error)),),
            step=error.step,
        )


def _with_uids(stored: Inventory, uids: Mapping[Ref, str]) -> Inventory:
    return stored.with_entries(replace(entry, uid=uids[ref]) for ref, entry in stored.entries.items() if ref in uids)


def _same(last: Report, report: Report) -> bool:
    """Whether the report says nothing new: the same commit, errors and health, and nothing was done."""
    if report is not last and report.changed and report.applied != last.applied:
        return False
    return (last.commit, last.errors, last.health, last.kept) == (
        report.commit,
        report.errors,
        report.health,
        report.kept,
    )
