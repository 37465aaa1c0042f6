"""`sync rollback NAME [ID]`: apply an earlier commit again, and hold the present one back until another comes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from rollouts.api.kinds import GIT_SYNC
from rollouts.cli.errors import CliError
from rollouts.cli.options import duration
from rollouts.cli.session import Session, bare
from rollouts.cli.syncs import JSON, carried_out, status, sync_names, told


def run(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="GITSYNC", autocompletion=sync_names)],
    entry: Annotated[int, typer.Argument(metavar="[ID]", help="Of `sync history`; 0: the good one before.")] = 0,
    timeout: Annotated[str, typer.Option(help="How long to wait.")] = "5m",
) -> None:
    """Roll back to an entry of the history. Syncing by itself goes on with the next different commit."""
    session = Session.of(ctx)
    found = session.find(GIT_SYNC, name)
    chosen = chosen_entry(found, entry)
    seconds = duration(timeout, option="--timeout")
    told(session, bare(name), carried_out(session, name, {"sync": {"historyID": chosen["id"]}}, seconds=seconds))
    held = status(session.find(GIT_SYNC, name)).get("hold") or {}
    if held:
        commit = str(held.get("revision"))[:8]
        session.terminal.say(f"{commit} is held until a different commit comes, or `sync resume`")


def chosen_entry(sync: JSON, wanted: int) -> JSON:
    """The entry of the history with this ID; for 0 the newest good one from before the present commit came."""
    entries = list(status(sync).get("history") or ())
    name = sync["metadata"]["name"]
    if wanted:
        by_id = [entry for entry in entries if entry["id"] == wanted]
        if not by_id:
            raise CliError(f"gitsync '{name}' has no entry {wanted}", hint="List them with `sync history`.")
        return dict(by_id[0])
    unwanted, present = _unwanted(sync), entries[-1:] if _is_present(sync, entries) else []
    bad = [entry for entry in entries if entry["revision"] in unwanted] + present
    earlier = [
        entry
        for entry in _before(sync, entries)
        if entry["revision"] not in unwanted and not any(_alike(entry, other) for other in bad)
    ]
    if not earlier:
        hint = "`sync history` lists all, `sync rollback NAME ID` applies any." if len(entries) > 1 else ""
        raise CliError(f"gitsync '{name}' has applied no other good commit before this one", hint=hint)
    return dict(earlier[-1])


def _before(sync: JSON, entries: Sequence[JSON]) -> Sequence[JSON]:
    """What was applied before the present commit first came: a second rollback goes further back, never forth. All of
    it, if the present commit failed and never became an entry."""
    if not _is_present(sync, entries):
        return entries
    commits = [entry["revision"] for entry in entries]
    return entries[: commits.index(commits[-1])]


def _is_present(sync: JSON, entries: Sequence[JSON]) -> bool:
    """Whether the last entry is what was asked for last."""
    last = status(sync).get("operationState") or {}
    went_back = ((last.get("operation") or {}).get("sync") or {}).get("historyID") is not None
    newest = entries[-1]["revision"] if entries else None
    failed = last.get("phase") in ("Failed", "Error") and last.get("revision") not in (None, newest)
    return bool(entries) and (went_back or not failed)


def _alike(one: JSON, other: JSON) -> bool:
    """Whether two commits render to the same."""
    return one.get("contentDigest") is not None and one.get("contentDigest") == other.get("contentDigest")


def _unwanted(sync: JSON) -> set[str]:
    """Commits that are held back, or that a Rollout gave up."""
    rows = [status(sync).get("hold") or {}, *(status(sync).get("rejected") or ())]
    return {str(row["revision"]) for row in rows if row.get("revision")}
