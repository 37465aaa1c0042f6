"""`abort ROLLOUT…`: give up the update; all pods and traffic go back to the stable version."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from rollouts.api.kinds import ROLLOUT
from rollouts.cli import world
from rollouts.cli.patches import ABORT
from rollouts.cli.session import Session, rollout_names


def run(
    ctx: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="ROLLOUT", autocompletion=rollout_names)],
) -> None:
    """Abort an update: stable serves again. The spec stays, so `retry rollout` starts over and a new revision too."""
    session = Session.of(ctx)

    def act(name: str) -> None:
        patched = session.patch(ROLLOUT, name, ABORT)
        session.terminal.say(_told(name, patched, program=session.program))

    session.each(names, act)


def _told(name: str, rollout: dict[str, Any], *, program: str) -> str:
    """A Rollout without an update under way has nothing to give up: the controller takes the wish back."""
    if _has_update(rollout):
        return f"rollout '{name}' aborted"
    return f"rollout '{name}' is fully promoted already, nothing to abort; `{program} undo {name}` goes back a revision"


def _has_update(rollout: dict[str, Any]) -> bool:
    """Whether an update is under way, or one may be that the controller has not seen yet."""
    status, generation = world.status(rollout), rollout.get("metadata", {}).get("generation")
    seen = str(status.get("observedGeneration")) == str(generation)
    return not seen or not status.get("stableRS") or status.get("currentPodHash") != status.get("stableRS")
