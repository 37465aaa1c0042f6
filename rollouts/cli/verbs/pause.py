"""`pause ROLLOUT…`: stop where it is, until a promotion."""

from __future__ import annotations

from typing import Annotated

import typer

from rollouts.api.kinds import ROLLOUT
from rollouts.cli.patches import PAUSE
from rollouts.cli.session import Session, rollout_names


def run(
    ctx: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="ROLLOUT", autocompletion=rollout_names)],
) -> None:
    """Pause a Rollout where it is (spec.paused); `promote` lets it go on."""
    session = Session.of(ctx)

    def act(name: str) -> None:
        session.patch(ROLLOUT, name, PAUSE)
        session.terminal.say(f"rollout '{name}' paused")

    session.each(names, act)
