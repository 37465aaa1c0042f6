"""`sync rollback NAME [ID]`: apply an earlier commit again, and hold the present one back until another comes."""

from __future__ import annotations

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
    entry: Annotated[int, typer.Argument(metavar="[ID]", help="Of `sync history`; 0: the one before.")] = 0,
    timeout: Annotated[str, typer.Option(help="How long to wait.")] = "5m",
) -> None:
    """Roll back to an entry of the history. Syncing by itself goes on with the next different commit."""
    session = Session.of(ctx)
    found = session.find(GIT_SYNC, name)
    chosen = _chosen(found, entry)
    seconds = duration(timeout, option="--timeout")
    told(session, bare(name), carried_out(session, name, {"sync": {"historyID": chosen["id"]}}, seconds=seconds))
    held = status(session.find(GIT_SYNC, name)).get("hold") or {}
    if held:
        commit = str(held.get("revision"))[:8]
        session.terminal.say(f"{commit} is held until a different commit comes, or `sync resume`")


def _chosen(sync: JSON, wanted: int) -> JSON:
    entries = list(status(sync).get("history") or ())
    name = sync["metadata"]["name"]
    if wanted:
        by_id = [entry for entry in entries if entry["id"] == wanted]
        if not by_id:
            raise CliError(f"gitsync '{name}' has no entry {wanted}", hint="List them with `sync history`.")
        return dict(by_id[0])
    earlier = [entry for entry in entries[:-1] if entry["revision"] != entries[-1]["revision"]]
    if not earlier:
        raise CliError(f"gitsync '{name}' has applied no other commit before this one")
    return dict(earlier[-1])
