"""`analysis: {templates, args}`: one AnalysisRun; success goes on, failure aborts, an inconclusive one pauses."""

from __future__ import annotations

from datetime import datetime

from rollouts.strategy.recorded import INCONCLUSIVE, Pause
from rollouts.strategy.snapshot import Run
from rollouts.strategy.steps.base import Hold, Position, Step, Verdict


def progress(at: Position) -> Verdict:
    """Ask for a run, wait for it, or act on its result."""
    return judge(at, "Step-based")


def judge(at: Position, prefix: str) -> Verdict:
    """The verdict on an analysis; `prefix` begins the reason of an abort. Blue/green's analyses are judged alike."""
    run = at.run
    if run is None or (run.phase == "Inconclusive" and at.resumed):
        return Verdict(measure=True, hold=Hold(kind="Analysis", reason="analysis is being started", patient=True))
    if run.phase in {"Failed", "Error"}:
        return Verdict(abort=failure(prefix, run))
    if run.phase == "Inconclusive":
        return inconclusive(at.pauses, run, now=at.now)
    if run.phase == "Successful":
        return Verdict(done=True)
    hold = Hold(kind="Analysis", reason=f"waiting for analysis {run.name}", since=run.created, patient=True)
    return Verdict(hold=hold)


def failure(prefix: str, run: Run) -> str:
    """The reason of an abort: `Step-based analysis phase error/failed: <message of the run>`."""
    return f"{prefix} analysis phase error/failed" + (f": {run.message}" if run.message else "")


def inconclusive(pauses: tuple[Pause, ...], run: Run, *, now: datetime) -> Verdict:
    """Pause until a person says what to make of it."""
    standing = pauses or (Pause(reason=INCONCLUSIVE, start=now.replace(microsecond=0)),)
    reason = f"analysis {run.name} is inconclusive: promote to go on, abort to go back"
    hold = Hold(kind="Inconclusive", reason=reason, since=standing[0].start, patient=True)
    return Verdict(hold=hold, pauses=standing, controller_pause=True)


STEP = Step(key="analysis", progress=progress, describe=lambda _: "analysis")
