"""`experiment: {templates, duration, analyses}`: one Experiment; success goes on, failure aborts, an inconclusive one
pauses until a person decides: promoting goes on, aborting goes back.
"""

from __future__ import annotations

from rollouts.strategy.recorded import INCONCLUSIVE_EXPERIMENT, Pause
from rollouts.strategy.snapshot import Trial
from rollouts.strategy.steps.base import Hold, Position, Step, Verdict


def progress(at: Position) -> Verdict:
    """Ask for an Experiment, wait for it, or act on its result."""
    if at.trial is None:
        return Verdict(measure=True, hold=Hold(kind="Experiment", reason="experiment is being started"))
    return _RESULTS.get(at.trial.phase, _running)(at, at.trial)


def _running(_: Position, trial: Trial) -> Verdict:
    reason = f"waiting for experiment {trial.name}"
    return Verdict(hold=Hold(kind="Experiment", reason=reason, since=trial.created, patient=True))


def _failed(_: Position, trial: Trial) -> Verdict:
    return Verdict(abort="Experiment phase is error/failed" + (f": {trial.message}" if trial.message else ""))


def _inconclusive(at: Position, trial: Trial) -> Verdict:
    if at.resumed:
        return Verdict(done=True)
    pauses = at.pauses or (Pause(reason=INCONCLUSIVE_EXPERIMENT, start=at.now.replace(microsecond=0)),)
    reason = f"experiment {trial.name} is inconclusive: promote to go on, abort to go back"
    hold = Hold(kind="Inconclusive", reason=reason, since=pauses[0].start, patient=True)
    return Verdict(hold=hold, pauses=pauses, controller_pause=True)


_RESULTS = {
    "Successful": lambda _at, _trial: Verdict(done=True),
    "Failed": _failed,
    "Error": _failed,
    "Inconclusive": _inconclusive,
}

STEP = Step(key="experiment", progress=progress, describe=lambda _: "experiment")
