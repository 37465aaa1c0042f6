"""One pass of one GitSync, from the repository to a finding. It never raises: what went wrong is in the finding.

Rights are kept apart. What belongs to the GitSync itself (its Secret, its status, what Rollouts and autoscalers steer)
is read and written as the controller. Everything Git asks for is looked at, tried and applied **as the ServiceAccount**
the spec names, so that a tenant's repository can do what the tenant may do, and nothing more.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rollouts.api import kinds
from rollouts.api.fieldpaths import shown
from rollouts.api.gitsync import GitSync
from rollouts.api.kinds import Kind
from rollouts.api.parsing import parse
from rollouts.engine.client import Api
from rollouts.engine.errors import ApiError
from rollouts.gitops import url
from rollouts.gitops.apply import execute
from rollouts.gitops.cluster import Cluster
from rollouts.gitops.diff import paths
from rollouts.gitops.errors import RefusedError, SourceError, SyncError, redact
from rollouts.gitops.git import Access
from rollouts.gitops.gitsync import images, reading
from rollouts.gitops.gitsync.access import access_of, decoded
from rollouts.gitops.gitsync.contest import manager_of
from rollouts.gitops.gitsync.ignore import named
from rollouts.gitops.gitsync.terms import account, narrowed, terms
from rollouts.gitops.gitsync.values import Finding, Heal, Mandate, Row, Task
from rollouts.gitops.gitsync.verdict import Case, verdict
from rollouts.gitops.inventory import Inventory
from rollouts.gitops.objects import JSON
from rollouts.gitops.passes import Comparison, Pipeline, Terms
from rollouts.gitops.plan import Action, Leftover, Policy, SyncPlan, plan
from rollouts.gitops.records import StatusRecords
from rollouts.gitops.render.renderer import Renderer
from rollouts.gitops.signatures import Keys
from rollouts.gitops.source import Repository, Source
from rollouts.gitops.verify import Mode, Verification

STORES_KEPT = 20
"""After so many commits the object store of a sync is made anew: old commits are never needed again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a pass is told about its GitSync while it runs. Each is a question, so that the answer is never old.

    `current`: the GitSync now; None when it is gone. `blockers`: dependencies that are not ready. `heals`: how often
    in a row, and when last, drift was set back. `news`: a webhook says that there is something newer.
    """

    current: Callable[[], JSON | None]
    blockers: Callable[[], tuple[str, ...]]
    heals: Callable[[], tuple[int, datetime | None]]
    news: Callable[[], bool]
    absorbed: Callable[[Kind, JSON], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What all passes share. `directory` holds the object stores; `allow_local` permits file://."""

    api: Api
    directory: Path
    account: str = ""
    allow_local: bool = False
    insecure: frozenset[str] = frozenset()
    renderer: Renderer = field(default_factory=Renderer)


async def run(obj: JSON, mandate: Mandate, means: Means, around: Surroundings) -> Finding:
    """Carry out one pass."""
    began = datetime.now(UTC)
    sync: GitSync = parse(kinds.GIT_SYNC, obj).model
    base = Finding(mandate=mandate, began=began, at=began, inputs=reading.inputs_digest(sync.spec))
    limit = reading.seconds(sync.spec.timeout, reading.TIMEOUT)
    try:
        async with asyncio.timeout(limit):
            found = await _TASKS[mandate.task](_Pass(obj, sync, base, means, around))
    except TimeoutError:
        found = replace(base, errors=(f"it did not finish within {limit:g} s (spec.timeout)",), step="sync")
    except SyncError as error:
        found = _failed(base, error)
    except ApiError as error:
        found = replace(base, errors=(redact(str(error)),), step="sync")
    return replace(found, at=datetime.now(UTC))


def _failed(base: Finding, error: SyncError) -> Finding:
    denied = isinstance(error, SourceError) and not error.retriable
    shared = isinstance(error, RefusedError) and "is managed by" in str(error)
    commit = getattr(error, "commit", "")
    return replace(
        base,
        commit=commit,
        resolved=getattr(error, "resolved", ""),
        errors=(redact(str(error)),),
        step=error.step,
        denied=denied or shared or error.step == "verify",
    )


