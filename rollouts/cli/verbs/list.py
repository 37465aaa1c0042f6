"""`list rollouts|experiments`: one line each; `--watch` follows them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

import typer

from rollouts.api.kinds import EXPERIMENT, ROLLOUT, Kind
from rollouts.cli import world
from rollouts.cli.facts import Facts, facts_of
from rollouts.cli.follow import Follower, Source
from rollouts.cli.output import Format, printed
from rollouts.cli.render import Cell, table
from rollouts.cli.session import Session
from rollouts.cli.text import BOLD, FAINT, Line, Span, age, state
from rollouts.cli.world import JSON, World


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
    output: Annotated[Format | None, typer.Option("--output", "-o", help="Print the objects instead.")] = None,
) -> None:
    """List Rollouts (or Experiments) with phase, step, weight and pods."""
    session = Session.of(ctx)
    kind = ROLLOUT if what.startswith("rollout") else EXPERIMENT
    namespace = None if everywhere else session.namespace
    fields = f"metadata.name={name}" if name else ""
    if watch:
        _watch(session, kind, namespace=namespace, fields=fields, timestamps=timestamps)
        return
    found = session.client.list(kind, namespace, fields=fields)
    if output not in (None, Format.wide):
        session.terminal.say(printed(found, form=output, kind=kind))
        return
    lines = _table(kind, found.get("items") or (), everywhere=everywhere)
    session.terminal.show(lines) if lines else session.terminal.remark(_nothing(kind, namespace))


def _nothing(kind: Kind, namespace: str | None) -> str:
    where = f"in namespace {namespace} (-A looks in all)" if namespace else "in any namespace"
    return f"no {kind.plural} found {where}"


def _table(kind: Kind, items: Iterable[JSON], *, everywhere: bool) -> list[Line]:
    titles, cells = _COLUMNS[kind.kind]
    rows = [cells(item) for item in sorted(items, key=lambda item: (world.namespace(item), world.name(item)))]
    if not rows:
        return []
    first = 0 if everywhere else 1
    header: list[Cell] = [(Span(title, BOLD),) for title in ("NAMESPACE", *titles)]
    return table([row[first:] for row in (header, *rows)])


def _rollout_cells(item: JSON) -> list[Cell]:
    facts = facts_of(World(root=item))
    shown = state(facts.phase)
    replicas = facts.replicas
    counts = (replicas.ready, replicas.desired, replicas.updated, replicas.available) if replicas else ()
    step = "-" if facts.step is None else f"{facts.step}/{len(facts.steps)}"
    words = (step, _percent(facts), *map(str, counts))
    return [
        (Span(facts.namespace, FAINT),),
        (Span(facts.name),),
        (Span(facts.strategy),),
        (Span(str(shown), shown.style),),
        *((Span(word),) for word in words),
    ]


def _percent(facts: Facts) -> str:
    return "-" if facts.set_weight is None or facts.step is None else str(facts.set_weight)


def _experiment_cells(item: JSON) -> list[Cell]:
    shown = state(str(world.status(item).get("phase") or "Pending"))
    created = age(world.since(world.created(item), datetime.now(UTC)))
    duration = str(world.spec(item).get("duration") or "-")
    return [
        (Span(world.namespace(item), FAINT),),
        (Span(world.name(item)),),
        (Span(str(shown), shown.style),),
        (Span(duration),),
        (Span(created),),
    ]


_ROLLOUT_TITLES = ("NAME", "STRATEGY", "STATUS", "STEP", "SET-WEIGHT", "READY", "DESIRED", "UP-TO-DATE", "AVAILABLE")
_COLUMNS: dict[str, tuple[Sequence[str], Callable[[JSON], list[Cell]]]] = {
    "Rollout": (_ROLLOUT_TITLES, _rollout_cells),
    "Experiment": (("NAME", "STATUS", "DURATION", "AGE"), _experiment_cells),
}


def _watch(session: Session, kind: Kind, *, namespace: str | None, fields: str, timestamps: bool) -> None:
    """A table on a terminal, redrawn; elsewhere the table once, then the lines that changed."""
    follower = Follower(
        client=session.client, namespace=namespace, sources=(Source(kind=kind, fields=fields),), rooted=False
    )
    pictures = follower.pictures()
    views = (
        _table(kind, picture.objects.get(kind.kind, {}).values(), everywhere=namespace is None) for picture in pictures
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
