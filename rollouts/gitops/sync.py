"""`rollouts sync`: the loop that runs a pass (`passes.py`) for each new commit, without any kind in the cluster.

The loop polls with jitter. A new commit is synced at once; the current one is looked at again every `resync` seconds
(drift); a commit that failed is tried again with growing pauses, because what was wrong may have been the cluster.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import tenacity

from rollouts.engine.client import Api
from rollouts.gitops.budgets import Budgets
from rollouts.gitops.cluster import Cluster
from rollouts.gitops.errors import SyncError, redact
from rollouts.gitops.inventory import Inventory
from rollouts.gitops.passes import Pipeline
from rollouts.gitops.plan import Policy
from rollouts.gitops.records import ConfigMapRecords
from rollouts.gitops.render.renderer import Renderer
from rollouts.gitops.report import Report, Result
from rollouts.gitops.source import Repository, Source
from rollouts.gitops.terms import Terms

_LONGEST_PAUSE = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """One sync. `name` identifies it in the cluster; `namespace` holds its record and objects that name none.

    `interval`: seconds between polls, plus up to half of it as jitter. `resync`: seconds after which the current commit
    is compared with the cluster again; 0 never. `adopt`: take over objects that another tool manages. `budgets`: how
    much the repository and a render may take.
    """

    name: str
    namespace: str
    source: Source
    policy: Policy
    interval: float = 120.0
    resync: float = 180.0
    adopt: bool = False
    attempts: int = 3
    budgets: Budgets = field(default_factory=Budgets)


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
        budgets = settings.budgets
        cluster = Cluster(api, dry_runs=asyncio.Semaphore(budgets["dry-runs"]))
        self.repository = Repository(
            source=settings.source,
            directory=directory,
            timeout=budgets["fetch-seconds"],
            most=budgets["fetch-bytes"],
        )
        self.pipeline = Pipeline(
            cluster=cluster,
            repository=self.repository,
            records=ConfigMapRecords(cluster=cluster, name=settings.name, namespace=settings.namespace),
            terms=Terms(
                identity=settings.name,
                namespace=settings.namespace,
                policy=settings.policy,
                path=settings.source.path,
                adopt=settings.adopt,
            ),
            renderer=Renderer(limits=budgets.render(), tree=budgets.tree()),
        )
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
        found = await self.pipeline.compare(commit)
        run = "" if found.plan.empty else f"{commit[:12]}-{int(time.time())}"
        report = await self.pipeline.carry_out(found, run=run)
        while report.waiting:
            report = await self.pipeline.carry_out(await self.pipeline.compare(commit), run=run)
        self._memory.inventory = report.inventory
        return report

    async def _glance(self) -> Report:
        """Nothing is due: only look whether the health is still what it was."""
        last = self._memory.report
        if last is None or last.health is None:
            return last or Report(sync=self.settings.name, result=Result.CURRENT)
        return replace(last, parts=await self.pipeline.healths(self._memory.inventory))

    async def _note(self, report: Report) -> None:
        """Leave a note of a failed pass beside the inventory; a cluster that can't take it is no second error."""
        try:
            record = await self.pipeline.records.load()
            if record.inventory.trusted:
                await self.pipeline.records.save(
                    replace(record, attempted=report.commit, message="; ".join(report.errors))
                )
        except SyncError:
            return

    def _failed(self, error: SyncError, *, commit: str) -> Report:
        return Report(
            sync=self.settings.name,
            result=Result.FAILED,
            commit=commit,
            errors=(redact(str(error)),),
            step=error.step,
        )


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
