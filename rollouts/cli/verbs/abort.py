"""`abort ROLLOUT…`: give up the update; all pods and traffic go back to the stable version."""

from __future__ import annotations

from typing import Annotated

import typer

from rollouts.api.kinds import ROLLOUT
from rollouts.cli.patches import ABORT
from rollouts.cli.session import Session, rollout_names


def run(
    ctx: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="ROLLOUT", autocompletion=rollout_names)],
) -> None:
    """Abort an update: stable serves again. The spec stays, so `retry rollout` starts over and a new revision too."""
    session = Session.of(ctx)

    def act(name: str) -> None:
        session.patch(ROLLOUT, name, ABORT)
        session.terminal.say(f"rollout '{name}' aborted")

    session.each(names, act)
