"""`retry rollout|experiment NAME…`: take an abort back and start over."""

from __future__ import annotations

from typing import Annotated

import typer

from rollouts.api.kinds import EXPERIMENT, ROLLOUT
from rollouts.cli import world
from rollouts.cli.errors import ApiError
from rollouts.cli.patches import RETRY, RETRY_EXPERIMENT
from rollouts.cli.session import Session, bare, rollout_names


def rollout(
    ctx: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="ROLLOUT", autocompletion=rollout_names)],
) -> None:
    """Retry an aborted Rollout from its first step."""
    session = Session.of(ctx)

    def act(name: str) -> None:
        status = world.status(session.find(ROLLOUT, name))
        if not (status.get("abort") or status.get("abortedAt")):
            phase = status.get("phase") or "not looked at by a controller yet"
            session.terminal.say(f"rollout '{name}' is {phase} and not aborted: there is nothing to retry")
            return
        session.patch(ROLLOUT, name, RETRY)
        session.terminal.say(f"rollout '{name}' retried")

    session.each(names, act)


def experiment(ctx: typer.Context, names: Annotated[list[str], typer.Argument(metavar="EXPERIMENT")]) -> None:
    """Run an Experiment again from the start: its status is cleared, and so is an earlier wish to end it."""
    session = Session.of(ctx)

    def act(name: str) -> None:
        try:
            session.client.patch(EXPERIMENT.path(session.namespace, bare(name)), RETRY_EXPERIMENT)
        except ApiError as error:
            raise session.missing(EXPERIMENT, name, error) from None
        session.terminal.say(f"experiment '{name}' retried")

    session.each(names, act)
