"""The events of a decision: what happened, in words, with the peer's reasons and in its order (§3)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from rollouts.plan import Event
from rollouts.strategy import conditions, keys, plugins, runs, services, unrouted
from rollouts.strategy.decision import CurrentRun, Decision
from rollouts.strategy.steps import kind_of
from rollouts.strategy.window import WINDOW
from rollouts.traffic import Destination


def of(decision: Decision) -> tuple[Event, ...]:
    """The events of a decision, with the peer's reasons, in its order (§3)."""
    return tuple(
        event
        for part in (
            _begun,
            _switched,
            _started,
            _tried,
            _run_events,
            _failed,
            _weighed,
            unrouted.events,
            _plugins,
            _steps,
            _scaled,
            _paused,
            _aborted,
            _finished,
        )
        for event in part(decision)
    )


def added(rollout: Mapping[str, Any]) -> Iterator[Event]:
    """What is said of a Rollout seen for the first time: it has no status yet."""
    metadata = rollout["metadata"]
    if not rollout.get("status"):
        message = f"Rollout resource added to informer: {metadata['namespace']}/{metadata['name']}"
        yield Event(reason="RolloutAddedToInformer", message=message)


def _begun(decision: Decision) -> Iterator[Event]:
    metadata, revisions = decision.rollout["metadata"], decision.revisions
    yield from added(decision.rollout)
    if (metadata.get("annotations") or {}).get(keys.REVISION) != str(revisions.number):
        yield Event(reason="RolloutUpdated", message=f"Rollout updated to revision {revisions.number}")
    if revisions.new is None:
        message = f"Created ReplicaSet {revisions.name} (revision {revisions.number})"
        yield Event(reason="NewReplicaSetCreated", message=message)


def _switched(decision: Decision) -> Iterator[Event]:
    for switch in decision.target.switches:
        yield services.event(switch)


def _started(decision: Decision) -> Iterator[Event]:
    """`RolloutNotCompleted` is the word for Completed becoming False, so a version that arrives before the last one was
    through is told of by RolloutUpdated alone. A first blue/green deploy says nothing here, as with the peer."""
    recorded, revisions = decision.recorded, decision.revisions
    if decision.wants.canary is not None and decision.wants.steps:
        yield from _skipped(decision)
    first = decision.wants.canary is not None and not recorded.current_hash
    before = recorded.condition(conditions.COMPLETED) or {}
    if (first or (revisions.updated and not decision.rolls_back)) and before.get("status") != "False":
        message = f"Rollout not completed, started update to revision {revisions.number} ({revisions.hash})"
        yield Event(reason="RolloutNotCompleted", message=message)


def _skipped(decision: Decision) -> Iterator[Event]:
    """The steps are left out: of a ReplicaSet without pods the peer says nothing, and leaves them out all the same."""
    new = decision.revisions.new
    if decision.rolls_back:
        yield Event(reason="SkipSteps", message="Rollback to stable ReplicaSets")
    elif decision.revisions.updated and decision.at.fast == WINDOW:
        message = "Rollback to active ReplicaSets within RollbackWindow" if new and new.replicas else WINDOW
        yield Event(reason="SkipSteps", message=message)


def _tried(decision: Decision) -> Iterator[Event]:
    if decision.trial is not None and decision.trial.create is not None:
        yield Event(reason="ExperimentCreated", message=f"Created Experiment '{decision.trial.name}'")


def _weighed(decision: Decision) -> Iterator[Event]:
    """`Traffic weight updated from 0 to 25`, and whatever the routers have to say."""
    traffic, told = decision.target.traffic, decision.recorded.weights
    if traffic is None:
        return
    yield from traffic.events
    weight, additional = traffic.split.canary.weight, traffic.split.additional
    said = []
    if told is None or told.canary != weight:
        said.append(f"to {weight}" if told is None else f"from {told.canary} to {weight}")
    if told is not None and additional != told.additional:
        said.append(f"additional: {_shares(additional)}")
    if said:
        yield Event(reason="TrafficWeightUpdated", message=f"Traffic weight updated {', '.join(said)}")


def _shares(parts: Iterable[Destination]) -> str:
    """The shares of an Experiment, as the peer prints them: `[{5 app-5f6c-2-0-a 5f6c}]`."""
    return f"[{' '.join(f'{{{part.weight} {part.service} {part.hash}}}' for part in parts)}]"


_TRANSITIONS: Final = {
    plugins.RUN: "transitioned to {}",
    plugins.ABORT: "aborted ({})",
    plugins.TERMINATE: "terminated ({})",
}


