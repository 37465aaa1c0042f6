"""`undo ROLLOUT`: the pod template of an earlier revision becomes the wanted one again."""

from __future__ import annotations

from typing import Annotated

import typer

from rollouts.api.kinds import REPLICA_SET, ROLLOUT
from rollouts.cli import world
from rollouts.cli.patches import choose_revision, replace_template, template_of
from rollouts.cli.session import Session, rollout_names
from rollouts.cli.workload import send, workload_of


def run(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="ROLLOUT", autocompletion=rollout_names)],
    to_revision: Annotated[int, typer.Option("--to-revision", help="The revision; 0 for the previous one.", min=0)] = 0,
) -> None:
    """Undo: go back to an earlier revision, which `history` lists."""
    session = Session.of(ctx)
    rollout = session.find(ROLLOUT, name)
    sets = world.owned(session.client.list(REPLICA_SET, session.namespace).get("items") or (), rollout)
    chosen = choose_revision(sets, current=world.revision(rollout), wanted=to_revision)
    number = world.revision(chosen)
    if number == world.revision(rollout):
        session.terminal.say(f"rollout '{name}' is at revision {number} already, nothing to do")
        return
    workload = workload_of(session, rollout)
    send(session, workload, replace_template(template_of(chosen), path=workload.path))
    session.terminal.say(f"rollout '{name}' undo: back to revision {number} ({', '.join(world.images(chosen))})")
