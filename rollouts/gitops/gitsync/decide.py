"""Decides for one GitSync: `decide(object, facts, now) -> Decision`. Pure.

A decision is a plan in the engine's sense (status, events, when to look again) and, maybe, a pass to start. The
questions in order: is it being deleted, is it valid, what did the last pass find, what do the Rollouts say, was a
command given, and is another pass due?
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from analysis.spec.base import write_time
from rollouts.api import kinds
from rollouts.api.errors import explain
from rollouts.api.gitsync import GitSync
from rollouts.api.parsing import check
from rollouts.api.validation.gitsync import operation_problem
from rollouts.gitops import health
from rollouts.gitops.gitsync import aborted, conditions, due, reading, status, telling
from rollouts.gitops.gitsync.conditions import Aspect
from rollouts.gitops.gitsync.events import told
from rollouts.gitops.gitsync.values import Facts, Mandate, Task
from rollouts.gitops.objects import JSON, Ref, ref_of
from rollouts.plan import Event, Patch, Plan, Write
from rollouts.strategy.patching import difference

FINALIZER = "gitops.rollouts.dev/finalizer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`start`: a pass to begin now. `cancel`: the one under way is to end. `settled`: the finding is in the status."""

    plan: Plan = field(default_factory=Plan)
    start: Mandate | None = None
    cancel: bool = False
    settled: bool = False


def decide(obj: JSON, facts: Facts, now: datetime) -> Decision:
    """What to do about a GitSync now."""
    found = check(kinds.GIT_SYNC, obj)
    if obj["metadata"].get("deletionTimestamp"):
        return _deleted(obj, facts, found.model, now)
    sync = found.model
    message = explain(kind="GitSync", name=obj["metadata"]["name"], errors=found.errors) if found.errors else ""
    if sync is None or message:
        return _refused(obj, message, now)
    if not (sync.spec.service_account_name or facts.account):
        return _refused(obj, "spec.serviceAccountName: is required: name the ServiceAccount whose rights are used", now)
    finalizers = _finalizers(obj, sync)
    if finalizers is not None:
        return Decision(plan=Plan(writes=(_patch(obj, {"metadata": {"finalizers": finalizers}}),), requeue_after=0))
    news = _news(obj, sync, facts, now)
    if news is not None:
        return news
    if obj.get("operation"):
        return replace(_command(obj, obj["operation"], {"operation": None}, facts, now), settled=True)
    if confirmed := reading.confirmed(obj):
        cleared = {"metadata": {"annotations": {reading.CONFIRMED: None}}}
        return replace(_command(obj, confirmed, cleared, facts, now), settled=True)
    decision = _next(obj, sync, replace(facts, finding=None), now)
    doubt = aborted.undecided(reading.status_of(obj), facts.rollouts, now=now)
    return decision if doubt is None else replace(decision, plan=_soon(decision.plan, doubt))


def _soon(plan: Plan, seconds: float) -> Plan:
    again = plan.requeue_after
    return replace(plan, requeue_after=seconds if again is None else min(again, seconds))


def _news(obj: JSON, sync: GitSync, facts: Facts, now: datetime) -> Decision | None:
    """What the last pass, the Rollouts and the spec say that the status does not say yet; None: nothing."""
    before = reading.status_of(obj)
    after = dict(before)
    if facts.finding is not None:
        after = status.absorbed(sync, before, facts.finding)
        after["contested"] = list(facts.contested) or None
    elif facts.running is None and (before.get("operationState") or {}).get("phase") == "Terminating":
        after["operationState"] = status.terminated(before, now=now)
    after = aborted.absolved(after, facts.rollouts)
    after = aborted.rejected(sync, after, facts.rollouts, now=now)
    after = _with_rollouts(after, facts)
    after["forge"] = _told(sync, before, facts)
    after |= _heard(facts)
    after["conditions"] = _conditions(obj, sync, after, facts, now)
    patch = difference(before, {key: _whole(before.get(key), value) for key, value in after.items()})
    if not patch:
        return None
    return Decision(plan=Plan(status=patch, events=told(before, after), requeue_after=0))


def _told(sync: GitSync, before: JSON, facts: Facts) -> dict[str, Any] | None:
    """`status.forge`: what the forge knows by now."""
    if sync.spec.forge is None:
        return None
    return before.get("forge") if facts.told is None else telling.absorbed(sync, before, facts.told)


