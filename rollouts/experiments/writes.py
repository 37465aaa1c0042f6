"""The writes of a decision, in an order that is safe to stop after any one of them.

1. the status. Experiments have no status subresource, so it can come first at no extra request. The progress deadline
   counts from it: a ReplicaSet the API server refuses to make (a quota, a webhook) fails the experiment in time instead
   of being tried for ever. It names the runs before they are made: one that is named and not there is made again under
   that name, so dying in between makes no second one;
2. ReplicaSets that are wanted, then their Services;
3. runs to start, runs to end: those nothing waits for any more;
4. pods on leave, Services without pods.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rollouts.api import kinds
from rollouts.experiments import objects
from rollouts.experiments.decision import Decision
from rollouts.plan import Delete, Patch, Write
from rollouts.strategy import keys, runs, times
from rollouts.strategy.objects import delete, terminate
from rollouts.strategy.snapshot import Run

JSON = Mapping[str, Any]


def of(decision: Decision) -> tuple[Write, ...]:
    """All writes after the status."""
    return (
        *_replica_sets(decision),
        *_services(decision),
        *_analysis_runs(decision),
        *_leaving(decision),
        *_services_gone(decision),
    )


def status(experiment: JSON, patch: JSON) -> Patch:
    """The status, guarded by the version the decision was made on."""
    metadata = experiment["metadata"]
    return Patch(
        kind=kinds.EXPERIMENT,
        namespace=metadata["namespace"],
        name=metadata["name"],
        body={"status": dict(patch)},
        resource_version=metadata.get("resourceVersion"),
    )


def _replica_sets(decision: Decision) -> Iterator[Write]:
    for each in decision.wanted:
        if each.set is None:
            yield objects.replica_set(decision.experiment, each)
        else:
            patch = objects.kept_up(each)
            if patch is not None:
                yield patch


def _services(decision: Decision) -> Iterator[Write]:
    there = {service["metadata"]["name"] for service in decision.snapshot.services}
    for each in decision.wanted:
        if each.service is not None and each.service not in there:
            yield objects.service(decision.experiment, each)


def _analysis_runs(decision: Decision) -> Iterator[Write]:
    for each in decision.course.analyses:
        if each.create is not None:
            yield objects.analysis_run(decision.experiment, each)
    yield from (terminate(run) for run in to_terminate(decision))


def to_terminate(decision: Decision) -> tuple[Run, ...]:
    """Runs that nothing waits for any more, and that were not told so yet."""
    current = () if decision.course.ends else [each.run for each in decision.course.analyses]
    return runs.to_terminate(map(Run.of, decision.snapshot.analysis_runs), current)


def _leaving(decision: Decision) -> Iterator[Write]:
    for each, leave in decision.leaves:
        if each.set is None:
            continue
        if leave.replicas != each.set.replicas:
            yield objects.patch(each.set.raw, {"spec": {"replicas": leave.replicas}})
        elif leave.fresh and leave.until is not None:
            stamp = times.text(leave.until)
            yield objects.patch(each.set.raw, {"metadata": {"annotations": {keys.SCALE_DOWN_DEADLINE: stamp}}})


def _services_gone(decision: Decision) -> Iterator[Delete]:
    kept = {each.service for each in decision.served}
    for service in decision.snapshot.services:
        if service["metadata"]["name"] not in kept and not service["metadata"].get("deletionTimestamp"):
            yield delete(kinds.SERVICE, service)
