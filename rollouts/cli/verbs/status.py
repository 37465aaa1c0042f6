"""`status ROLLOUT`: waits until the release is through, for pipelines: the exit code says how it went.

0 when Healthy, 1 when Degraded or when the time is up. With `--watch=false` it tells the phase and ends with 0, or 1
when Degraded.
"""

from __future__ import annotations

import time
from typing import Annotated

import typer

from rollouts.api.kinds import ROLLOUT
from rollouts.cli.errors import CliError
from rollouts.cli.follow import Follower, sources_of
from rollouts.cli.options import duration
from rollouts.cli.phase import phase_of
from rollouts.cli.session import Session, rollout_names
from rollouts.cli.why import why
from rollouts.cli.world import JSON, World


def run(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="ROLLOUT", autocompletion=rollout_names)],
    watch: Annotated[
        bool, typer.Option("--watch/--no-watch", "-w", help="Wait until it is Healthy or Degraded.")
    ] = True,
    timeout: Annotated[str, typer.Option("--timeout", "-t", help="How long to wait, like 5m; 0 for ever.")] = "0s",
) -> None:
    """Tell a Rollout's status by the exit code: 0 Healthy, 1 Degraded or out of time."""
    session = Session.of(ctx)
    seconds = duration(timeout, option="--timeout")
    rollout = session.find(ROLLOUT, name)
    if not watch:
        session.terminal.say(_told(rollout))
        _judge(rollout)
        return
    _wait(session, rollout, until=time.monotonic() + seconds if seconds else None)


def _wait(session: Session, rollout: JSON, *, until: float | None) -> None:
    follower = Follower(client=session.client, namespace=session.namespace, sources=sources_of(rollout)[:1])
    worlds, told = follower.worlds(until=until), ""
    try:
        for seen in worlds:
            rollout, before, told = seen.root, told, _told(seen.root)
            if told != before:
                session.terminal.say(told)
            if _judge(rollout):
                return
    finally:
        worlds.close()  # type: ignore[attr-defined]
    if follower.picture.gone:
        raise CliError(f'rollout "{rollout["metadata"]["name"]}" was deleted')
    raise CliError("Rollout status watch exceeded timeout", hint=_hint(rollout, session))


def _told(rollout: JSON) -> str:
    phase, message = phase_of(rollout)
    return f"{phase} - {message}" if message else phase


def _judge(rollout: JSON) -> bool:
    """Whether it is through; CliError when Degraded."""
    phase, message = phase_of(rollout)
    if phase == "Degraded":
        raise CliError(f"The rollout is in a degraded state with message: {message}")
    return phase == "Healthy"


def _hint(rollout: JSON, session: Session) -> str:
    from datetime import UTC, datetime

    found = why(World(root=rollout), now=datetime.now(UTC))
    return (
        f"Now: {found.reason}. `{session.program} get rollout {rollout['metadata']['name']}` shows it." if found else ""
    )
