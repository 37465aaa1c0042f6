"""Taking over: on what Argo Rollouts left in a cluster, at any moment of a release, the first plan writes nothing.

Those of v1.10 are stories, a moment after the other; those of older versions (`v1.8.3/…`) were made by
`python -m tests.recorder`, from the same manifests for each version.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollouts.api.kinds import Kind
from rollouts.plan import Patch
from rollouts.strategy import Snapshot, decide
from rollouts.strategy.times import moment
from rollouts.strategy.workload import projected
from rollouts.traffic import Reference, Routing, Split

RECORDINGS = Path(__file__).parent.parent / "data" / "recordings"

AT_REST = [
    "canary-1-initial-healthy",
    "canary-2-paused-at-20",
    "canary-3-aborted",
    "canary-4-retried-paused-at-60",
    "canary-5-promoted",
    "canary-6-deadline-exceeded",
    "canary-7-undone",
    "canary-8-spec-paused-with-new-image",
    "canary-9-promoted-in-full",
    "canary-11-restarted",
    "analysis-2-failed-and-aborted",
    "bluegreen-1-initial-healthy",
    "bluegreen-2-paused-with-preview",
    "bluegreen-3-promoted-in-scale-down-delay",
    "bluegreen-4-aborted",
    "bluegreen-5-after-scale-down-delay",
    "istio-1-initial-healthy",
    "istio-2-paused-at-25",
    "istio-3-canary-scale-50",
    "istio-4-aborted",
    "istio-5-promoted-in-scale-down-delay",
    "workloadref-1-migrated",
    "workloadref-2-paused",
    "experiment-1-running",
    "experiment-2-done-paused",
]
OLDER = sorted(f"{file.parent.name}/{file.stem}" for file in RECORDINGS.glob("v*/*.yaml"))
VIRTUAL_SERVICE = Kind(group="networking.istio.io", version="v1alpha3", kind="VirtualService", plural="virtualservices")


class Mesh:
    """As much of Istio as the recordings need: says what would be written to the VirtualService."""

    key = "istio"
    kinds = (VIRTUAL_SERVICE,)

    def references(self, block: Any, *, rollout: Any) -> tuple[Reference, ...]:
        return (Reference(kind=VIRTUAL_SERVICE, name=block["virtualService"]["name"]),)

    def route(self, block: Any, *, rollout: Any, split: Split, objects: Any) -> Routing:
        (reference,) = self.references(block, rollout=rollout)
        destinations = objects[reference]["spec"]["http"][0]["route"]
        weights = {entry["destination"]["host"]: entry["weight"] for entry in destinations}
        wanted = {part.service: part.weight for part in (split.canary, split.stable)}
        patch = Patch(kind=VIRTUAL_SERVICE, namespace="istio", name=reference.name, body={"spec": wanted})
        return Routing(writes=() if weights == wanted else (patch,))


def owner(obj: Any) -> str:
    kind: str = obj["metadata"]["ownerReferences"][0]["kind"]
    return kind


def recorded(name: str, changed: Callable[[str], str] = str) -> tuple[Snapshot, datetime]:
    """The snapshot of a recording, and a moment just after its last status."""
    objects = [obj for obj in yaml.safe_load_all(changed((RECORDINGS / f"{name}.yaml").read_text())) if obj]
    kinds: dict[str, list[Any]] = {}
    for obj in objects:
        kinds.setdefault(obj["kind"], []).append(obj)
    (rollout,) = kinds["Rollout"]
    (workload,) = kinds.get("Deployment") or [None]
    stamps = [moment(c["lastUpdateTime"]) for c in rollout["status"]["conditions"]]
    last = max(stamp for stamp in stamps if stamp)
    return (
        Snapshot(
            rollout=rollout,
            replica_sets=tuple(rs for rs in kinds["ReplicaSet"] if owner(rs) == "Rollout"),
            experiments=tuple(kinds.get("Experiment", ())),
            analysis_runs=tuple(kinds.get("AnalysisRun", ())),
            templates={t["metadata"]["name"]: t for t in kinds.get("AnalysisTemplate", ())},
            pods=tuple(kinds.get("Pod", ())),
            workload=projected(workload) if workload else None,
            services={service["metadata"]["name"]: service for service in kinds.get("Service", ())},
            routes={
                Reference(kind=VIRTUAL_SERVICE, name=obj["metadata"]["name"]): obj
                for obj in kinds.get("VirtualService", ())
            },
        ),
        last + timedelta(milliseconds=500),
    )


@pytest.mark.parametrize("name", [*AT_REST, *OLDER])
def test_taking_over_writes_nothing(name: str) -> None:
    snapshot, now = recorded(name)
    plan = decide(snapshot, now, routers={"istio": Mesh()})
    assert (plan.writes, dict(plan.status), plan.events) == ((), {}, ())


def by_an_older_controller(text: str) -> str:
    """The same moment as an older controller leaves it: pod hashes of another library, no durations (before v1.10)."""
    status = next(obj for obj in yaml.safe_load_all(text) if obj and obj["kind"] == "Rollout")["status"]
    hashes = {status["currentPodHash"], status.get("stableRS") or status["currentPodHash"]}
    for digest in hashes:
        text = text.replace(digest, f"{digest[::-1]}x")
    return text


@pytest.mark.parametrize("name", AT_REST)
def test_taking_over_from_an_older_controller_rolls_nothing(name: str) -> None:
    """v1.6 to v1.9 hash templates differently; what runs is recognised by what it means."""
    snapshot, now = recorded(name, by_an_older_controller)
    rollout = dict(snapshot.rollout)
    rollout["status"] = {key: value for key, value in rollout["status"].items() if key != "duration"}
    plan = decide(replace(snapshot, rollout=rollout), now, routers={"istio": Mesh()})
    assert (plan.writes, dict(plan.status), plan.events) == ((), {}, ())


@pytest.mark.parametrize("name", [name for name in AT_REST if not name.startswith(("bluegreen", "workloadref"))])
def test_a_foreign_step_hash_never_goes_back_to_the_first_step(name: str) -> None:
    snapshot, now = recorded(name)
    rollout = {**snapshot.rollout, "status": {**snapshot.rollout["status"], "currentStepHash": "foreign"}}
    plan = decide(replace(snapshot, rollout=rollout), now, routers={"istio": Mesh()})
    assert (plan.writes, set(plan.status) - {"conditions"}, plan.events) == ((), {"currentStepHash"}, ())


def as_in_git(steps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Steps as people wrote them, without the empty metadata that older controllers stored."""
    return [
        {kind: {k: v for k, v in step.items() if v or k != "analysisRunMetadata"} if isinstance(step, dict) else step}
        for entry in steps
        for kind, step in entry.items()
    ]


@pytest.mark.parametrize("name", [name for name in OLDER if name.endswith(("analysis-running", "experiment-running"))])
def test_a_change_while_no_controller_ran_stays_at_the_step(name: str) -> None:
    """Replicas and what is as in Git were applied between the two controllers: the steps are none the less the same."""
    snapshot, now = recorded(name)
    metadata = {**snapshot.rollout["metadata"], "generation": snapshot.rollout["metadata"]["generation"] + 1}
    canary = snapshot.rollout["spec"]["strategy"]["canary"]
    strategy = {"canary": {**canary, "steps": as_in_git(canary["steps"])}}
    spec = {**snapshot.rollout["spec"], "replicas": 5, "strategy": strategy}
    rollout = {**snapshot.rollout, "metadata": metadata, "spec": spec}
    plan = decide(replace(snapshot, rollout=rollout), now, routers={"istio": Mesh()})
    assert plan.status["observedGeneration"] == str(metadata["generation"])
    assert plan.status.keys().isdisjoint({"currentStepIndex", "currentStepHash", "canary"})
