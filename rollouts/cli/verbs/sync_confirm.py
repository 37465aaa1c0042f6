"""`sync confirm NAME`: allow the deletions of exactly the plan that is shown."""

from __future__ import annotations

from typing import Annotated

import typer

from rollouts.api.kinds import GIT_SYNC
from rollouts.cli.errors import CliError
from rollouts.cli.options import duration
from rollouts.cli.session import Session, bare
from rollouts.cli.syncs import carried_out, status, sync_names, told


def run(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="GITSYNC", autocompletion=sync_names)],
    plan: Annotated[str, typer.Option(help="Digest of the plan (status.plan.digest); asked for if not given.")] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")] = False,
    timeout: Annotated[str, typer.Option(help="How long to wait.")] = "5m",
) -> None:
    """Confirm deletions that wait for a person. If Git or the cluster changed meanwhile, nothing is deleted."""
    session = Session.of(ctx)
    found = status(session.find(GIT_SYNC, name)).get("plan") or {}
    digest = plan or str(found.get("digest") or "")
    rows = found.get("protected") or ()
    if not rows or not digest:
        raise CliError(f"gitsync '{bare(name)}' has no deletions that wait")
    for row in rows:
        session.terminal.say(f"  delete  {row.partition(': ')[0]}")
    if not (yes or plan) and not typer.confirm(f"Delete these {len(rows)} objects?"):
        raise CliError("nothing was deleted")
    seconds = duration(timeout, option="--timeout")
    told(session, bare(name), carried_out(session, name, {"sync": {"confirmPlan": digest}}, seconds=seconds))