def _whole(before: Any, after: Any) -> Any:
    """`after` with None for each key only `before` has, at any depth: a merge patch would keep those."""
    if not (isinstance(before, Mapping) and isinstance(after, Mapping)):
        return after
    return {**dict.fromkeys(before), **{key: _whole(before.get(key), value) for key, value in after.items()}}


def _next(obj: JSON, sync: GitSync, facts: Facts, now: datetime) -> Decision:
    """Nothing is left to say: start the pass that is due, or wait for it."""
    if facts.running is not None:
        return Decision(settled=True)
    mandate, wait = due.next_pass(obj, sync, facts, now)
    if mandate is None:
        return Decision(plan=Plan(requeue_after=wait), settled=True)
    generation = int(obj["metadata"].get("generation") or 0)
    return Decision(
        start=replace(mandate, began=now, generation=generation, requested=reading.requested(obj)), settled=True
    )


def _refused(obj: JSON, message: str, now: datetime) -> Decision:
    before = reading.status_of(obj)
    generation = int(obj["metadata"].get("generation") or 0)
    rows = conditions.merged(
        before.get("conditions") or (), conditions.invalid(message), generation=generation, now=now
    )
    patch = difference(before, {"observedGeneration": generation, "conditions": rows})
    return Decision(plan=Plan(status=patch, events=told(before, {**before, "conditions": rows})), cancel=True)


def _finalizers(obj: JSON, sync: GitSync) -> list[str] | None:
    """The finalizers to set, None when they are right: ours is there exactly when objects go with the GitSync."""
    there = list(obj["metadata"].get("finalizers") or ())
    wanted = (sync.spec.deletion_policy or "Orphan") != "Orphan"
    if wanted == (FINALIZER in there):
        return None
    return [*there, FINALIZER] if wanted else [name for name in there if name != FINALIZER]


def _deleted(obj: JSON, facts: Facts, sync: GitSync | None, now: datetime) -> Decision:
    """R16: orphaned unless the policy says otherwise."""
    there = list(obj["metadata"].get("finalizers") or ())
    if FINALIZER not in there:
        return Decision(cancel=True)
    finding = facts.finding
    torn_down = finding is not None and finding.mandate.task is Task.TEARDOWN
    orphan = sync is None or (sync.spec.deletion_policy or "Orphan") == "Orphan"
    if orphan or (torn_down and finding is not None and not finding.failed and not finding.waiting):
        names = [name for name in there if name != FINALIZER]
        return Decision(plan=Plan(writes=(_patch(obj, {"metadata": {"finalizers": names}}),)), cancel=True)
    if facts.running is not None:
        return Decision(cancel=facts.running.task is not Task.TEARDOWN, plan=Plan(requeue_after=1))
    if torn_down and finding is not None and (wait := 5 - (now - finding.at).total_seconds()) > 0:
        return Decision(
            plan=Plan(status=_stuck(obj, "; ".join(finding.errors) or finding.waiting, now), requeue_after=wait)
        )
    return Decision(start=Mandate(task=Task.TEARDOWN, began=now), settled=True)


def _stuck(obj: JSON, message: str, now: datetime) -> JSON:
    before = reading.status_of(obj)
    way_out = "with deletionPolicy: Orphan it goes at once, and its objects stay"
    aspect = Aspect(value="False", reason="Deleting", message=f"{message}; {way_out}")
    generation = int(obj["metadata"].get("generation") or 0)
    rows = conditions.merged(before.get("conditions") or (), {"Ready": aspect}, generation=generation, now=now)
    return difference(before, {"conditions": rows})


def _command(obj: JSON, given: JSON, cleared: JSON, facts: Facts, now: datetime) -> Decision:
    """A command is moved into the status first and cleared then: whatever happens in between, it is not lost."""
    operation = {key: value for key, value in given.items() if value is not None}
    before = reading.status_of(obj)
    after: dict[str, Any] = {}
    if "sync" in operation and facts.running is not None and facts.running.explicit:
        return Decision(plan=Plan(requeue_after=2))  # one command after the other
    by = str((operation.get("initiatedBy") or {}).get("username") or "somebody")
    events: list[Event] = []
    if operation.get("release") and (hold := before.get("hold")):
        after["hold"] = None
        text = f"{reading.short(str(hold.get('revision')))} is held no more: released by {by}"
        events.append(Event(reason="HoldEnded", message=text))
    state = before.get("operationState") or {}
    if operation.get("terminate") and (facts.running is not None or state.get("phase") == "Running"):
        after["operationState"] = {**state, "phase": "Terminating"}
        events.append(Event(reason="SyncTerminated", message=f"the sync under way is ended by {by}"))
    if "sync" in operation:
        after["operationState"] = _whole(state, _begun(operation, now=now))
    patch = difference(before, after)
    told_status = (_patch(obj, {"status": patch}, subresource="status"),) if patch else ()
    writes: tuple[Write, ...] = (*told_status, _patch(obj, cleared))
    plan = Plan(writes=writes, events=tuple(events), requeue_after=0)
    return Decision(plan=plan, cancel=bool(operation.get("terminate")))


