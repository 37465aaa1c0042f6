"""One pass of one GitSync, from the repository to a finding. It never raises: what went wrong is in the finding.

A row of `_TASKS` for each thing a pass may be for. Each gets a `Desk` and returns a finding.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from rollouts.api import kinds
from rollouts.api.gitsync import GitSync
from rollouts.api.kinds import Kind
from rollouts.api.parsing import parse
from rollouts.engine.errors import ApiError
from rollouts.gitops import health, marks, objectoptions
from rollouts.gitops.apply import execute
from rollouts.gitops.budgets import exceeded
from rollouts.gitops.cluster import Cluster, in_parallel
from rollouts.gitops.compare import Comparison
from rollouts.gitops.errors import RefusedError, SourceError, SyncError, redact
from rollouts.gitops.git import Access
from rollouts.gitops.gitsync import hooksecret, images, reading, reverting
from rollouts.gitops.gitsync.describe import described, heals, rows
from rollouts.gitops.gitsync.desk import Desk, Means, Surroundings
from rollouts.gitops.gitsync.glance import all_seen, glance, may_glance, taken
from rollouts.gitops.gitsync.terms import narrowed
from rollouts.gitops.gitsync.values import Finding, Mandate, Task
from rollouts.gitops.gitsync.verdict import Case, verdict
from rollouts.gitops.inventory import Inventory
from rollouts.gitops.objectoptions import Consent
from rollouts.gitops.objects import JSON, Ref
from rollouts.gitops.passes import Pipeline
from rollouts.gitops.plan import Leftover, Policy, SyncPlan, digest, plan
from rollouts.gitops.report import Report
from rollouts.gitops.source import Repository
from rollouts.gitops.verify import ANY_TAG, Verification

PARTIAL = "only a part was asked for; hooks did not run"
AGAIN = timedelta(seconds=10)
"""A pass that stopped to wait is followed by another one."""
UNTOLD = (
    "it could not be told whether the branch went back: the repository no longer hands out the commit that was applied "
    "before (was the branch rewritten?), or the two are more than 50 commits apart"
)
APPROVED = ("gitops.rollouts.dev/deletion-approved", "argocd.argoproj.io/deletion-approved")
"""Annotations of the GitSync by which a person approves deleting what asks for that."""


async def run(obj: JSON, mandate: Mandate, means: Means, around: Surroundings) -> Finding:
    """Carry out one pass."""
    began = datetime.now(UTC)
    sync: GitSync = parse(kinds.GIT_SYNC, obj).model
    base = Finding(mandate=mandate, began=began, at=began, inputs=reading.inputs_digest(sync.spec))
    limit = reading.seconds(sync.spec.timeout, reading.TIMEOUT)
    try:
        async with asyncio.timeout(limit):
            found = await _TASKS[mandate.task](Desk(obj, sync, base, means, around))
    except TimeoutError:
        found = replace(base, errors=(f"it did not finish within {limit:g} s (spec.timeout)",), step="sync")
    except SyncError as error:
        found = _failed(base, error)
    except ApiError as error:
        found = replace(base, errors=(redact(str(error)),), step="sync")
    return replace(found, at=datetime.now(UTC), webhook=await _webhook(obj, mandate, means))


async def _webhook(obj: JSON, mandate: Mandate, means: Means) -> str | None:
    """What is wrong with the Secret of its webhook; whatever else the pass found. None: not looked at."""
    name = hooksecret.name_of(obj)
    if name is None or mandate.task is not Task.SYNC or not hooksecret.due(reading.status_of(obj), mandate):
        return None
    space = obj["metadata"]["namespace"]
    read = lambda namespace, name: means.api.get(kinds.SECRET, namespace, name)  # noqa: E731
    return (await hooksecret.read(read, namespace=space, name=name)).fault


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
        budget=exceeded(error),
        denied=denied or shared or error.step == "verify",
    )


async def _sync(this: Desk) -> Finding:
    """Compare, ask for the verdict, carry out."""
    verification = await this.verification()
    async with this.opened() as access:
        repository = this.repository(access)
        resolved = await _resolved(this, repository)
        commit = await _target(this, access, resolved)
        try:
            if (glanced := await _glance(this, repository, resolved, commit)) is not None:
                return glanced
            return await _at(this, repository, resolved, commit, verification)
        except SyncError as error:
            error.commit, error.resolved = commit, resolved  # type: ignore[attr-defined]
            raise


async def _resolved(this: Desk, repository: Repository) -> str:
    """What the revision means now. A rollback needs no answer, if the store still has its commit: then what it rejects
    is what is held already, or was applied last."""
    try:
        return await this.resolved(repository)
    except SourceError:
        wanted = this.mandate.sync.get("historyID")
        if wanted is None or not await repository.has(_from_history(this.status, int(wanted))):
            raise
        rejected = this.status.get("hold") or reading.last_applied(this.status)
        return str(rejected.get("through") or rejected["revision"])


async def _glance(this: Desk, repository: Repository, resolved: str, commit: str) -> Finding | None:
    """What the last comparison found, if nothing can have changed since; None when it has to be made again."""
    calm, base = this.around.calm(), this.base
    if calm is None or not may_glance(
        calm, this.mandate, resolved=resolved, commit=commit, inputs=base.inputs, now=base.began
    ):
        return None
    return await glance(this.pipeline(repository).cluster, calm, base, this.around.steady)


async def _same_folder(this: Desk, pipeline: Pipeline, commit: str, resolved: str) -> Finding | None:
    """What the last comparison found, if the new commit changes other folders only; None when it has to be compared."""
    calm, base = this.around.calm(), this.base
    if calm is None or not calm.folder or commit != resolved:
        return None
    moved = replace(calm, commit=commit, resolved=resolved, digest=digest(SyncPlan(), commit=commit))
    if not may_glance(moved, this.mandate, resolved=resolved, commit=commit, inputs=base.inputs, now=base.began):
        return None
    if await pipeline.folder(commit) != calm.folder:
        return None
    return await glance(pipeline.cluster, moved, base, this.around.steady)


async def preview(obj: JSON, means: Means, *, revision: str = "", adopt: bool = False) -> Comparison:
    """What a sync would do now, seen with the caller's own rights. SyncError when it can't be told. `adopt`: if it
    took over objects that another tool manages.
    """
    parsed = parse(kinds.GIT_SYNC, obj)
    if parsed.model is None:
        raise SourceError("; ".join(map(str, parsed.errors)))
    now = datetime.now(UTC)
    asked = {"revision": revision, "adopt": adopt}
    mandate = Mandate(operation={"sync": {key: value for key, value in asked.items() if value}}, explicit=True)
    nobody = Surroundings(
        current=lambda: obj,
        blockers=tuple,
        heals=lambda: (0, None),
        news=lambda: False,
        absorbed=lambda kind, answer: None,
    )
    this = Desk(obj, parsed.model, Finding(mandate=mandate, began=now, at=now), means, nobody)
    verification = await this.verification()
    async with this.opened() as access:
        repository = this.repository(access)
        commit = await _target(this, access, await repository.resolve())
        return await this.pipeline(repository, verification, own_rights=True).compare(commit)


async def _target(this: Desk, access: Access, resolved: str) -> str:
    """The commit to apply: what the command names, what newer commits wait for (R4), what is held on to (R30), or what
    the branch means."""
    asked = this.mandate.sync
    if asked.get("historyID") is not None:
        return _from_history(this.status, int(asked["historyID"]))
    if asked.get("revision"):
        return await this.repository(access, str(asked["revision"])).resolve()
    if _queues(this) and (begun := reading.under_way(this.status)):
        return begun
    if not this.mandate.explicit and (failed := reading.kept_to(this.sync.spec, this.status)):
        return failed
    hold = this.status.get("hold") or {}
    free = this.mandate.explicit and not asked.get("confirmPlan")
    held = not free and resolved in (hold.get("revision"), hold.get("through"))
    return str(reading.last_applied(this.status).get("revision") or resolved) if held else resolved


def _queues(this: Desk) -> bool:
    return (reading.rollouts(this.sync.spec).on_new_revision or "Supersede") == "Queue"


def _from_history(status: JSON, wanted: int) -> str:
    for entry in status.get("history") or ():
        if int(entry["id"]) == wanted:
            return str(entry["revision"])
    raise SourceError(f"the history has no entry {wanted}: `kubectl rollouts sync history` lists them")


async def _at(
    this: Desk, repository: Repository, resolved: str, commit: str, verification: Verification | None
) -> Finding:
    pipeline = this.pipeline(repository, verification)
    if commit != resolved:
        pipeline.terms = replace(pipeline.terms, tag=ANY_TAG)
    if (glanced := await _same_folder(this, pipeline, commit, resolved)) is not None:
        return glanced
    found = await pipeline.compare(commit, confirmed=str(this.mandate.sync.get("confirmPlan") or ""))
    rewind = await _rewinds(this, repository, commit) if not found.plan.empty else False
    case = replace(
        _case(this, commit, rewind=bool(rewind)),
        deletions=found.deletions,
        prunes_only=not found.plan.stages,
        content=found.content,
    )
    known = replace(this.base, resolved=resolved, commit=commit, compared=True, seen=taken(found), **described(found))
    if rewind is None:
        known = replace(known, remarks=(*known.remarks, UNTOLD))
    said = verdict(case)
    if said.waiting and (said.refused or not found.plan.empty):
        return replace(
            known,
            waiting=said.waiting,
            again=said.again,
            blocked=bool(case.blockers),
            parts=await pipeline.healths(found.record.inventory),
            rows=rows(found.plan, applied=False),
        )
    chosen = narrowed(found.plan, this.mandate.sync.get("resources") or ())
    report = await pipeline.carry_out(
        found,
        chosen,
        go_on=_superseded(this, repository, resolved),
        overdue=_overdue(this, commit),
        run=_run_of(this, case, found, chosen),
    )
    seen = taken(found, report.seen)
    done = chosen is found.plan and not (report.errors or report.waiting)
    return replace(
        known,
        seen=seen,
        calm=this.base.began if done and all_seen(found.plan, seen) else None,
        attempted=not chosen.empty or bool(report.waiting),
        partial=chosen is not found.plan,
        changed=report.changed,
        errors=tuple(redact(error) for error in report.errors),
        step=report.step,
        parts=report.parts or (),
        rows=rows(found.plan, applied=not (report.errors or report.waiting) and chosen is found.plan),
        counts={} if chosen is found.plan and not report.waiting else _left(known.counts),
        wave=report.wave,
        waiting=report.waiting or (PARTIAL if chosen is not found.plan else ""),
        unfinished=bool(report.waiting),
        again=_again(report, queued=_queued(this, commit, resolved)),
        objects=len(report.inventory.entries),
        heals=tuple(heals(chosen)) if case.drift else (),
    )


def _overdue(this: Desk, commit: str) -> Callable[[int], bool]:
    """Whether a wave of this commit has waited for longer than `spec.timeout`."""
    plan = this.status.get("plan") or {}
    ends = reading.after(
        reading.time_of(plan.get("waitingSince")), reading.seconds(this.sync.spec.timeout, reading.TIMEOUT)
    )
    if ends is None or reading.compared_revision(this.status) != commit:
        return lambda wave: False
    return lambda wave: wave == plan.get("wave") and datetime.now(UTC) > ends


def _queued(this: Desk, commit: str, resolved: str) -> bool:
    """Whether a newer commit waited for this one. Of a command nothing waits: what it passes over is held."""
    return not this.mandate.sync and _queues(this) and commit == reading.under_way(this.status) != resolved


def _again(report: Report, *, queued: bool) -> datetime | None:
    """When to look again: soon, at what waits; at once, for the commit that waited for this one."""
    if report.waiting:
        return datetime.now(UTC) + AGAIN
    return datetime.now(UTC) if queued and not report.errors else None


def _left(counts: Mapping[str, int]) -> Mapping[str, int]:
    """Something is left to do, even if it is only a hook."""
    return counts if any(counts.values()) else {**counts, "update": 1}


def _run_of(this: Desk, case: Case, found: Comparison, chosen: SyncPlan) -> str:
    """The name of the hooks' run: the same until this commit is applied or has failed. Empty: without hooks (R29)."""
    begun = this.status.get("lastAttemptedRevision") == found.commit
    if case.drift or chosen is not found.plan or (chosen.empty and not begun):
        return ""
    state = this.status.get("operationState") or {}
    turn = state.get("startedAt") if this.mandate.explicit else this.mandate.attempt
    return f"{found.commit[:12]}-{this.base.inputs[-8:]}-{turn}"


