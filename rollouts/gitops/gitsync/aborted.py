"""Rollouts that gave an update up: what Git asked for is marked as rejected, and not applied again by itself (R36).

Git and cluster agree while a Rollout is aborted: its spec is the commit's. So nothing is out of sync, and nothing must
be healed. What has to change is what happens next: the commit is *held*, until a different one comes, a person
releases it, or, with `onAbort: Revert`, the commit before it is applied.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from analysis.spec.base import write_time
from rollouts.api.gitsync import GitSync
from rollouts.gitops.claims import dig
from rollouts.gitops.gitsync import reading
from rollouts.gitops.objects import JSON, ref_of

KEPT = 20


def rejected(sync: GitSync, before: JSON, rollouts: Iterable[JSON], *, now: datetime) -> dict[str, Any]:
    """`before` with the applied revision rejected and held, if a Rollout gave it up; else `before` unchanged."""
    after = dict(before)
    way = reading.rollouts(sync.spec).on_abort or "Hold"
    applied = reading.last_applied(before)
    revision = applied.get("revision")
    known = {row.get("revision") for row in before.get("rejected") or ()}
    guilty = [rollout for rollout in rollouts if _gave_up(rollout, since=applied.get("deployedAt"))]
    if way == "Ignore" or not guilty or not revision or revision in known:
        return after
    rows = [row for rollout in guilty for row in _rows(rollout, str(revision))]
    after["rejected"] = [*(before.get("rejected") or ()), *rows][-KEPT:]
    after["hold"] = {"revision": revision, "reason": "RolloutAborted", "at": write_time(now)}
    if way == "Revert" and (earlier := _good_before(after)) is not None:
        after["operationState"] = taken_up(
            {"sync": {"historyID": earlier}, "initiatedBy": {"automated": True}}, now=now
        )
    return after


def taken_up(operation: JSON, *, now: datetime) -> dict[str, Any]:
    """The state of an operation that begins now."""
    return {"operation": dict(operation), "phase": "Running", "startedAt": write_time(now)}


def _gave_up(rollout: JSON, *, since: Any) -> bool:
    """Whether it is aborted, and was so after the revision came: an older abort is not this revision's fault."""
    status = dig(rollout, "status")
    at = status.get("abortedAt")
    if not (status.get("abort") or at) or status.get("phase") != "Degraded":
        return False
    stamp, came = reading.time_of(at), reading.time_of(since)
    return stamp is None or came is None or stamp >= came


def _rows(rollout: JSON, revision: str) -> Iterator[dict[str, Any]]:
    ref = ref_of(rollout)
    reason = str(dig(rollout, "status").get("message") or "aborted")[:500]
    common = {"rollout": f"{ref.namespace}/{ref.name}", "reason": reason}
    yield {"revision": revision, **common}
    for row in dig(rollout, "spec", "template", "spec").get("containers") or ():
        image = row.get("image") if isinstance(row, Mapping) else None
        if isinstance(image, str):
            yield {"image": image, **common}


def _good_before(status: JSON) -> int | None:
    bad = {row.get("revision") for row in status.get("rejected") or ()}
    good = [entry for entry in status.get("history") or () if entry.get("revision") not in bad]
    return int(good[-1]["id"]) if good else None
