"""`decide(snapshot, now) -> Plan`: the stages put together for one Experiment. Pure; no clock, no client.

As in `rollouts.strategy`, a plan is complete: carried out, it makes the next plan on the resulting world empty until
the world moves by itself or somebody asks for something.
"""

from __future__ import annotations

from datetime import datetime

from rollouts.api import kinds
from rollouts.api.experiment import Experiment
from rollouts.api.parsing import check
from rollouts.experiments import course, events, invalid, report, retire, writes
from rollouts.experiments.decision import Decision
from rollouts.experiments.recorded import recall
from rollouts.experiments.snapshot import Snapshot
from rollouts.plan import Plan
from rollouts.strategy.podtemplate.gojson import EncodingError


def decide(snapshot: Snapshot, now: datetime) -> Plan:
    """What to do now about this Experiment. `now` is timezone-aware."""
    experiment, now = snapshot.experiment, now.replace(microsecond=0)
    if experiment["metadata"].get("deletionTimestamp"):
        return Plan()
    checked = check(kinds.EXPERIMENT, experiment)
    if checked.errors:
        return invalid.plan(experiment, [str(error) for error in checked.errors], now=now)
    try:
        decision = decision_for(snapshot, checked.model, now)
    except EncodingError as error:
        return invalid.plan(experiment, [f"spec.templates: {error}"], now=now)
    return _plan(decision)


def decision_for(snapshot: Snapshot, model: Experiment, now: datetime) -> Decision:
    """All stages for a valid Experiment; also for pages and the simulator. `now` in whole seconds."""
    recorded = recall(snapshot.experiment)
    follows = course.follow(snapshot, model, recorded, now=now)
    delay = model.spec.effective_scale_down_delay_seconds
    leaves = tuple((each, retire.leave(each, delay=delay, now=now)) for each in follows.looks if each.final)
    return Decision(snapshot=snapshot, model=model, now=now, recorded=recorded, course=follows, leaves=leaves)


def _plan(decision: Decision) -> Plan:
    status = report.status(decision)
    first = (writes.status(decision.experiment, status),) if status else ()
    return Plan(
        writes=(*first, *writes.of(decision)),
        events=events.of(decision),
        requeue_after=report.look_again(decision),
    )
