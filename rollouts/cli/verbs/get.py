"""`get rollout|experiment NAME`: the header, why it waits, and the tree; `--watch` follows it live."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from rollouts.api.kinds import EXPERIMENT, ROLLOUT, Kind
from rollouts.cli.changes import changed, headline, seen_of
from rollouts.cli.facts import facts_of
from rollouts.cli.follow import Follower, read, sources_of
from rollouts.cli.output import Format, printed
from rollouts.cli.render import experiment_view, rollout_view
from rollouts.cli.session import Session, rollout_names
from rollouts.cli.text import BAD, Line, Span
from rollouts.cli.tree import experiment_tree, rollout_tree
from rollouts.cli.world import World

View = Callable[[World], list[Line]]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Follow it live until Ctrl-C.")]
Output = Annotated[Format | None, typer.Option("--output", "-o", help="Print the object instead; wide adds images.")]
Limit = Annotated[int, typer.Option("--timeout-seconds", help="End the watch after so many seconds; 0 never.", min=0)]


def rollout(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="ROLLOUT", autocompletion=rollout_names)],
    watch: Watch = False,
    output: Output = None,
    timeout_seconds: Limit = 0,
) -> None:
    """Show a Rollout: its state, why it waits, and its revisions with all pods, analysis runs and experiments."""
    session = Session.of(ctx)

    def view(seen: World) -> list[Line]:
        return rollout_view(seen, now=_now(), program=session.program, wide=output is Format.wide)

    _show(session, ROLLOUT, name, view=view, watch=watch, output=output, limit=timeout_seconds)


def experiment(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="EXPERIMENT")],
    watch: Watch = False,
    output: Output = None,
    timeout_seconds: Limit = 0,
) -> None:
    """Show an Experiment: its templates with their pods, and its analysis runs."""

    def view(seen: World) -> list[Line]:
        return experiment_view(seen, now=_now(), wide=output is Format.wide)

    _show(Session.of(ctx), EXPERIMENT, name, view=view, watch=watch, output=output, limit=timeout_seconds)


def _now() -> datetime:
    return datetime.now(UTC)


def _show(
    session: Session, kind: Kind, name: str, *, view: View, watch: bool, output: Format | None, limit: int
) -> None:
    raw: dict[str, Any] = {**session.find(kind, name), "kind": kind.kind}
    if output not in (None, Format.wide):
        session.terminal.say(printed(raw, form=output, kind=kind))
    elif not watch:
        session.terminal.show(view(read(session.client, session.namespace, raw)))
    else:
        _watch(session, raw, view=view, limit=limit)


def _watch(session: Session, raw: dict[str, Any], *, view: View, limit: int) -> None:
    """Follow until Ctrl-C, which is the usual end and no error."""
    follower = Follower(client=session.client, namespace=session.namespace, sources=sources_of(raw))
    worlds = follower.worlds(until=time.monotonic() + limit if limit else None)
    try:
        if session.terminal.is_terminal:
            _redraw(session, follower, worlds, view)
        else:
            _log(session, worlds, view)
    except KeyboardInterrupt:
        return
    finally:
        worlds.close()  # type: ignore[attr-defined]
    if follower.picture.gone:
        session.terminal.remark(f"{raw['kind']} {raw['metadata']['name']} was deleted")


def _redraw(session: Session, follower: Follower, worlds: Iterator[World], view: View) -> None:
    with session.terminal.live() as screen:
        for seen in worlds:
            trouble = follower.picture.trouble
            screen.draw([*view(seen), *([(Span(f"⚠ {trouble}; trying again", BAD),)] if trouble else [])])


def _log(session: Session, worlds: Iterator[World], view: View) -> None:
    """The whole view once, then a line for each change."""
    before: Any = None
    for seen in worlds:
        now = _now()
        tree = (rollout_tree if seen.root["kind"] == "Rollout" else experiment_tree)(seen, now=now)
        head = headline(facts_of(seen), now=now) if tree.kind == "Rollout" else ()
        after = (head[1:], seen_of(tree))
        if before is None:
            session.terminal.show([*view(seen), ()])
        elif before != after:
            lines = [line for line in changed(before[1], after[1], now=now) if not line[1].text.startswith("rollout/")]
            session.terminal.show([*([head] if before[0] != after[0] else []), *lines])
        before = after
