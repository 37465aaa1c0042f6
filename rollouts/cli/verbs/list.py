"""`list rollouts|experiments`: one line each (`columns.py`); `--watch` follows them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from rollouts.api.kinds import EXPERIMENT, ROLLOUT, Kind
from rollouts.cli import columns
from rollouts.cli.follow import Follower, Source
from rollouts.cli.output import Format, printed
from rollouts.cli.session import Session
from rollouts.cli.text import FAINT, Line, Span


class What(StrEnum):
    """What can be listed."""

    rollouts = "rollouts"
    rollout = "rollout"
    experiments = "experiments"
    experiment = "experiment"


def run(
    ctx: typer.Context,
    what: Annotated[What, typer.Argument(metavar="[rollouts|experiments]")] = What.rollouts,
    everywhere: Annotated[bool, typer.Option("--all-namespaces", "-A", help="In all namespaces.")] = False,
    name: Annotated[str, typer.Option("--name", help="Only the one of that name.")] = "",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow changes until Ctrl-C.")] = False,
    timestamps: Annotated[bool, typer.Option("--timestamps", help="The time before each line of a watch.")] = False,
    output: Annotated[
        Format | None, typer.Option("--output", "-o", help="wide: more columns. Others print the objects instead.")
    ] = None,
) -> None:
    """List Rollouts (or Experiments) with phase, step, weight and pods."""
    session = Session.of(ctx)
    kind = ROLLOUT if what.startswith("rollout") else EXPERIMENT
    namespace = None if everywhere else session.namespace
    fields = f"metadata.name={name}" if name else ""
    if watch:
        wide = output == Format.wide
        _watch(session, kind, namespace=namespace, fields=fields, timestamps=timestamps, wide=wide)
        return
    found = session.client.list(kind, namespace, fields=fields)
    if output not in (None, Format.wide):
        session.terminal.say(printed(found, form=output, kind=kind))
        return
    items, room = found.get("items") or (), session.terminal.width
    lines = columns.lines(kind.kind, items, everywhere=everywhere, wide=output is not None, room=room)
    session.terminal.show(lines) if lines else session.terminal.remark(_nothing(kind, namespace))


def _nothing(kind: Kind, namespace: str | None) -> str:
    where = f"in namespace {namespace} (-A looks in all)" if namespace else "in any namespace"
    return f"no {kind.plural} found {where}"


def _watch(session: Session, kind: Kind, *, namespace: str | None, fields: str, timestamps: bool, wide: bool) -> None:
    """A table on a terminal, redrawn; elsewhere the table once, then the lines that changed."""
    follower = Follower(
        client=session.client, namespace=namespace, sources=(Source(kind=kind, fields=fields),), rooted=False
    )
    pictures = follower.pictures()
    views = (
        columns.lines(
            kind.kind,
            picture.objects.get(kind.kind, {}).values(),
            everywhere=namespace is None,
            wide=wide,
            room=session.terminal.width,
        )
        for picture in pictures
    )
    try:
        _redraw(session, views) if session.terminal.is_terminal else _log(session, views, timestamps=timestamps)
    except KeyboardInterrupt:
        return
    finally:
        views.close()
        pictures.close()  # type: ignore[attr-defined]


def _redraw(session: Session, views: Iterable[list[Line]]) -> None:
    with session.terminal.live() as screen:
        for lines in views:
            screen.draw(lines)


def _log(session: Session, views: Iterable[list[Line]], *, timestamps: bool) -> None:
    shown: set[Any] = set()
    for lines in views:
        fresh = [line for line in lines if line not in shown]
        stamp = (Span(datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ  "), FAINT),) if timestamps else ()
        session.terminal.show((*stamp, *line) for line in fresh) if fresh else None
        shown = set(lines)
