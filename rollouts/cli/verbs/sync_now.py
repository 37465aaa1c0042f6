"""`sync now NAME`: compare and apply at once, whatever happens by itself."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rollouts.cli.options import duration
from rollouts.cli.session import Session, bare
from rollouts.cli.syncs import carried_out, command, sync_names, told


def run(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="GITSYNC", autocompletion=sync_names)],
    revision: Annotated[str, typer.Option(help="Another commit, branch or tag; the present one is then held.")] = "",
    prune: Annotated[bool | None, typer.Option("--prune/--no-prune", help="Delete what Git has no more.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Compare only.")] = False,
    adopt: Annotated[bool, typer.Option("--adopt", help="Take over what another tool manages.")] = False,
    allow_rewind: Annotated[bool, typer.Option("--allow-rewind", help="The commit may be an older one.")] = False,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end; the exit code says how.")] = True,
    timeout: Annotated[str, typer.Option(help="How long to wait.")] = "5m",
) -> None:
    """Sync now, also where nothing is applied by itself."""
    session = Session.of(ctx)
    flags: dict[str, Any] = {
        "revision": revision or None,
        "prune": prune,
        "dryRun": dry_run or None,
        "adopt": adopt or None,
        "allowRewind": allow_rewind or None,
    }
    operation = {"sync": {key: value for key, value in flags.items() if value is not None}}
    if not wait:
        command(session, name, operation)
        session.terminal.say(f"gitsync '{bare(name)}' will sync")
        return
    seconds = duration(timeout, option="--timeout")
    told(session, bare(name), carried_out(session, name, operation, seconds=seconds))
