"""`promote ROLLOUT…`: go on. Ends the pause, or takes the next step; `--full` skips everything that is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from rollouts.api.kinds import ROLLOUT
from rollouts.cli import patches, world
from rollouts.cli.errors import CliError
from rollouts.cli.patches import Patch
from rollouts.cli.session import Session, rollout_names

_WAYS: dict[str, Callable[[dict[str, Any]], Patch]] = {
    "promote": patches.promote,
    "full": patches.promote_full,
    "current": patches.skip_current_step,
    "all": patches.skip_all_steps,
}


def run(
    ctx: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="ROLLOUT", autocompletion=rollout_names)],
    full: Annotated[bool, typer.Option("--full", help="Skip all steps, pauses and analysis that are left.")] = False,
    current: Annotated[
        bool, typer.Option("--skip-current-step", "-c", help="Take the next step.", hidden=True)
    ] = False,
    every: Annotated[
        bool, typer.Option("--skip-all-steps", "-a", help="Go behind the last step.", hidden=True)
    ] = False,
) -> None:
    """Promote a Rollout: end its pause, or take the next step."""
    session = Session.of(ctx)
    way = _way(full=full, current=current, every=every)

    def act(name: str) -> None:
        rollout = session.find(ROLLOUT, name)
        _refuse_aborted(rollout, way=way, program=session.program)
        patch = _WAYS[way](rollout)
        if not patch.empty:
            session.patch(ROLLOUT, name, patch)
        session.terminal.say(_told(name, way=way, patch=patch))

    session.each(names, act)


def _way(*, full: bool, current: bool, every: bool) -> str:
    chosen = [name for name, given in (("full", full), ("current", current), ("all", every)) if given]
    if len(chosen) > 1:
        raise CliError("--full, --skip-current-step and --skip-all-steps exclude one another", code=2)
    return chosen[0] if chosen else "promote"


def _refuse_aborted(rollout: dict[str, Any], *, way: str, program: str) -> None:
    """A step forward means nothing to an aborted Rollout: it would be lost without a word."""
    if world.status(rollout).get("abort") and way != "full":
        name = world.name(rollout)
        raise CliError(
            f'rollout "{name}" is aborted, so there is nothing to promote',
            hint=f"Start over with `{program} retry rollout {name}`, or skip all steps with --full.",
        )


def _told(name: str, *, way: str, patch: Patch) -> str:
    if patch.empty:
        return f"rollout '{name}' is fully promoted already, nothing to do"
    return f"rollout '{name}' {'fully promoted' if way == 'full' else 'promoted'}"
