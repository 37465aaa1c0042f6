"""`sync list`: one line for each GitSync."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from rollouts.api.kinds import GIT_SYNC
from rollouts.cli import world
from rollouts.cli.output import Format, printed
from rollouts.cli.render import Cell, table
from rollouts.cli.session import Session
from rollouts.cli.syncs import JSON, all_syncs, status, waiting, word
from rollouts.cli.text import BOLD, FAINT, Span, age

TITLES = ("NAMESPACE", "NAME", "SYNC", "HEALTH", "REVISION", "WAITING", "AGE")


def run(
    ctx: typer.Context,
    everywhere: Annotated[bool, typer.Option("--all-namespaces", "-A", help="In all namespaces.")] = False,
    output: Annotated[Format | None, typer.Option("--output", "-o", help="Print the objects instead.")] = None,
) -> None:
    """List GitSyncs: how they compare with Git, how healthy they are, what they wait for."""
    session = Session.of(ctx)
    found = all_syncs(session, None if everywhere else session.namespace)
    if output not in (None, Format.wide):
        session.terminal.say(printed({"kind": "List", "items": found}, form=output, kind=GIT_SYNC))
        return
    if not found:
        where = "" if everywhere else f" in namespace {session.namespace}: name another with -n; -A lists them all"
        session.terminal.remark("no GitSyncs found" + where)
        return
    first = 0 if everywhere else 1
    header: list[Cell] = [(Span(title, BOLD),) for title in TITLES]
    session.terminal.show(table([row[first:] for row in (header, *map(_cells, found))]))


def _cells(sync: JSON) -> list[Cell]:
    state = status(sync)
    why = waiting(sync)
    revision = (state.get("summary") or {}).get("shortRevision") or "-"
    return [
        (Span(sync["metadata"]["namespace"], FAINT),),
        (Span(sync["metadata"]["name"]),),
        (word((state.get("sync") or {}).get("status")),),
        (word((state.get("health") or {}).get("status")),),
        (Span(str(revision)),),
        (Span(why or "-", "" if why else FAINT),),
        (Span(age(world.since(world.created(sync), datetime.now(UTC)))),),
    ]