def _begun(operation: JSON, *, now: datetime) -> JSON:
    """The state of a command that begins now, or has ended because it says what nobody can do."""
    problem = operation_problem(operation)
    if problem is None:
        return aborted.taken_up(operation, now=now)
    stamp = write_time(now)
    asked = {key: operation[key] for key in ("initiatedBy",) if key in operation}
    return {"operation": asked, "phase": "Error", "message": problem, "startedAt": stamp, "finishedAt": stamp}


def _patch(obj: JSON, body: JSON, *, subresource: str | None = None) -> Patch:
    metadata = obj["metadata"]
    return Patch(
        kind=kinds.GIT_SYNC,
        namespace=metadata["namespace"],
        name=metadata["name"],
        body=body,
        subresource=subresource,
    )


def _heard(facts: Facts) -> dict[str, Any]:
    """Bookkeeping of what was heeded: the generation, and the last request by annotation."""
    if facts.finding is None or facts.finding.mandate.task is not Task.SYNC:
        return {}
    mandate = facts.finding.mandate
    asked = {"lastHandledReconcileAt": mandate.requested} if mandate.requested else {}
    return {"observedGeneration": mandate.generation, **asked}


def _with_rollouts(after: dict[str, Any], facts: Facts) -> dict[str, Any]:
    """Rollouts tell at once how they are; for the rest, what the last pass saw counts."""
    rows = after.get("resources") or ()
    fresh = {ref_of(body): health.counted(body) for body in facts.rollouts}
    if not rows or not fresh:
        return after
    updated = [_refreshed(row, fresh) for row in rows]
    if updated == list(rows):
        return after
    parts = [
        health.Part(
            ref=_ref(row),
            health=health.Health(status=health.Status(state["status"]), message=state.get("message") or ""),
        )
        for row in updated
        if (state := row.get("health"))
    ]
    return {**after, "resources": updated, "health": status.health_state(health.overall(parts))}


def _refreshed(row: JSON, fresh: dict[Ref, health.Health | None]) -> JSON:
    state = fresh.get(_ref(row))
    if state is None:
        return row
    return {**row, "health": status.row_health(state)}


def _ref(row: JSON) -> Ref:
    return Ref(group=row.get("group") or "", kind=row["kind"], namespace=row.get("namespace") or "", name=row["name"])


def _conditions(obj: JSON, sync: GitSync, after: JSON, facts: Facts, now: datetime) -> list[dict[str, Any]]:
    old = after.get("conditions") or ()
    generation = int(obj["metadata"].get("generation") or 0)
    if sync.spec.suspend:
        return conditions.merged(old, _suspended(obj), generation=generation, now=now)
    finding = facts.finding
    known = finding is not None and finding.mandate.task is Task.SYNC
    failure = conditions.failure_of(finding) if known and finding is not None else _remembered(old)
    aspects = conditions.of_finding(sync, after, finding) if known and finding is not None else {}
    working = facts.running is not None and facts.running.explicit
    aspects |= conditions.of_status(sync, after, running=working, failure=failure)
    aspects |= conditions.webhook(sync, facts.webhook)
    return conditions.merged(old, aspects, generation=generation, now=now)


def _suspended(obj: JSON) -> dict[str, Aspect]:
    by = reading.annotated(obj, reading.SUSPENDED_BY)
    message = f"suspended{f' by {by}' if by else ''}: nothing is compared or applied"
    return {
        "Ready": Aspect(value="False", reason="Suspended", message=message),
        "Reconciling": conditions.GONE,
        "Stalled": conditions.GONE,
    }


def _remembered(rows: Any) -> Aspect | None:
    """How the last pass went wrong, as the conditions still say."""
    ready: JSON = next((row for row in rows if row.get("type") == "Ready"), {})
    reason = str(ready.get("reason") or "")
    failed = reason.endswith("Failed") or reason in conditions.DENIED.values()
    return Aspect(value="False", reason=reason, message=str(ready.get("message") or "")) if failed else None
