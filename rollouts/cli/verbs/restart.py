"""`restart ROLLOUT…`: replace all pods without a new revision, as availability allows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from rollouts.api.kinds import ROLLOUT
from rollouts.cli import patches
from rollouts.cli.options import duration
from rollouts.cli.session import Session, rollout_names


def run(
    ctx: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="ROLLOUT", autocompletion=rollout_names)],
    later: Annotated[str, typer.Option("--in", "-i", help="How long to wait first, like 10s or 5m.")] = "0s",
) -> None:
    """Restart the pods of a Rollout (spec.restartAt), now or later."""
    session = Session.of(ctx)
    patch = patches.restart(datetime.now(UTC) + timedelta(seconds=duration(later, option="--in")))

    def act(name: str) -> None:
        session.patch(ROLLOUT, name, patch)
        session.terminal.say(f"rollout '{name}' restarts in {later}")

    session.each(names, act)
