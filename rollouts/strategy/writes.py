"""The writes of a decision, in an order that is safe to stop after any one of them.

ReplicaSets whose labels fit no more are let go before all else: nothing was decided about them.
1. Services, then routes: users leave pods before these go, and were decided to reach pods that are there;
2. ReplicaSets that shrink, then the new one, then those that grow (see moves.py): what users wait for comes first;
3. the Rollout's revision, which the new ReplicaSet already carries;
4. AnalysisRuns that begin, then those that end; the same for Experiments;
5. what is beyond the history limits;
6. pods to label for their role, pods to evict for a restart.
"""

from __future__ import annotations

from rollouts.api import kinds
from rollouts.plan import Create, Delete, Patch, Write
from rollouts.strategy import ephemeral, history, objects, patching, runs, services, trials
from rollouts.strategy.decision import Decision
from rollouts.strategy.snapshot import JSON, ReplicaSet, Run, Trial


def of(decision: Decision) -> tuple[Write, ...]:
    """All writes but status."""
    revision = objects.rollout_patch(decision.rollout, decision.wants, revision=decision.revisions.number)
    return (
        *(objects.release(rs, decision.rollout) for rs in decision.at.snapshot.released),
        *(services.patch(switch, decision.wants.name) for switch in decision.target.switches),
        *(decision.target.traffic.writes if decision.target.traffic else ()),
        *_replica_sets(decision),
        *((revision,) if revision else ()),
        *_analysis_runs(decision),
        *_experiments(decision),
        *_history(decision),
        *ephemeral.pods(decision),
        *decision.restart.evict,
    )


def _replica_sets(decision: Decision) -> list[Write]:
    revisions, sized = decision.revisions, not decision.target.resizing
    shrink: list[Write] = []
    grow: list[Write] = []
    for rs in revisions.all:
        target = decision.target_of(rs)
        is_new = revisions.new is not None and rs.name == revisions.new.name
        patch = objects.replica_set_patch(
            rs,
            decision.rollout,
            decision.wants,
            replicas=target,
            revision=revisions.number if is_new else None,
            active=rs not in revisions.others,
            deadline=decision.target.deadlines.get(rs.name, rs.deadline),
            template=_template(decision, rs, in_flight=is_new and decision.in_progress),
            sized=sized,
        )
        if patch is not None:
            (shrink if target < rs.replicas else grow).append(patch)
    created: list[Write] = []
    if revisions.new is None:
        created.append(
            objects.new_replica_set(
                decision.rollout, decision.wants, revisions, replicas=decision.target.counts.new, sized=sized
            )
        )
    return [*shrink, *created, *grow]


def _template(decision: Decision, rs: ReplicaSet, *, in_flight: bool) -> JSON:
    role = ephemeral.change(decision, rs) or {}
    if not in_flight:
        return role
    return patching.joined(role, objects.apart(rs, decision.wants, decision.stable_hash))


def _analysis_runs(decision: Decision) -> list[Create | Patch]:
    creations = [
        objects.analysis_run(
            decision.rollout,
            decision.wants,
            decision.revisions,
            kind=current.kind,
            name=current.name,
            spec=current.create,
            step=current.step,
            extra=current.metadata or {},
        )
        for current in decision.current_runs
        if current.create is not None
    ]
    keep = [current.name for current in decision.current_runs]
    return [*creations, *(objects.terminate(run) for run in runs.to_terminate(_ours(decision), keep))]


def _experiments(decision: Decision) -> list[Create | Patch]:
    current = decision.trial
    made = [trials.creation(decision.rollout, decision.revisions, current)] if current and current.create else []
    keep = [current.name] if current else []
    every = map(Trial.of, decision.at.snapshot.experiments)
    return [*made, *(trials.terminate(trial) for trial in runs.to_terminate(every, keep))]


def _ours(decision: Decision) -> list[Run]:
    labels = {kind.label for kind in runs.KINDS}
    return [run for run in decision.at.runs if run.kind in labels]


def _history(decision: Decision) -> list[Delete]:
    revisions, wants = decision.revisions, decision.wants
    gone = history.beyond_limit(revisions.others, limit=wants.history_limit)
    alive = [revisions.hash, *(rs.hash for rs in revisions.all if rs not in gone)]
    surplus = runs.to_delete(
        _ours(decision),
        keep=[current.name for current in decision.current_runs],
        hashes=alive,
        successful=wants.successful_runs,
        unsuccessful=wants.unsuccessful_runs,
    )
    tried = runs.to_delete(
        [Trial.of(raw) for raw in decision.at.snapshot.experiments],
        keep=[decision.trial.name] if decision.trial else [],
        hashes=alive,
        successful=wants.successful_runs,
        unsuccessful=wants.unsuccessful_runs,
    )
    return [
        *(objects.delete(kinds.REPLICA_SET, rs.raw) for rs in gone),
        *(objects.delete(kinds.ANALYSIS_RUN, run.raw) for run in surplus),
        *(objects.delete(kinds.EXPERIMENT, trial.raw) for trial in tried),
    ]
