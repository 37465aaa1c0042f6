"""The templates of an Experiment as they stand: the ReplicaSet of each, and what state that puts it in.

    Progressing   pods are still missing, the message says why once that is known; the progress deadline counts from
                  its last transition, which also moves when more pods have become available (crash loops apart)
    Running       all pods are available
    Successful    the experiment ended while it was one of the above
    Failed        the deadline passed
    Error         what it asks for can't be done

The last three are final. A ReplicaSet is known by its controller and by an annotation that names the template, so a
name which had to be changed because it was taken is found again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from rollouts.api.experiment import Experiment, ExperimentTemplate
from rollouts.experiments import names, services
from rollouts.experiments.recorded import ERROR, FAILED, PROGRESSING, RUNNING, SUCCESSFUL, Entry, Recorded
from rollouts.experiments.snapshot import Snapshot
from rollouts.strategy import identity, keys, podhash, trouble
from rollouts.strategy.snapshot import ReplicaSet
from rollouts.strategy.trouble import Trouble

JSON = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One template as it stands. `pods`: its pod template; `set`: its ReplicaSet, None until made; `name` and `hash`
    are the ReplicaSet's either way; `before`: what is remembered; `service`: name of the Service it asks for."""

    spec: ExperimentTemplate
    pods: JSON
    before: Entry
    set: ReplicaSet | None
    name: str
    hash: str
    collisions: int | None
    service: str | None
    status: str = PROGRESSING
    message: str = ""
    since: datetime | None = None

    @property
    def final(self) -> bool:
        """Whether it is over."""
        return self.status in {SUCCESSFUL, FAILED, ERROR}

    @property
    def wanted(self) -> int:
        """Pods it asks for."""
        return self.spec.effective_replicas

    @property
    def available(self) -> bool:
        """Whether all its pods are available."""
        rs = self.set
        return rs is not None and rs.settled and rs.replicas == self.wanted and rs.available >= self.wanted

    def ended(self, now: datetime) -> Look:
        """The same, after the end of the experiment."""
        return self if self.final else replace(self, status=SUCCESSFUL, message="", since=now)


def look(snapshot: Snapshot, model: Experiment, recorded: Recorded, *, now: datetime) -> tuple[Look, ...]:
    """Every template, in the order of the spec. Raises `EncodingError` for a pod template that can't be read."""
    deadline = timedelta(seconds=model.spec.effective_progress_deadline_seconds)
    raw = snapshot.experiment["spec"]["templates"]
    found: list[Look] = []
    for spec, written in zip(model.spec.templates, raw, strict=True):
        used = frozenset(each.hash for each in found)
        found.append(_found(snapshot, spec, written["template"], recorded.template(spec.name), used=used))
    return tuple(_stands(each, snapshot, deadline=deadline, now=now) for each in found)


def _found(snapshot: Snapshot, spec: ExperimentTemplate, pods: JSON, before: Entry, *, used: frozenset[str]) -> Look:
    mine = next((rs for rs in snapshot.replica_sets if _template_of(rs) == spec.name), None)
    view = ReplicaSet.of(mine) if mine is not None else None
    collisions = before.raw.get("collisionCount")
    experiment = snapshot.experiment["metadata"]["name"]
    while view is None and names.replica_set(experiment, spec.name, collisions) in snapshot.taken_sets:
        collisions = (collisions or 0) + 1
    name = view.name if view else names.replica_set(experiment, spec.name, collisions)
    return Look(
        spec=spec,
        pods=pods,
        before=before,
        set=view,
        name=name,
        hash=view.hash if view else _hash(pods, collisions, used),
        collisions=collisions,
        service=None if spec.service is None else spec.service.name or name,
    )


def _hash(pods: JSON, collisions: int | None, used: frozenset[str]) -> str:
    """As the peer's: of the template without the label a Rollout's ReplicaSet may have left in it. It must be nobody
    else's who has such pods, neither that ReplicaSet's nor another template's (A against A): Services and metrics go by
    it."""
    labels = (pods.get("metadata") or {}).get("labels") or {}
    bare, taken = identity.strip_hash_label(pods), {*used, labels.get(keys.POD_HASH)}
    digest, salt = podhash.pod_template_hash(bare, collision_count=collisions), collisions or 0
    while digest in taken:
        salt += 1
        digest = podhash.pod_template_hash(bare, collision_count=salt)
    return digest


def _template_of(rs: JSON) -> str | None:
    annotations: JSON = rs["metadata"].get("annotations") or {}
    return annotations.get(keys.EXPERIMENT_TEMPLATE)


def _stands(each: Look, snapshot: Snapshot, *, deadline: timedelta, now: datetime) -> Look:
    before = each.before
    if before.final:
        return replace(each, status=before.status, message=before.message, since=before.since)
    fault = services.fault(each.service, each.spec.name, snapshot)
    if fault:
        return replace(each, status=ERROR, message=fault, since=now)
    status = RUNNING if each.available else PROGRESSING
    found = _trouble(each, snapshot)
    progressed = _progressed(each) and not trouble.crashing(found)
    since = before.since if before.since and before.status == status and not progressed else now
    words = trouble.summary(found) if status == PROGRESSING else ""
    if status == PROGRESSING and now >= since + deadline:
        message = f"Template '{each.spec.name}' exceeded its progressDeadlineSeconds ({deadline.total_seconds():g})"
        return replace(each, status=FAILED, message=f"{message}: {words}" if words else message, since=now)
    return replace(each, status=status, message=words, since=since)


def _trouble(each: Look, snapshot: Snapshot) -> tuple[Trouble, ...]:
    """What keeps its pods from coming up; nothing when they do, or nobody has looked."""
    if each.set is None or not trouble.short(each.set.raw):
        return ()
    return (*snapshot.troubles.get(each.name, ()), *trouble.failures(each.set.raw))


def _progressed(each: Look) -> bool:
    """More pods are available than when its state was last written."""
    return each.set is not None and each.set.available > (each.before.raw.get("availableReplicas") or 0)