def _case(this: Desk, commit: str, *, rewind: bool) -> Case:
    current = this.around.current() or this.obj
    count, healed_at = this.around.heals()
    return Case(
        spec=this.sync.spec,
        status=reading.status_of(current),
        mandate=this.mandate,
        commit=commit,
        inputs=this.base.inputs,
        now=datetime.now(UTC),
        rewind=rewind,
        heals=count,
        healed_at=healed_at,
        blockers=this.around.blockers(),
        name=this.name,
    )


async def _rewinds(this: Desk, repository: Repository, commit: str) -> bool | None:
    """R5: whether the commit is a step back on the same branch; None when the repository does not tell any more."""
    applied = str(reading.last_applied(this.status).get("revision") or "")
    if this.mandate.sync.get("historyID") is not None:
        return False  # it is meant, and Git may be away
    if applied in ("", commit) or this.mandate.generation != int(this.status.get("observedGeneration") or 0):
        return False
    held = (this.status.get("hold") or {}).get("revision") == applied
    return False if held else await repository.contains(applied, commit)


def _superseded(this: Desk, repository: Repository, resolved: str) -> Callable[[], Awaitable[str]]:
    """R4: between stages, whether there is a newer commit by now. Looked up when a webhook says so, or it took long."""
    queued = _queues(this) or this.mandate.sync
    interval = reading.seconds(this.sync.spec.interval, reading.INTERVAL)

    async def go_on() -> str:
        if queued or not (this.around.news() or time.monotonic() - this.began > interval):
            return ""
        newest = await repository.resolve()
        return "" if newest == resolved else f"superseded by {reading.short(newest)}"

    return go_on