class _Pass:
    """What the steps of one pass share."""

    def __init__(self, obj: JSON, sync: GitSync, base: Finding, means: Means, around: Surroundings) -> None:
        self.obj, self.sync, self.base, self.means, self.around = obj, sync, base, means, around
        self.mandate = base.mandate
        self.status = reading.status_of(obj)
        self.began = time.monotonic()

    @property
    def name(self) -> str:
        return str(self.obj["metadata"]["name"])

    async def verification(self) -> Verification | None:
        """Which signatures are asked for, with the keys of the Secret that holds them."""
        wanted = self.sync.spec.source.verification
        if wanted is None:
            return None
        keys = Keys.of(decoded(await self._secret(wanted.secret_ref.name, "spec.source.verify.secretRef")))
        return Verification(keys=keys, mode=Mode(wanted.mode or "HEAD"))

    def pipeline(
        self, repository: Repository, verification: Verification | None = None, *, own_rights: bool = False
    ) -> Pipeline:
        """As the ServiceAccount, but for the record and for what only the controller may see."""
        api = self.means.api if own_rights else self.means.api.acting_as(account(self.sync, self.means.account))
        return Pipeline(
            cluster=Cluster(api),
            observer=Cluster(self.means.api),
            repository=repository,
            records=StatusRecords(api=self.means.api, owner=self.obj, absorbed=self.around.absorbed),
            terms=replace(self.terms(), verification=verification, tag=repository.tag),
            renderer=self.means.renderer,
        )

    def terms(self) -> Terms:
        return terms(self.sync, self.mandate, self.status.get("contested") or ())

    def repository(self, access: Access, revision: str | None = None) -> Repository:
        source = self.sync.spec.source
        return Repository(
            source=Source(
                url=source.repo_url,
                revision=revision or source.target_revision or "HEAD",
                path=source.path or ".",
                allow_local=self.means.allow_local,
                access=access,
            ),
            directory=self.means.directory / str(self.obj["metadata"]["uid"]),
        )

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Access]:
        """The access its Secret gives, as files that are removed afterwards."""
        reference = self.sync.spec.source.secret_ref
        address = url.parse(self.sync.spec.source.repo_url, allow_local=self.means.allow_local)
        if reference is None:
            yield Access()
            return
        secret = await self._secret(reference.name, "spec.source.secretRef")
        folder = Path(tempfile.mkdtemp(prefix="access-", dir=self.means.directory))
        try:
            yield access_of(secret, folder=folder, https=address.transport is url.Transport.HTTPS)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def _secret(self, name: str, field: str) -> JSON:
        try:
            return await self.means.api.get(kinds.SECRET, self.obj["metadata"]["namespace"], name)
        except ApiError as error:
            raise SourceError(f"Secret {name} ({field}) could not be read: {error}") from error


async def _sync(this: _Pass) -> Finding:
    """Compare, ask for the verdict, carry out."""
    verification = await this.verification()
    async with this.opened() as access:
        repository = this.repository(access)
        _trim(repository.git.store)
        resolved = await repository.resolve()
        commit = await _target(this, access, resolved)
        try:
            return await _at(this, repository, resolved, commit, verification)
        except SyncError as error:
            error.commit, error.resolved = commit, resolved  # type: ignore[attr-defined]
            raise


async def preview(obj: JSON, means: Means, *, revision: str = "") -> Comparison:
    """What a sync would do now, seen with the caller's own rights. SyncError when it can't be told."""
    parsed = parse(kinds.GIT_SYNC, obj)
    if parsed.model is None:
        raise SourceError("; ".join(map(str, parsed.errors)))
    now = datetime.now(UTC)
    mandate = Mandate(operation={"sync": {"revision": revision}} if revision else {}, explicit=True)
    nobody = Surroundings(
        current=lambda: obj,
        blockers=tuple,
        heals=lambda: (0, None),
        news=lambda: False,
        absorbed=lambda kind, answer: None,
    )
    this = _Pass(obj, parsed.model, Finding(mandate=mandate, began=now, at=now), means, nobody)
    verification = await this.verification()
    async with this.opened() as access:
        repository = this.repository(access)
        commit = await _target(this, access, await repository.resolve())
        return await this.pipeline(repository, verification, own_rights=True).compare(commit)


