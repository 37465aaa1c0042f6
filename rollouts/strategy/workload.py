"""Pods that are described elsewhere: a Rollout with a `spec.workloadRef` takes its pod template from a Deployment, a
ReplicaSet or a PodTemplate, and its selector too where that has one.

Everything here is pure. `@resolving` stands before `decide`: it fills template and selector in, in memory, so no other
stage knows of the reference, and adds three things to the plan that comes out:

* the workload's generation, as an annotation on the Rollout and in its status: clients tell by the two being equal
  whether the status speaks of the workload as it is now;
* the workload's own replicas, while the Rollout takes over from it (`scaleDown`), only at the Rollout's revision 1;
* a workload that is not there, as an error of the Rollout.

How many pods the workload keeps, for N wanted by the Rollout and A of them available:

    never           what it has
    onsuccess       0 once the Rollout is Healthy
    progressively   0 when A ≥ N, else one fewer for each pod that is available, so that both together never serve with
                    less than before:     it had 5, N = 5:  A 0→1→3→5   keeps 5→4→2→0
                                          it had 2, N = 5:  A 0→1→4→5   keeps 2→2→1→0
                    Pods that fail again bring it back, at most to what it had. A workload that was at 0 from the
                    beginning only holds the template, and stays at 0.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Concatenate, Final, ParamSpec

from rollouts.api import kinds
from rollouts.api.kinds import Kind
from rollouts.api.loose import mapping
from rollouts.api.parsing import check
from rollouts.plan import Patch, Plan, Write
from rollouts.strategy import invalid, keys
from rollouts.strategy.snapshot import ReplicaSet, Snapshot

JSON = Mapping[str, Any]
Given = ParamSpec("Given")
Decide = Callable[Concatenate[Snapshot, datetime, Given], Plan]

REFERRED_REPLICA_SET: Final = replace(kinds.REPLICA_SET, status=False)
"""ReplicaSets referred to are kept apart from those a Rollout controls: another row, the same objects."""
KINDS: Final[Mapping[str, Kind]] = {
    "Deployment": kinds.DEPLOYMENT,
    "ReplicaSet": REFERRED_REPLICA_SET,
    "PodTemplate": kinds.POD_TEMPLATE,
}
_SCALABLE: Final = frozenset({"Deployment", "ReplicaSet"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Where a Rollout's pods are described."""

    kind: Kind
    namespace: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a Rollout has taken over. Counts are pods: `wanted` and `available` of the Rollout, `current` what the
    workload asks for now, `original` what it asked for before it was first scaled down."""

    wanted: int
    available: int
    healthy: bool
    current: int
    original: int


def reference(rollout: JSON) -> Reference | None:
    """What a Rollout refers to; None when nothing, or nothing that could be looked up."""
    written = mapping(mapping(rollout.get("spec")).get("workloadRef"))
    kind, name = KINDS.get(str(written.get("kind"))), written.get("name")
    if kind is None or not isinstance(name, str) or not name:
        return None
    return Reference(kind=kind, namespace=rollout["metadata"].get("namespace", ""), name=name)


def projected(obj: JSON) -> JSON:
    """The part of a workload decisions are made from: a few hundred bytes, whatever else it carries."""
    metadata, spec = obj["metadata"], obj.get("spec") or {}
    kept = {
        key: metadata[key] for key in ("name", "namespace", "uid", "resourceVersion", "generation") if key in metadata
    }
    before = (metadata.get("annotations") or {}).get(keys.SCALED_DOWN_FROM)
    if before is not None:
        kept["annotations"] = {keys.SCALED_DOWN_FROM: before}
    result: dict[str, Any] = {"kind": obj.get("kind"), "metadata": kept}
    if "template" in obj:
        return {**result, "template": obj["template"]}
    return {**result, "spec": {key: spec[key] for key in ("replicas", "selector", "template") if key in spec}}


def filled(rollout: JSON, workload: JSON | None) -> JSON:
    """The Rollout as if it had been written without a reference; as it is when there is nothing to fill in."""
    spec = mapping(rollout.get("spec"))
    if not spec.get("workloadRef") or workload is None:
        return rollout
    source = workload if "template" in workload else mapping(workload.get("spec"))
    rest = {key: value for key, value in spec.items() if key != "workloadRef"}
    rest["template"] = source.get("template")
    selector = spec.get("selector") or source.get("selector")
    if selector:
        rest["selector"] = selector
    return {**rollout, "spec": rest}


def resolving(decide: Decide[Given]) -> Decide[Given]:
    """A decider of Rollouts with pods of their own, made one that follows references too."""

    @functools.wraps(decide)
    def resolved(snapshot: Snapshot, now: datetime, /, *args: Given.args, **given: Given.kwargs) -> Plan:
        rollout, workload = snapshot.rollout, snapshot.workload
        if not mapping(rollout.get("spec")).get("workloadRef") or rollout["metadata"].get("deletionTimestamp"):
            return decide(snapshot, now, *args, **given)
        errors = _problems(rollout, workload)
        if errors or workload is None:
            return invalid.plan(rollout, errors, now=now)
        plan = decide(replace(snapshot, rollout=_annotated(filled(rollout, workload), workload)), now, *args, **given)
        return replace(
            plan,
            writes=(*_with_generation(plan, rollout, workload), *_scaling(plan, snapshot, workload)),
            status={**plan.status, **_observed(rollout, workload)},
        )

    return resolved


def _problems(rollout: JSON, workload: JSON | None) -> tuple[str, ...]:
    errors = tuple(str(error) for error in check(kinds.ROLLOUT, rollout).errors)
    if errors or workload is not None:
        return errors
    written = rollout["spec"]["workloadRef"]
    kind = KINDS[written["kind"]]
    resource = ".".join(part for part in (kind.plural, kind.group) if part)
    namespace = rollout["metadata"].get("namespace", "")
    missing = f'{resource} "{written["name"]}" not found'
    return (f"spec.workloadRef: {missing}; create it in namespace {namespace}, or correct the reference",)


# --- generations


def _generation(workload: JSON) -> str:
    return str(workload["metadata"].get("generation", 0))


def _annotated(rollout: JSON, workload: JSON) -> JSON:
    """With the annotation, so that ReplicaSets created now carry it too."""
    metadata = rollout["metadata"]
    annotations = {**(metadata.get("annotations") or {}), keys.WORKLOAD_GENERATION: _generation(workload)}
    return {**rollout, "metadata": {**metadata, "annotations": annotations}}


def _observed(rollout: JSON, workload: JSON) -> dict[str, str]:
    before = (rollout.get("status") or {}).get("workloadObservedGeneration")
    after = _generation(workload)
    return {} if before == after else {"workloadObservedGeneration": after}


def _with_generation(plan: Plan, rollout: JSON, workload: JSON) -> tuple[Write, ...]:
    """The writes, with the annotation in the patch of the Rollout there is already, or in one more."""
    generation = _generation(workload)
    if (rollout["metadata"].get("annotations") or {}).get(keys.WORKLOAD_GENERATION) == generation:
        return plan.writes
    note = {keys.WORKLOAD_GENERATION: generation}
    own = next((write for write in plan.writes if isinstance(write, Patch) and write.kind == kinds.ROLLOUT), None)
    if own is None:
        return (*plan.writes, _rollout_patch(rollout, {"metadata": {"annotations": note}}))
    metadata = own.body.get("metadata") or {}
    metadata = {**metadata, "annotations": {**(metadata.get("annotations") or {}), **note}}
    return tuple(
        replace(own, body={**own.body, "metadata": metadata}) if write is own else write for write in plan.writes
    )


def _rollout_patch(rollout: JSON, body: JSON) -> Patch:
    metadata = rollout["metadata"]
    return Patch(
        kind=kinds.ROLLOUT,
        namespace=metadata["namespace"],
        name=metadata["name"],
        body=body,
        resource_version=metadata.get("resourceVersion"),
    )


# --- scaling the workload down


def remaining(mode: str, at: Progress) -> int:
    """How many pods the workload is to keep; `mode` is `scaleDown`."""
    return _MODES[mode](at)


def _never(at: Progress) -> int:
    return at.current


def _on_success(at: Progress) -> int:
    return 0 if at.healthy else at.current


def _progressively(at: Progress) -> int:
    if at.available >= at.wanted:
        return 0
    # Once it is at 0, only pods that failed bring it back, not more pods being wanted.
    needed = max(at.wanted, at.original) if at.current else min(at.wanted, at.original)
    return max(min(needed - at.available, at.original), 0)


_MODES: Final[Mapping[str, Callable[[Progress], int]]] = {
    "never": _never,
    "onsuccess": _on_success,
    "progressively": _progressively,
}


def _scaling(plan: Plan, snapshot: Snapshot, workload: JSON) -> tuple[Patch, ...]:
    """The last write: pods of the Rollout that make others superfluous are there by now."""
    rollout = snapshot.rollout
    after = {**(rollout.get("status") or {}), **plan.status}
    annotations = rollout["metadata"].get("annotations") or {}
    refused = str(after.get("message") or "").startswith("InvalidSpec")
    if refused or workload["kind"] not in _SCALABLE or annotations.get(keys.REVISION) != "1":
        return ()
    at = _progress(snapshot, workload, healthy=after.get("phase") == "Healthy")
    target = remaining(rollout["spec"]["workloadRef"].get("scaleDown") or "never", at)
    return () if target == at.current else (_scaled(rollout, workload, at, target),)


def _progress(snapshot: Snapshot, workload: JSON, *, healthy: bool) -> Progress:
    spec, wanted = workload["spec"], snapshot.rollout["spec"].get("replicas")
    current = spec["replicas"] if isinstance(spec.get("replicas"), int) else 1
    noted = (workload["metadata"].get("annotations") or {}).get(keys.SCALED_DOWN_FROM, "")
    return Progress(
        wanted=1 if wanted is None else wanted,
        available=sum(ReplicaSet.of(raw).available for raw in snapshot.replica_sets),
        healthy=healthy,
        current=current,
        original=max(int(noted) if noted.isdecimal() else 0, current),
    )


def _scaled(rollout: JSON, workload: JSON, at: Progress, target: int) -> Patch:
    """Not bound to the version planned on: a workload's status moves all the time, and its replicas alone are set."""
    return Patch(
        kind=KINDS[workload["kind"]],
        namespace=rollout["metadata"]["namespace"],
        name=workload["metadata"]["name"],
        body={
            "metadata": {"annotations": {keys.SCALED_DOWN_FROM: str(at.original)}},
            "spec": {"replicas": target},
        },
    )
