"""The status that follows from a finding: pure, and the same however often it is asked, until it is stored.

Nothing is written that says nothing new: a pass that found everything as it was leaves the status alone, so that a
thousand syncs at rest cause no writes at all (R25). Lists are bounded (R23).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from analysis.spec.base import write_time
from rollouts.api.gitsync import GitSync
from rollouts.gitops import health
from rollouts.gitops.gitsync import images, reading, reverting
from rollouts.gitops.gitsync.values import Finding, Row, Task
from rollouts.gitops.objects import JSON, Ref

SHOWN = 500
MESSAGE = 2000
ROW_MESSAGE = 200
LIMIT = 256_000
"""Bytes of a status beside its inventory: what people look at is cut until it fits."""


def absorbed(sync: GitSync, before: JSON, finding: Finding) -> dict[str, Any]:
    """`before` with what the pass found; unchanged keys keep their values."""
    if finding.mandate.task is Task.LOOK:
        return {**before, **_healths(before, finding)}
    if finding.mandate.task is Task.IMAGES:
        return {**before, "imageUpdate": images.absorbed(before.get("imageUpdate") or {}, finding)}
    if finding.mandate.task is Task.REVERT:
        return {**before, "revert": reverting.absorbed(before, finding)}
    after = {**before, **_compared(sync, before, finding)}
    theirs = (before.get("operationState") or {}).get("phase") == "Running" and not finding.mandate.explicit
    if finding.unfinished and finding.mandate.explicit:
        after["operationState"] = {**(before.get("operationState") or {}), "message": finding.waiting[:MESSAGE]}
    elif not (theirs or finding.unfinished) and _worth_telling(before, finding):
        after["operationState"] = _operation_state(before, finding)
    if _belongs_into_history(before, finding):
        after["history"] = _history(sync, before, finding)
    after["hold"] = _hold(before, finding)
    if finding.commit and (finding.attempted or finding.failed):
        after["lastAttemptedRevision"] = finding.commit
    after = _bounded(after)
    if _without_time(after) != _without_time(before):
        after["reconciledAt"] = write_time(finding.at)
    return after


def _bounded(after: dict[str, Any]) -> dict[str, Any]:
    """R23: as much of the long lists as fits; the worst rows come first, so those stay."""
    for shown in (SHOWN, 200, 50, 10):
        cut = {**after, **_cut(after, shown)}
        if len(json.dumps({**cut, "inventory": None}, default=str)) <= LIMIT:
            break
    return cut


def _cut(after: JSON, shown: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if rows := after.get("resources"):
        found["resources"] = rows[:shown]
    if shown < SHOWN and (history := after.get("history")):
        found["history"] = history[-max(shown, 1) :]
    for key, name in (("plan", "protected"), ("summary", "images")):
        holder = after.get(key) or {}
        if holder.get(name):
            found[key] = {**holder, name: holder[name][:shown]}
    return found


def _worth_telling(before: JSON, finding: Finding) -> bool:
    """A retry is, whatever it came to: it is counted, and the next one waits longer."""
    old = before.get("operationState") or {}
    retried = old.get("phase") in ("Failed", "Error") and finding.mandate.attempt > int(old.get("retryCount") or 0)
    recovered = old.get("phase") in ("Failed", "Error") and _settled(finding)
    return (
        finding.attempted or bool(finding.failed and finding.commit) or finding.mandate.explicit or retried or recovered
    )


def _settled(finding: Finding) -> bool:
    """Whether everything is as Git says."""
    return finding.compared and not (finding.failed or finding.waiting)


def _without_time(status: JSON) -> Any:
    return _stored({key: value for key, value in status.items() if key != "reconciledAt"})


def _stored(value: Any) -> Any:
    """The value as it comes back: what is None is not there, at any depth."""
    if isinstance(value, Mapping):
        return {key: _stored(item) for key, item in value.items() if item is not None}
    return [_stored(item) for item in value] if isinstance(value, list | tuple) else value


def _compared(sync: GitSync, before: JSON, finding: Finding) -> dict[str, Any]:
    old = before.get("sync") or {}
    if not finding.compared:
        return {"sync": {**old, "status": "Unknown"}}
    known = {
        "sync": {
            "status": "OutOfSync" if finding.pending or finding.failed else "Synced",
            "revision": finding.commit,
            "comparedTo": finding.inputs,
        },
        "sourceType": finding.renderer,
        "plan": _plan(before, finding),
        "summary": _summary(sync, before, finding),
        "remarks": list(finding.remarks) or None,
    }
    return {**known, **_healths(before, finding)}


def _plan(before: JSON, finding: Finding) -> dict[str, Any] | None:
    if not finding.pending and not finding.protected:
        return None
    return {
        "digest": finding.deletions or finding.digest,
        **(dict(finding.counts) if finding.pending else {}),
        "protected": list(finding.protected[:SHOWN]) or None,
        "waitingFor": finding.waiting or _asking(finding) or None,
        "wave": finding.wave,
        "waitingSince": _since(before, finding),
    }


def _since(before: JSON, finding: Finding) -> str | None:
    """Since when this wave of this commit waits; None when none does."""
    if finding.wave is None:
        return None
    old = before.get("plan") or {}
    same = (old.get("wave"), reading.compared_revision(before)) == (finding.wave, finding.commit)
    return (same and old.get("waitingSince")) or write_time(finding.at)


def _asking(finding: Finding) -> str:
    return f"{finding.asking} objects are deleted once that is confirmed: `sync confirm`" if finding.asking else ""


def _summary(sync: GitSync, before: JSON, finding: Finding) -> dict[str, Any]:
    revision = sync.spec.source.target_revision or "HEAD"
    commit = reading.short(finding.commit)
    return {
        **(before.get("summary") or {}),
        "images": list(finding.images[:SHOWN]),
        "externalURLs": list(finding.addresses) or None,
        "shortRevision": commit if finding.commit.startswith(revision) else f"{revision}@{commit[:7]}",
        "objects": finding.objects,
    }


def _healths(before: JSON, finding: Finding) -> dict[str, Any]:
    """Health and rows; a pass that only looked keeps what an earlier one said of the comparison."""
    parts = {part.ref: part.health for part in finding.parts}
    rows = finding.rows if finding.mandate.task is not Task.LOOK else _rows(before)
    worst = health.overall(finding.parts)
    listed = [_row(row, parts.get(row.ref)) for row in sorted(rows, key=lambda row: _badness(row, parts))]
    return {"health": health_state(worst), "resources": listed[:SHOWN]}


def health_state(found: health.Health) -> dict[str, Any]:
    """A health as it is stored."""
    return {"status": found.status.value, "message": found.message[:MESSAGE] or None}


def row_health(found: health.Health) -> dict[str, Any]:
    """The same for one of many rows, in few words."""
    state = health_state(found)
    return {key: value[:ROW_MESSAGE] for key, value in state.items() if value}


def _badness(row: Row, parts: Mapping[Any, health.Health]) -> tuple[int, int, Any]:
    state = parts.get(row.ref, health.HEALTHY)
    return -health.rank(state.status), 0 if row.status != "Synced" else 1, row.ref


def _row(row: Row, state: health.Health | None) -> dict[str, Any]:
    ref = row.ref
    described = {"group": ref.group, "version": row.version, "kind": ref.kind, "namespace": ref.namespace}
    known = {key: value for key, value in described.items() if value}
    extra: dict[str, Any] = {"health": row_health(state)} if state else {}
    if row.prune:
        extra["requiresPruning"] = True
    if row.message:
        extra["message"] = row.message[:ROW_MESSAGE]
    return {**known, "name": ref.name, "status": row.status, **extra}


def _rows(before: JSON) -> tuple[Row, ...]:
    return tuple(
        Row(
            ref=Ref(
                group=row.get("group") or "",
                kind=row["kind"],
                namespace=row.get("namespace") or "",
                name=row["name"],
            ),
            version=row.get("version") or "",
            status=row.get("status") or "Unknown",
            prune=bool(row.get("requiresPruning")),
            message=row.get("message") or "",
        )
        for row in before.get("resources") or ()
    )


def terminated(before: JSON, *, now: datetime) -> dict[str, Any]:
    """The operation that a command has ended. Its commit is not tried again by itself."""
    old = before.get("operationState") or {}
    commit = old.get("revision") or before.get("lastAttemptedRevision")
    ended = {"phase": "Failed", "message": reading.TERMINATED, "finishedAt": write_time(now), "revision": commit}
    return {**old, **ended}


def _operation_state(before: JSON, finding: Finding) -> dict[str, Any]:
    """The operation as it stands after the pass. One that keeps failing the same way is not told again and again."""
    old = before.get("operationState") or {}
    stored = (old.get("message"), old.get("finishedAt")) == (reading.TERMINATED, write_time(finding.at))
    if finding.failed and (old.get("phase") == "Terminating" or stored):
        return terminated(before, now=finding.at)
    same = (not finding.commit or old.get("revision") == finding.commit) and old.get("phase") in ("Failed", "Error")
    message = ("; ".join(finding.errors) or finding.waiting or _success(finding))[:MESSAGE]
    retried, told = int(old.get("retryCount") or 0), old.get("message") == message
    if same and finding.failed and told and not finding.mandate.explicit and finding.mandate.attempt <= retried:
        return dict(old)
    attempt = (max(finding.mandate.attempt, retried) if finding.failed else finding.mandate.attempt) if same else 0
    return {
        "operation": dict(finding.mandate.operation) or {"sync": {}, "initiatedBy": {"automated": True}},
        "phase": _phase(finding),
        "message": message,
        "startedAt": write_time(finding.began),
        "finishedAt": write_time(finding.at),
        "retryCount": attempt or None,
        "revision": finding.commit or (old.get("revision") if same else None),
    }


def _phase(finding: Finding) -> str:
    if finding.failed:
        return "Failed" if finding.step == "apply" else "Error"
    refused = finding.waiting and not finding.attempted and not finding.mandate.sync.get("dryRun")
    return "Failed" if refused else "Succeeded"


def _success(finding: Finding) -> str:
    if finding.attempted and finding.heals:
        return "what others had changed was set back; hooks did not run"
    return "applied" if finding.attempted else "nothing was to be done"


def _belongs_into_history(before: JSON, finding: Finding) -> bool:
    """Complete syncs of something new: not self-heals, not parts, not what failed."""
    if finding.failed or finding.partial or not finding.compared or finding.waiting or not finding.commit:
        return False
    last = reading.last_applied(before)
    return (last.get("revision"), last.get("inputsDigest")) != (finding.commit, finding.inputs)


def _history(sync: GitSync, before: JSON, finding: Finding) -> list[dict[str, Any]]:
    """Of commits in a row with the same content the first and the last stay: those of others push no release out."""
    entries = [dict(entry) for entry in before.get("history") or ()]
    number = max((int(entry["id"]) for entry in entries), default=0) + 1
    if len(entries) > 1 and all(reading.renders_to(entry, finding.content) for entry in entries[-2:]):
        entries.pop()
    initiator = finding.mandate.operation.get("initiatedBy") or {"automated": True}
    entries.append(
        {
            "id": number,
            "revision": finding.commit,
            "inputsDigest": finding.inputs,
            "planDigest": finding.digest,
            "contentDigest": finding.content or None,
            "deployedAt": write_time(finding.at),
            "initiatedBy": dict(initiator),
            "result": "Synced" if finding.changed else "nothing was to be done",
        }
    )
    limit = sync.spec.revision_history_limit
    kept = reading.HISTORY if limit is None else limit
    return entries[-max(kept, 1) :]


def _hold(before: JSON, finding: Finding) -> dict[str, Any] | None:
    """R30: who applies another commit than the source's present one holds that back. It ends with a different content,
    or when a person applies what is held."""
    old = before.get("hold")
    chosen = finding.mandate.sync.get("historyID") is not None or bool(finding.mandate.sync.get("revision"))
    if chosen and _carried_out(finding) and finding.resolved not in ("", finding.commit):
        reason = "Rollback" if finding.mandate.sync.get("historyID") is not None else "Manual"
        if old and finding.resolved in (old.get("revision"), old.get("through")):
            return dict(old)
        return _held(before, finding, reason)
    if not old:
        return None
    if not finding.compared or finding.commit != finding.resolved:
        return dict(old)  # what the source has now is not known yet
    held = old.get("revision") == finding.commit or reading.renders_to(old, finding.content)
    if not held or (finding.mandate.settles and _carried_out(finding)):
        return None
    return {**old, "through": finding.resolved if finding.resolved != old.get("revision") else None}


def _carried_out(finding: Finding) -> bool:
    """Whether the cluster is as the commit says, or on its way; also when there was nothing to do."""
    return finding.compared and not finding.failed and (finding.attempted or not finding.waiting)


def _held(before: JSON, finding: Finding, reason: str) -> dict[str, Any]:
    """A hold on the source's present commit. What it renders to is known if it was applied before."""
    history: list[JSON] = list(before.get("history") or ())
    known = [entry for entry in history if entry.get("revision") == finding.resolved]
    content = known[-1].get("contentDigest") if known else None
    alike = [entry for entry in history if reading.renders_to(entry, content)]
    return reading.hold(
        revision=str(alike[0]["revision"]) if alike else finding.resolved,
        content=content,
        newest=finding.resolved,
        reason=reason,
        by=finding.mandate.by,
        at=finding.at,
    )