async def _target(this: _Pass, access: Access, resolved: str) -> str:
    """The commit to apply: what the command names, what is held on to (R30), or what the branch means."""
    asked = this.mandate.sync
    if asked.get("historyID") is not None:
        return _from_history(this.status, int(asked["historyID"]))
    if asked.get("revision"):
        return await this.repository(access, str(asked["revision"])).resolve()
    hold = this.status.get("hold") or {}
    held = not this.mandate.explicit and hold.get("revision") == resolved
    return str(reading.last_applied(this.status).get("revision") or resolved) if held else resolved


def _from_history(status: JSON, wanted: int) -> str:
    for entry in status.get("history") or ():
        if int(entry["id"]) == wanted:
            return str(entry["revision"])
    raise SourceError(f"the history has no entry {wanted}: `kubectl rollouts sync history` lists them")


async def _at(
    this: _Pass, repository: Repository, resolved: str, commit: str, verification: Verification | None
) -> Finding:
    pipeline = this.pipeline(repository, verification)
    found = await pipeline.compare(commit, confirmed=str(this.mandate.sync.get("confirmPlan") or ""))
    rewind = await _rewinds(this, repository, commit) if not found.plan.empty else False
    case = _case(this, commit, rewind=rewind)
    known = replace(this.base, resolved=resolved, commit=commit, compared=True, **_described(found))
    said = verdict(case)
    if said.waiting and not found.plan.empty:
        return replace(
            known,
            waiting=said.waiting,
            again=said.again,
            blocked=bool(case.blockers),
            parts=await pipeline.healths(found.record.inventory),
            rows=_rows(found.plan, applied=False),
        )
    chosen = narrowed(found.plan, this.mandate.sync.get("resources") or ())
    report = await pipeline.carry_out(found, chosen, go_on=_superseded(this, repository, resolved))
    return replace(
        known,
        attempted=not chosen.empty,
        partial=chosen is not found.plan,
        changed=report.changed,
        errors=tuple(redact(error) for error in report.errors),
        step=report.step,
        parts=report.parts or (),
        rows=_rows(found.plan, applied=not report.errors and chosen is found.plan),
        counts={} if chosen is found.plan else known.counts,
        waiting="only a part was asked for" if chosen is not found.plan else "",
        objects=len(report.inventory.entries),
        heals=tuple(_heals(chosen)) if case.drift else (),
    )


def _case(this: _Pass, commit: str, *, rewind: bool) -> Case:
    current = this.around.current() or this.obj
    heals, healed_at = this.around.heals()
    return Case(
        spec=this.sync.spec,
        status=reading.status_of(current),
        mandate=this.mandate,
        commit=commit,
        inputs=this.base.inputs,
        now=datetime.now(UTC),
        rewind=rewind,
        heals=heals,
        healed_at=healed_at,
        blockers=this.around.blockers(),
        name=this.name,
    )


async def _rewinds(this: _Pass, repository: Repository, commit: str) -> bool:
    """R5: whether the commit is a step back on the same branch, as far as the repository still tells."""
    applied = str(reading.last_applied(this.status).get("revision") or "")
    if applied in ("", commit) or this.mandate.generation != int(this.status.get("observedGeneration") or 0):
        return False
    held = (this.status.get("hold") or {}).get("revision") == applied
    return not held and await repository.contains(applied, commit)


def _superseded(this: _Pass, repository: Repository, resolved: str) -> Callable[[], Awaitable[str]]:
    """R4: between stages, whether there is a newer commit by now. Looked up when a webhook says so, or it took long."""
    queued = (reading.rollouts(this.sync.spec).on_new_revision or "Supersede") == "Queue" or this.mandate.sync
    interval = reading.seconds(this.sync.spec.interval, reading.INTERVAL)

    async def go_on() -> str:
        if queued or not (this.around.news() or time.monotonic() - this.began > interval):
            return ""
        newest = await repository.resolve()
        return "" if newest == resolved else f"superseded by {reading.short(newest)}"

    return go_on


async def _look(this: _Pass) -> Finding:
    """Only how healthy everything is."""
    pipeline = this.pipeline(this.repository(Access()))
    record = await pipeline.records.load()
    return replace(this.base, parts=await pipeline.healths(record.inventory))


