"""`history ROLLOUT`: the revisions there are, what ran in each, and what each is now."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from rollouts.api.kinds import REPLICA_SET, ROLLOUT
from rollouts.cli import world
from rollouts.cli.facts import roles
from rollouts.cli.render import Cell, table
from rollouts.cli.session import Session, rollout_names
from rollouts.cli.text import BOLD, GOOD, Line, Span, age
from rollouts.cli.world import JSON

CHANGE_CAUSE = "kubernetes.io/change-cause"


def run(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="ROLLOUT", autocompletion=rollout_names)],
) -> None:
    """List a Rollout's revisions, newest first; `undo --to-revision N` goes back to one."""
    session = Session.of(ctx)
    rollout = session.find(ROLLOUT, name)
    sets = world.owned(session.client.list(REPLICA_SET, session.namespace).get("items") or (), rollout)
    session.terminal.show(history_table(rollout, sets, now=datetime.now(UTC)))


def history_table(rollout: JSON, sets: list[JSON], *, now: datetime) -> list[Line]:
    """One row a revision."""
    header: list[Cell] = [(Span(title, BOLD),) for title in ("REVISION", "AGE", "ROLE", "IMAGES", "CHANGE-CAUSE")]
    return table([header, *(_cells(rollout, item, now) for item in sorted(sets, key=world.revision, reverse=True))])


def _cells(rollout: JSON, item: JSON, now: datetime) -> list[Cell]:
    found = ",".join(roles(rollout, item))
    return [
        (Span(str(world.revision(item))),),
        (Span(age(world.since(world.created(item), now))),),
        (Span(found or "-", GOOD if "stable" in found else ""),),
        (Span(",".join(world.images(item))),),
        (Span(world.annotation(item, CHANGE_CAUSE)),),
    ]
