"""The events of a decision, with the peer's reasons and in its order: each template, each analysis, the whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rollouts.experiments import writes
from rollouts.experiments.decision import Decision
from rollouts.experiments.looks import Look
from rollouts.experiments.recorded import BAD
from rollouts.plan import Event

_REASONS: Final = {"Template": "Template", "Analysis": "AnalysisRun"}


def of(decision: Decision) -> tuple[Event, ...]:
    """What happened."""
    return tuple(_all(decision))


def _all(decision: Decision) -> Iterator[Event]:
    left = {each.spec.name: leave.replicas for each, leave in decision.leaves}
    for each in decision.course.looks:
        yield from _scaled(each, left.get(each.spec.name, each.wanted))
        yield from _transition("Template", each.spec.name, each.before.status, each.status, each.message)
    for analysis in decision.course.analyses:
        yield from _transition("Analysis", analysis.name, analysis.before.status, analysis.status, analysis.message)
    yield from _terminating(decision)
    before, after = decision.recorded.phase, decision.course.phase
    if before != after:
        text = f"Experiment transitioned from {before} -> {after}"
        yield _event(f"Experiment{after}", after, text, decision.course.message)


def _scaled(each: Look, target: int) -> Iterator[Event]:
    before = each.set.replicas if each.set else 0
    if target != before:
        way = "up" if target > before else "down"
        message = f"Scaled {way} ReplicaSet {each.name} from {before} to {target}"
        yield Event(reason="ScalingReplicaSet", message=message)


def _transition(what: str, name: str, before: str, after: str, message: str) -> Iterator[Event]:
    if before != after:
        yield _event(
            f"{_REASONS[what]}{after}", after, f"{what} '{name}' transitioned from {before} -> {after}", message
        )


def _terminating(decision: Decision) -> Iterator[Event]:
    """Runs that are told to end now, with the names of their analyses."""
    names = {each.run: each.name for each in decision.course.analyses}
    for run in writes.to_terminate(decision):
        message = f"Terminating {names.get(run.name, run.name)} ({run.name})"
        yield Event(reason="AnalysisRunTerminating", message=message)


def _event(reason: str, after: str, text: str, message: str) -> Event:
    told = f"{text}: {message}" if message else text
    return Event(reason=reason, message=told, type="Warning" if after in BAD else "Normal")