def _plugins(decision: Decision) -> Iterator[Event]:
    """A step plugin said something new, in the peer's words and then the plugin's own. Its success is told by
    RolloutStepCompleted."""
    said = decision.at.snapshot.plugin
    if said is None or (said.call.operation, said.phase) == (plugins.RUN, "Successful"):
        return
    entries = plugins.recorded(decision.recorded.raw)
    before = plugins.entry_of(entries, said.call.index, said.call.operation) or {}
    if before.get("phase") == said.phase:
        return
    went = _TRANSITIONS[said.call.operation].format(said.phase)
    text = f"Step plugin {said.call.name} (step {said.call.index + 1}) {went}"
    why = f": {said.message}" if said.message else ""
    yield Event(
        reason="ReconciliationError" if said.absent else "StepPluginTransition",
        message=f"Reconciliation failed with error{why}" if said.absent else text + why,
        type="Warning" if said.phase in {"Failed", "Error"} else "Normal",
    )


def _run_events(decision: Decision) -> Iterator[Event]:
    for current in decision.current_runs:
        yield from _run_event(decision, current)
    for kind in runs.KINDS:
        named = decision.recorded.run(kind.section, kind.status_key).get("name")
        if named and not any(current.name == named for current in decision.current_runs):
            run = next((run for run in decision.at.runs if run.name == named), None)
            yield from _run_event(decision, CurrentRun(kind=kind, name=named, step=None, run=run))


def _run_event(decision: Decision, current: CurrentRun) -> Iterator[Event]:
    before = decision.recorded.run(current.kind.section, current.kind.status_key)
    previous = before.get("status", "") if before.get("name") == current.name else ""
    after = current.run.phase if current.run else ""
    if after and after != previous:
        message = f"{current.kind.title} Analysis Run '{current.name}' Status New: '{after}' Previous: '{previous}'"
        bad = after in {"Failed", "Error"}
        yield Event(reason=f"AnalysisRun{after}", message=message, type="Warning" if bad else "Normal")


def _failed(decision: Decision) -> Iterator[Event]:
    if decision.abort and decision.abort.fresh and not decision.abort.by_person:
        yield Event(reason="RolloutAborted", message=decision.abort.message, type="Warning")


def _aborted(decision: Decision) -> Iterator[Event]:
    if decision.abort and decision.abort.fresh and decision.abort.by_person:
        yield Event(reason="RolloutAborted", message=decision.abort.message, type="Warning")


def _steps(decision: Decision) -> Iterator[Event]:
    steps = decision.wants.steps
    for index in decision.course.completed:
        kind, value = kind_of(steps[index])
        words = kind.describe(value) if kind else ""
        message = f"Rollout step {index + 1}/{len(steps)} completed ({words})"
        yield Event(reason="RolloutStepCompleted", message=message)
        if index == decision.recorded.index:
            yield from _resumed(decision)
    if not decision.course.completed and not decision.course.pauses:
        yield from _resumed(decision)


def _resumed(decision: Decision) -> Iterator[Event]:
    """A pause the controller ended: its time was over, or its update. One that a person or an abort ended says nothing
    here, as with the peer."""
    if decision.recorded.pauses and not decision.abort:
        yield Event(reason="RolloutResumed", message="Rollout is resumed")


def _scaled(decision: Decision) -> Iterator[Event]:
    revisions = decision.revisions
    if revisions.new is None and decision.target.counts.new:
        yield _scaling(revisions.name, revisions.number, 0, decision.target.counts.new)
    for rs in revisions.all:
        target = decision.target_of(rs)
        if target != rs.replicas:
            is_new = revisions.new is not None and rs.name == revisions.new.name
            yield _scaling(rs.name, revisions.number if is_new else rs.revision, rs.replicas, target)


def _scaling(name: str, revision: int, before: int, after: int) -> Event:
    way = "up" if after > before else "down"
    message = f"Scaled {way} ReplicaSet {name} (revision {revision}) from {before} to {after}"
    return Event(reason="ScalingReplicaSet", message=message)


def _paused(decision: Decision) -> Iterator[Event]:
    before = {pause.reason for pause in decision.recorded.pauses} if not decision.course.completed else set()
    for pause in decision.course.pauses:
        if pause.reason not in before:
            yield Event(reason="RolloutPaused", message=f"Rollout is paused ({pause.reason})")


def _finished(decision: Decision) -> Iterator[Event]:
    if decision.promote:
        revisions = decision.revisions
        message = f"Rollout completed update to revision {revisions.number} ({revisions.hash}): {decision.promote}"
        yield Event(reason="RolloutCompleted", message=message)