async def _look(this: Desk) -> Finding:
    """Only how healthy everything is, or the few objects that have just been reported on."""
    pipeline = this.pipeline(this.repository(Access()))
    known, few = this.around.reported()
    if few:
        fresh = await in_parallel(few.items(), lambda row: _part(pipeline.cluster, *row))
        rest = [part for ref, part in known.items() if ref not in few]
        return replace(this.base, parts=(*rest, *(part for part in fresh if part is not None)))
    record = await pipeline.records.load()
    return replace(this.base, parts=await pipeline.healths(record.inventory))


async def _part(cluster: Cluster, ref: Ref, kind: Kind) -> health.Part | None:
    """How healthy one object is; None when it has no health."""
    live = await cluster.live(kind, ref)
    missing = health.Part(ref=ref, health=health.Health(status=health.Status.MISSING))
    return missing if live is None else health.part_of(ref, live)


async def _images(this: Desk) -> Finding:
    """Look for newer images, and commit them."""

    async with this.opened() as access:
        found = await images.look(
            this.sync,
            reading.status_of(this.around.current() or this.obj),
            repository=this.repository(access),
            secrets=this.secret,
            insecure=this.means.insecure,
            now=datetime.now(UTC),
        )
    return replace(this.base, image_update=found.state, pushed=found.pushed)


