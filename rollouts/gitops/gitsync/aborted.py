"""Rollouts that gave an update up: what Git asked for is marked as rejected, and not applied again by itself (R36).

Git and cluster agree while a Rollout is aborted: its spec is the commit's. So nothing is out of sync, and nothing must
be healed. What has to change is what happens next: the commit is *held*, until a different one comes, a person
releases it, or, with `onAbort: Revert`, the commit before it is applied.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from analysis.spec.base import write_time
from rollouts.api.gitsync import GitSync
from rollouts.gitops.claims import dig
from rollouts.gitops.gitsync import reading
from rollouts.gitops.objects import JSON, ref_of

KEPT = 20
TIE: Final = timedelta(seconds=2)
"""Times are whole seconds: an abort in the second in which a revision came counts once the Rollout could answer."""


def rejected(sync: GitSync, before: JSON, rollouts: Iterable[JSON], *, now: datetime) -> dict[str, Any]:
    """`before` with the applied revision rejected and held, if a Rollout gave it up; else `before` unchanged."""
    after = dict(before)
    way = reading.rollouts(sync.spec).on_abort or "Hold"
    applied = reading.last_applied(before)
    revision = applied.get("revision")
    known = {row.get("revision") for row in before.get("rejected") or ()}
    guilty = [rollout for rollout in rollouts if _waits(rollout, since=applied.get("deployedAt"), now=now) == 0]
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


def undecided(before: JSON, rollouts: Iterable[JSON], *, now: datetime) -> float | None:
    """Seconds until it can be told whether an abort is the fault of the applied revision; None: there is no doubt."""
    since = reading.last_applied(before).get("deployedAt")
    waits = (_waits(rollout, since=since, now=now) for rollout in rollouts)
    return min((wait for wait in waits if wait), default=None)


def taken_up(operation: JSON, *, now: datetime) -> dict[str, Any]:
    """The state of an operation that begins now."""
    return {"operation": dict(operation), "phase": "Running", "startedAt": write_time(now)}


def _waits(rollout: JSON, *, since: Any, now: datetime) -> float | None:
    """0: it was aborted after the revision came; more: so many seconds until that is certain; None: it was not. An
    older abort is not this revision's fault, nor is one of a spec that has changed since."""
    status = dig(rollout, "status")
    at = status.get("abortedAt")
    if not (status.get("abort") or at) or status.get("phase") != "Degraded" or not _observed(rollout):
        return None
    stamp, came = reading.time_of(at), reading.time_of(since)
    if stamp is None or came is None or stamp > came:
        return 0.0
    return max(0.0, (came + TIE - now).total_seconds()) if stamp == came else None


def _observed(rollout: JSON) -> bool:
    seen, generation = dig(rollout, "status").get("observedGeneration"), dig(rollout, "metadata").get("generation")
    return seen is None or generation is None or str(seen) == str(generation)


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
