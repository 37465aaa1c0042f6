"""The tree below a Rollout or an Experiment: revisions → ReplicaSets → pods, experiments, analysis runs, jobs.

Pure: raw objects in, frozen nodes out; a node knows nothing of terminals. One function for each kind, all alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from rollouts.cli import world
from rollouts.cli.facts import roles, template_name
from rollouts.cli.phase import phase_of
from rollouts.cli.pods import pod_state, ready_counts, restarts
from rollouts.cli.text import BAD, State, age, state
from rollouts.cli.world import JSON, World

NO_STATE = State("", "", "")
GLYPHS = {
    "Rollout": "⟳",
    "Revision": "#",
    "ReplicaSet": "⧉",
    "Pod": "□",
    "Experiment": "Σ",
    "AnalysisRun": "α",
    "Job": "⊞",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One row. `created`: RFC 3339, empty for none; `info`: short remarks such as `canary` or `ready:1/1`."""

    kind: str
    name: str
    state: State = NO_STATE
    created: str = ""
    info: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    children: tuple[Node, ...] = ()

    @property
    def glyph(self) -> str:
        """The sign of the kind."""
        return GLYPHS.get(self.kind, "·")


def rollout_tree(seen: World, *, now: datetime) -> Node:
    """The tree of the Rollout `seen` is about, newest revision first."""
    rollout = seen.root
    revisions = sorted(_revisions(seen), reverse=True)
    return Node(
        kind="Rollout",
        name=world.name(rollout),
        state=state(phase_of(rollout)[0]),
        created=world.created(rollout),
        children=tuple(_revision_node(seen, revision=number, now=now) for number in revisions),
    )


def experiment_tree(seen: World, *, now: datetime) -> Node:
    """The tree of the Experiment `seen` is about."""
    return _experiment_node(seen, seen.root, now=now)


def _members(seen: World) -> Iterable[JSON]:
    for group in (seen.replica_sets, seen.experiments, seen.runs):
        yield from world.owned(group, seen.root)


def _revisions(seen: World) -> set[int]:
    return {world.revision(item) for item in _members(seen)}


def _of_revision(items: Iterable[JSON], number: int) -> list[JSON]:
    found = [item for item in items if world.revision(item) == number]
    return sorted(found, key=lambda item: (world.created(item), world.name(item)))


def _revision_node(seen: World, *, revision: int, now: datetime) -> Node:
    rollout = seen.root
    sets = _of_revision(seen.owned_replica_sets(rollout), revision)
    experiments = _of_revision(world.owned(seen.experiments, rollout), revision)
    runs = _of_revision(world.owned(seen.runs, rollout), revision)
    children = (
        *(_replica_set_node(seen, item, info=roles(rollout, item), now=now) for item in sets),
        *(_experiment_node(seen, item, now=now) for item in experiments),
        *(run_node(item, jobs=seen.jobs) for item in runs),
    )
    return Node(kind="Revision", name=f"revision:{revision}" if revision else "no revision", children=children)


def _replica_set_node(seen: World, item: JSON, *, info: tuple[str, ...], now: datetime) -> Node:
    return Node(
        kind="ReplicaSet",
        name=world.name(item),
        state=replica_set_state(item),
        created=world.created(item),
        info=(*info, *_delay(item, now)),
        images=tuple(world.images(item)),
        children=tuple(_pod_node(pod) for pod in seen.owned_pods(item)),
    )


def replica_set_state(item: JSON) -> State:
    """Healthy, Progressing, ScaledDown, or Degraded when it can't make its pods."""
    wanted = int(world.spec(item).get("replicas") or 0)
    status = world.status(item)
    if world.condition(item, "ReplicaFailure").get("status") == "True":
        return state("Degraded")
    if not wanted:
        return state("Progressing" if status.get("replicas") else "ScaledDown")
    return state("Healthy" if int(status.get("availableReplicas") or 0) >= wanted else "Progressing")


def _delay(item: JSON, now: datetime) -> tuple[str, ...]:
    """`delay:25s` until an old ReplicaSet is scaled down."""
    passed = world.since(world.annotation(item, world.SCALE_DOWN_DEADLINE), now)
    if passed is None or not world.spec(item).get("replicas"):
        return ()
    return ("delay:passed" if passed >= 0 else f"delay:{age(-passed)}",)


def _pod_node(pod: JSON) -> Node:
    ready, total = ready_counts(pod)
    again = restarts(pod)
    return Node(
        kind="Pod",
        name=world.name(pod),
        state=pod_state(pod),
        created=world.created(pod),
        info=(f"ready:{ready}/{total}", *((f"restarts:{again}",) if again else ())),
        images=tuple(str(item.get("image")) for item in world.spec(pod).get("containers") or ()),
    )


def _experiment_node(seen: World, item: JSON, *, now: datetime) -> Node:
    sets = sorted(seen.owned_replica_sets(item), key=world.name)
    runs = sorted(world.owned(seen.runs, item), key=lambda run: (world.created(run), world.name(run)))
    children = (
        *(_replica_set_node(seen, found, info=(template_name(found),), now=now) for found in sets),
        *(run_node(found, jobs=seen.jobs) for found in runs),
    )
    phase = str(world.status(item).get("phase") or "Pending")
    return Node(
        kind="Experiment", name=world.name(item), state=state(phase), created=world.created(item), children=children
    )


def run_node(run: JSON, *, jobs: Iterable[JSON] = ()) -> Node:
    """An AnalysisRun with its measurements counted, and its Jobs below it."""
    phase = str(world.status(run).get("phase") or "Pending")
    known = {world.name(job): job for job in jobs}
    return Node(
        kind="AnalysisRun",
        name=world.name(run),
        state=state(phase),
        created=world.created(run),
        info=_counts(run),
        children=tuple(_job_nodes(run, known)),
    )


_MEASURED = (("successful", "✔"), ("failed", "✖"), ("inconclusive", "?"), ("error", "⚠"))


def _counts(run: JSON) -> tuple[str, ...]:
    """Measurements so far by outcome, dry runs left out: `✔ 3`, `✖ 1`."""
    results = [item for item in world.status(run).get("metricResults") or () if not item.get("dryRun")]
    totals = [(sign, sum(int(item.get(key) or 0) for item in results)) for key, sign in _MEASURED]
    return tuple(f"{sign} {total}" for sign, total in totals if total)


def _job_nodes(run: JSON, known: dict[str, JSON]) -> Iterable[Node]:
    for result in world.status(run).get("metricResults") or ():
        for measurement in result.get("measurements") or ():
            name = (measurement.get("metadata") or {}).get("job-name")
            if name:
                yield _job_node(str(name), phase=str(measurement.get("phase") or "Running"), job=known.get(str(name)))


def _job_node(name: str, *, phase: str, job: JSON | None) -> Node:
    created = world.created(job) if job else ""
    failed = state(phase, BAD) if phase == "Error" else state(phase)
    return Node(kind="Job", name=name, state=failed, created=created)