async def _images(this: _Pass) -> Finding:
    """Look for newer images, and commit them."""

    async def secrets(name: str, field: str) -> Mapping[str, bytes]:
        return decoded(await this._secret(name, field))

    async with this.opened() as access:
        found = await images.look(
            this.sync,
            reading.status_of(this.around.current() or this.obj),
            repository=this.repository(access),
            secrets=secrets,
            insecure=this.means.insecure,
            now=datetime.now(UTC),
        )
    return replace(this.base, image_update=found.state, pushed=found.pushed)


async def _teardown(this: _Pass) -> Finding:
    """R16: delete what the inventory lists, with the protections of every other deletion."""
    pipeline = this.pipeline(this.repository(Access()))
    record = await pipeline.records.load()
    leftovers = [await pipeline.leftover(entry) for entry in record.inventory.entries.values()]
    decided = _parting(record.inventory, leftovers, identity=pipeline.terms.identity)

    async def never(item: Any) -> Any:
        raise AssertionError("nothing is applied")

    async def go_on() -> str:
        return ""

    outcome = await execute(
        pipeline.cluster, decided, kinds={}, reexamine=never, go_on=go_on, propagation=pipeline.terms.propagation
    )
    waits = this.sync.spec.deletion_policy == "WaitForTermination" and bool(decided.prunes)
    waiting = f"waiting until {len(decided.prunes)} objects are gone" if waits else ""
    return replace(this.base, errors=outcome.errors, step="prune" if outcome.errors else "", waiting=waiting)


def _parting(stored: Inventory, leftovers: list[Leftover], *, identity: str) -> SyncPlan:
    everything = Policy(sync=identity, allow_empty=True, max_percent=100)
    return plan(examined=(), inventory=stored, leftovers=leftovers, policy=everything)


_TASKS: dict[Task, Callable[[_Pass], Awaitable[Finding]]] = {
    Task.SYNC: _sync,
    Task.LOOK: _look,
    Task.IMAGES: _images,
    Task.TEARDOWN: _teardown,
}


def _described(found: Comparison) -> dict[str, Any]:
    decided = found.plan
    actions = [item.action for stage in decided.stages for item in stage]
    updates = actions.count(Action.UPDATE)
    counts = {"create": len(actions) - updates, "update": updates, "prune": len(decided.prunes)}
    return {
        "digest": found.digest,
        "renderer": found.renderer,
        "images": found.images,
        "counts": counts,
        "protected": tuple(f"{row.ref.label}: {row.reason}" for row in decided.kept),
        "objects": len(found.record.inventory.entries),
    }


def _rows(decided: SyncPlan, *, applied: bool) -> tuple[Row, ...]:
    changed = [item for stage in decided.stages for item in stage]
    state = "Synced" if applied else "OutOfSync"
    return (
        *(_row(item.manifest.ref, item.manifest.api_version, "Synced") for item in decided.unchanged),
        *(
            _row(item.manifest.ref, item.manifest.api_version, state, "" if applied else ", ".join(item.fields[:5]))
            for item in changed
        ),
        *(Row(ref=row.ref, status="OutOfSync", prune=True, message=row.reason) for row in decided.kept),
        *(() if applied else (Row(ref=row.ref, status="OutOfSync", prune=True) for row in decided.prunes)),
    )


def _row(ref: Any, api_version: str, status: str, message: str = "") -> Row:
    return Row(ref=ref, version=api_version.rpartition("/")[2], status=status, message=message)


def _heals(decided: SyncPlan) -> Iterator[Heal]:
    """What drift this plan sets back, field by field, with whoever wrote it."""
    for item in (item for stage in decided.stages for item in stage):
        if item.before is None or item.after is None:
            continue
        for path in paths(item.before, item.after):
            yield Heal(
                ref=item.manifest.ref, path=shown(named(path, item.before)), manager=manager_of(item.before, path)
            )


def _trim(store: Path) -> None:
    """Make the store anew when it has seen many commits."""
    refs = store / "refs" / "sync"
    if refs.exists() and sum(1 for _ in refs.iterdir()) > STORES_KEPT:
        shutil.rmtree(store, ignore_errors=True)
