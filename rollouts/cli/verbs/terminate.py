"""`terminate analysisrun|experiment NAME…`: end it now; what was measured so far decides."""

from __future__ import annotations

from typing import Annotated

import typer

from rollouts.api.kinds import ANALYSIS_RUN, EXPERIMENT, Kind
from rollouts.cli.patches import TERMINATE
from rollouts.cli.session import Session


def analysis_run(ctx: typer.Context, names: Annotated[list[str], typer.Argument(metavar="ANALYSISRUN")]) -> None:
    """Terminate an AnalysisRun (spec.terminate)."""
    _terminate(Session.of(ctx), ANALYSIS_RUN, names, word="analysisRun")


def experiment(ctx: typer.Context, names: Annotated[list[str], typer.Argument(metavar="EXPERIMENT")]) -> None:
    """Terminate an Experiment (spec.terminate)."""
    _terminate(Session.of(ctx), EXPERIMENT, names, word="experiment")


def _terminate(session: Session, kind: Kind, names: list[str], *, word: str) -> None:
    def act(name: str) -> None:
        session.patch(kind, name, TERMINATE)
        session.terminal.say(f"{word} '{name}' terminated")

    session.each(names, act)
