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
    """`before` with the revision that brought what is applied rejected and held, if a Rollout gave it up since it was
    last said to; else `before` unchanged."""
    after = dict(before)
    way = reading.rollouts(sync.spec).on_abort or "Hold"
    origin = reading.origin(before)
    revision = origin.get("revision")
    since = origin.get("deployedAt")
    guilty = [
        rollout
        for rollout in rollouts
        if _waits(rollout, since=since, now=now) == 0 and not _known(before, rollout, revision)
    ]
    if way == "Ignore" or not guilty or not revision:
        return after
    rows = [row for rollout in guilty for row in _rows(rollout, str(revision))]
    replaced = {_about(row) for row in rows}
    kept = [row for row in before.get("rejected") or () if _about(row) not in replaced]
    after["rejected"] = [*kept, *rows][-KEPT:]
    after["hold"] = reading.hold(
        revision=str(revision),
        content=origin.get("contentDigest"),
        newest=str(reading.last_applied(before)["revision"]),
        reason="RolloutAborted",
        at=now,
    )
    if way == "Revert" and (earlier := _good_before(after)) is not None:
        after["operationState"] = taken_up(
            {"sync": {"historyID": earlier}, "initiatedBy": {"automated": True}}, now=now
        )
    return after


def _about(row: JSON) -> tuple[Any, ...]:
    return row.get("rollout"), row.get("revision"), row.get("image")


def _known(before: JSON, rollout: JSON, revision: Any) -> bool:
    """Whether this very abort was told already: a later one of the same revision counts anew."""
    rows = [row for row in before.get("rejected") or () if row.get("revision") == revision]
    own = [row for row in rows if row.get("rollout") == _label(rollout)]
    aborted = reading.time_of(dig(rollout, "status").get("abortedAt"))
    told = [reading.time_of(row.get("at")) for row in own]
    return any(at is None or aborted is None or aborted <= at for at in told)


def absolved(before: JSON, rollouts: Iterable[JSON]) -> dict[str, Any]:
    """`before` without what a Rollout gave up and has made stable since: a person tried again, and it went well. A hold
    for that ends with it."""
    rows = list(before.get("rejected") or ())
    well = {_label(rollout): rollout for rollout in rollouts if _well(rollout)} if rows else {}
    kept = [row for row in rows if not _made_good(row, well.get(str(row.get("rollout"))))]
    if len(kept) == len(rows):
        return dict(before)
    hold = before.get("hold") or {}
    ended = hold.get("reason") == "RolloutAborted" and all(row.get("revision") != hold.get("revision") for row in kept)
    return {**before, "rejected": kept or None, "hold": None if ended else before.get("hold")}


def _well(rollout: JSON) -> bool:
    status = dig(rollout, "status")
    return status.get("phase") == "Healthy" and not status.get("abort") and _observed(rollout)


def _made_good(row: JSON, rollout: JSON | None) -> bool:
    """Whether the pods that were given up are stable now; of an image, whether stable pods have it."""
    if rollout is None:
        return False
    if row.get("image"):
        return row["image"] in _images(rollout)
    return bool(row.get("podHash")) and row["podHash"] == dig(rollout, "status").get("stableRS")


def undecided(before: JSON, rollouts: Iterable[JSON], *, now: datetime) -> float | None:
    """Seconds until it can be told whether an abort is the fault of the applied revision; None: there is no doubt."""
    since = reading.origin(before).get("deployedAt")
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


def _label(rollout: JSON) -> str:
    ref = ref_of(rollout)
    return f"{ref.namespace}/{ref.name}"


def _images(rollout: JSON) -> tuple[str, ...]:
    rows = dig(rollout, "spec", "template", "spec").get("containers") or ()
    images = (row.get("image") for row in rows if isinstance(row, Mapping))
    return tuple(image for image in images if isinstance(image, str))


def _rows(rollout: JSON, revision: str) -> Iterator[dict[str, Any]]:
    status = dig(rollout, "status")
    reason = str(status.get("message") or "aborted")[:500]
    common = {"rollout": _label(rollout), "reason": reason, "at": status.get("abortedAt")}
    yield {"revision": revision, **common, "podHash": status.get("currentPodHash")}
    for image in dict.fromkeys(_images(rollout)):
        yield {"image": image, **common}


def _good_before(status: JSON) -> int | None:
    good = good_entries(status)
    return int(good[-1]["id"]) if good else None


def good_entries(status: JSON, *revisions: str) -> list[JSON]:
    """The entries of the history, oldest first, whose content nobody rejected, and that are not like `revisions`."""
    history = list(status.get("history") or ())
    bad = {row.get("revision") for row in status.get("rejected") or ()} | set(revisions)
    faulty = [entry for entry in history if entry.get("revision") in bad]
    return [
        entry
        for entry in history
        if entry.get("revision") not in bad and not any(reading.alike(entry, other) for other in faulty)
    ]
