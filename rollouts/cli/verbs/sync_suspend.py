"""`sync suspend NAME`, `sync resume NAME`: stop and go on, and let a held commit come back."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from rollouts.api.kinds import GIT_SYNC
from rollouts.cli.options import duration
from rollouts.cli.session import Session, bare
from rollouts.cli.syncs import SUSPENDED_BY, carried_out, change, command, status, sync_names, told

Names = Annotated[list[str], typer.Argument(metavar="GITSYNC", autocompletion=sync_names)]


def suspend(ctx: typer.Context, names: Names) -> None:
    """Suspend: nothing is compared or applied until `sync resume`."""
    session = Session.of(ctx)

    def act(name: str) -> None:
        change(
            session, name, {"metadata": {"annotations": {SUSPENDED_BY: getpass.getuser()}}, "spec": {"suspend": True}}
        )
        session.terminal.say(f"gitsync '{name}' suspended")

    session.each(names, act)


def resume(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="GITSYNC", autocompletion=sync_names)],
    adopt: Annotated[bool, typer.Option("--adopt", help="Sync, taking over what another tool manages.")] = False,
    timeout: Annotated[str, typer.Option(help="With --adopt: how long to wait.")] = "5m",
) -> None:
    """Resume a suspended GitSync, and end a hold: what was held may be applied again."""
    session = Session.of(ctx)
    found = session.find(GIT_SYNC, name)
    suspended, held = bool(found["spec"].get("suspend")), bool(status(found).get("hold"))
    if suspended:
        change(session, name, {"metadata": {"annotations": {SUSPENDED_BY: None}}, "spec": {"suspend": False}})
    if held:
        command(session, name, {"release": True})
    if suspended or held:
        session.terminal.say(f"gitsync '{bare(name)}' resumed")
    elif not adopt:
        session.terminal.say(f"gitsync '{bare(name)}' is neither suspended nor held, nothing to do")
    if adopt:
        seconds = duration(timeout, option="--timeout")
        told(session, bare(name), carried_out(session, name, {"sync": {"adopt": True}}, seconds=seconds))
