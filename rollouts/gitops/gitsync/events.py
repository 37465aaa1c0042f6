"""What people are told about a GitSync, from the difference between two statuses. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from rollouts.gitops.gitsync import reading, reverting
from rollouts.gitops.objects import JSON
from rollouts.plan import Event


def told(before: JSON, after: JSON) -> tuple[Event, ...]:
    """The events of a change; none for what says nothing new."""
    return tuple(_told(before, after))


def _told(before: JSON, after: JSON) -> Iterator[Event]:
    old, new = before.get("operationState") or {}, after.get("operationState") or {}
    ended = new.get("phase") in ("Failed", "Error", "Succeeded")
    if ended and new.get("finishedAt") != old.get("finishedAt"):
        good = new["phase"] == "Succeeded"
        commit = reading.short(str(new.get("revision") or ""))
        yield Event(
            type="Normal" if good else "Warning",
            reason="SyncSucceeded" if good else "SyncFailed",
            message=f"{commit}: {new.get('message')}"[:1000],
        )
    yield from _holds(before.get("hold") or {}, after.get("hold") or {})
    for name in ("Stalled", "PruneBlocked", "Contested"):
        yield from _arisen(name, before, after)
    for name in ("Reverted", "ForgeReady", "ImageUpdateReady", "WebhookReady"):
        if _condition(after, name).get("status") == "False":
            yield from _arisen(name, before, after)
    for text in sorted(set(after.get("remarks") or ()) - set(before.get("remarks") or ())):
        yield Event(type="Warning", reason="Remark", message=text)
    yield from _in_git(before, after)


def _in_git(before: JSON, after: JSON) -> Iterator[Event]:
    """What was written to the repository, and what a person is to merge."""
    revert = (after.get("revert") or {}).get("commit")
    if revert and revert != (before.get("revert") or {}).get("commit"):
        yield Event(reason="Reverted", message=reverting.summary(after["revert"]))
    pushed, old = ((status.get("imageUpdate") or {}).get("lastCommit") or {} for status in (after, before))
    if pushed and pushed.get("revision") != old.get("revision"):
        what = ", ".join(pushed.get("changes") or ())
        message = f"{reading.short(str(pushed['revision']))} on {pushed['branch']}: {what}"[:1000]
        yield Event(reason="ImagesUpdated", message=message)
    known = {row["url"] for row in (before.get("forge") or {}).get("proposals") or ()}
    for row in (after.get("forge") or {}).get("proposals") or ():
        if row["url"] not in known:
            yield Event(reason="ProposalOpened", message=f"{row['branch']}: {row['url']}")


def _holds(old: JSON, new: JSON) -> Iterator[Event]:
    if new and new.get("revision") != old.get("revision"):
        message = f"{reading.short(str(new.get('revision')))} is not applied by itself ({new.get('reason')})"
        yield Event(type="Warning", reason="RevisionHeld", message=message)
    if old and not new:
        yield Event(reason="HoldEnded", message=f"{reading.short(str(old.get('revision')))} is held no more")


def _arisen(name: str, before: JSON, after: JSON) -> Iterator[Event]:
    old, new = _condition(before, name), _condition(after, name)
    if new and new.get("message") != old.get("message"):
        yield Event(type="Warning", reason=str(new.get("reason") or name), message=str(new.get("message"))[:1000])


def _condition(status: JSON, name: str) -> JSON:
    rows: list[JSON] = [row for row in status.get("conditions") or () if row.get("type") == name]
    return rows[0] if rows else {}