async def _revert(this: Desk) -> Finding:
    """Take a held commit back in Git."""
    async with this.opened() as access:
        done = await reverting.attempt(
            this.sync,
            reading.status_of(this.around.current() or this.obj),
            repository=this.repository(access),
            secrets=this.secret,
            now=datetime.now(UTC),
        )
    return replace(this.base, revert=done.state, pushed=done.look)


async def _teardown(this: Desk) -> Finding:
    """R16: delete what the inventory lists, with the protections of every other deletion."""
    pipeline = this.pipeline(this.repository(Access()))
    record = await pipeline.records.load()
    leftovers = [await pipeline.leftover(entry) for entry in record.inventory.entries.values()]
    approved = any(reading.annotated(this.around.current() or this.obj, key) for key in APPROVED)
    asking = [] if approved else list(_asking(leftovers, identity=pipeline.terms.identity))
    if asking:
        return replace(
            this.base, waiting=f"deleting {', '.join(asking[:5])} waits for approval: annotate {APPROVED[0]}"
        )
    decided = _parting(record.inventory, leftovers, identity=pipeline.terms.identity, approved=approved)

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


def _asking(leftovers: list[Leftover], *, identity: str) -> Iterator[str]:
    """Objects that say `Delete=confirm`, for people."""
    for item in leftovers:
        ours = item.live is not None and marks.tracked_by(item.live, item.entry.ref) == identity
        if ours and item.live and objectoptions.consent(item.live, parting=True)[0] is Consent.CONFIRM:
            yield item.entry.ref.label


def _parting(stored: Inventory, leftovers: list[Leftover], *, identity: str, approved: bool) -> SyncPlan:
    everything = Policy(sync=identity, allow_empty=True, max_percent=100, parting=True, confirm=approved)
    return plan(examined=(), inventory=stored, leftovers=leftovers, policy=everything)


_TASKS: dict[Task, Callable[[Desk], Awaitable[Finding]]] = {
    Task.SYNC: _sync,
    Task.LOOK: _look,
    Task.IMAGES: _images,
    Task.REVERT: _revert,
    Task.TEARDOWN: _teardown,
}
