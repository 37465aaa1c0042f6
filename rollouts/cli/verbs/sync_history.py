"""`sync history NAME`: what was applied, when, and by whom."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from analysis.spec.base import read_time
from rollouts.api.kinds import GIT_SYNC
from rollouts.cli.render import Cell, table
from rollouts.cli.session import Session
from rollouts.cli.syncs import JSON, status, sync_names
from rollouts.cli.text import BOLD, FAINT, Span, age

TITLES = ("ID", "COMMIT", "AGE", "BY", "RESULT", "STATE")


def run(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="GITSYNC", autocompletion=sync_names)],
) -> None:
    """List what was applied; `sync rollback` goes back to an entry."""
    session = Session.of(ctx)
    found = session.find(GIT_SYNC, name)
    entries = status(found).get("history") or ()
    if not entries:
        session.terminal.remark(f"gitsync '{name}' has applied nothing yet")
        return
    header: list[Cell] = [(Span(title, BOLD),) for title in TITLES]
    session.terminal.show(table([header, *(_cells(found, entry) for entry in reversed(entries))]))


def _cells(sync: JSON, entry: JSON) -> list[Cell]:
    who = entry.get("initiatedBy") or {}
    when = (datetime.now(UTC) - read_time(entry["deployedAt"])).total_seconds() if entry.get("deployedAt") else None
    return [
        (Span(str(entry["id"])),),
        (Span(str(entry["revision"])[:12]),),
        (Span(age(when)),),
        (Span(str(who.get("username") or "itself")),),
        (Span(str(entry.get("result") or "")),),
        (Span(_state(sync, entry), FAINT),),
    ]


def _state(sync: JSON, entry: JSON) -> str:
    state = status(sync)
    words = ["applied"] if entry is state["history"][-1] else []
    words += ["held"] if (state.get("hold") or {}).get("revision") == entry["revision"] else []
    words += ["rejected"] if any(r.get("revision") == entry["revision"] for r in state.get("rejected") or ()) else []
    return ",".join(words)
