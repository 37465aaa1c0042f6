"""`analysis: {templates, args}`: one AnalysisRun; success goes on, failure aborts, an inconclusive one pauses."""

from __future__ import annotations

from rollouts.strategy.recorded import INCONCLUSIVE, Pause
from rollouts.strategy.snapshot import Run
from rollouts.strategy.steps.base import Hold, Position, Step, Verdict


def progress(at: Position) -> Verdict:
    """Ask for a run, wait for it, or act on its result."""
    run = at.run
    if run is None or (run.phase == "Inconclusive" and at.resumed):
        return Verdict(measure=True, hold=Hold(kind="Analysis", reason="analysis is being started"))
    return _RESULTS.get(run.phase, _running)(at, run)


def failure(prefix: str, run: Run) -> str:
    """The reason of an abort: `Step-based analysis phase error/failed: <message of the run>`."""
    return f"{prefix} analysis phase error/failed" + (f": {run.message}" if run.message else "")


def _failed(_: Position, run: Run) -> Verdict:
    return Verdict(abort=failure("Step-based", run))


def _inconclusive(at: Position, run: Run) -> Verdict:
    pauses = at.pauses or (Pause(reason=INCONCLUSIVE, start=at.now.replace(microsecond=0)),)
    reason = f"analysis {run.name} is inconclusive: promote to go on, abort to go back"
    return Verdict(
        hold=Hold(kind="Inconclusive", reason=reason, since=pauses[0].start), pauses=pauses, controller_pause=True
    )


def _running(_: Position, run: Run) -> Verdict:
    return Verdict(hold=Hold(kind="Analysis", reason=f"waiting for analysis {run.name}", since=run.created))


_RESULTS = {
    "Successful": lambda _at, _run: Verdict(done=True),
    "Failed": _failed,
    "Error": _failed,
    "Inconclusive": _inconclusive,
}

STEP = Step(key="analysis", progress=progress, describe=lambda _: "analysis")
