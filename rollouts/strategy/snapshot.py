"""What a decision is made on: one Rollout and everything that belongs to it, frozen.

`Snapshot` carries raw objects as the API server sent them. `ReplicaSet` and `Run` are thin views with the few
values the deciders look at; the raw object stays reachable for templates and owner references.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from rollouts.api.loose import mapping
from rollouts.strategy import keys, times
from rollouts.strategy.plugins import Outcome
from rollouts.strategy.trouble import Trouble
from rollouts.strategy.written import Written
from rollouts.traffic import Reference

JSON = Mapping[str, Any]

FINAL: Final = frozenset({"Successful", "Failed", "Error", "Inconclusive"})
_SERVERS_OWN: Final = frozenset({"resourceVersion", "managedFields"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The world around one Rollout.

    `replica_sets`: those it controls, and orphans that match its selector; `released`: those it controls whose labels
    fit no more (see claim.py). `foreign`: other ReplicaSets of the namespace whose names begin with the Rollout's (they
    can occupy a name). `templates` and
    `cluster_templates` are keyed by name. `pods`: the pods of its ReplicaSets, filled only when `needs_pods` says so.
    `taken_experiments`: names of the namespace's Experiments it does not control.
    `services`: those it names and those it still manages, by name. `routes`: what its traffic routers read.
    `troubles`: what keeps pods of the new ReplicaSet from coming up; None when nobody has looked.
    `workload`: what its `workloadRef` names. `plugin`: what a step plugin has just answered. `written`: what is known
    of its spec already, if anything.
    """

    rollout: JSON
    replica_sets: tuple[JSON, ...] = ()
    released: tuple[JSON, ...] = ()
    foreign: tuple[JSON, ...] = ()
    analysis_runs: tuple[JSON, ...] = ()
    experiments: tuple[JSON, ...] = ()
    taken_experiments: frozenset[str] = frozenset()
    templates: Mapping[str, JSON] = field(default_factory=dict)
    cluster_templates: Mapping[str, JSON] = field(default_factory=dict)
    pods: tuple[JSON, ...] = ()
    services: Mapping[str, JSON] = field(default_factory=dict)
    routes: Mapping[Reference, JSON] = field(default_factory=dict)
    troubles: tuple[Trouble, ...] | None = None
    workload: JSON | None = None
    plugin: Outcome | None = None
    written: Written | None = None

    @property
    def reading(self) -> Written:
        """What follows from the spec: as known, or to be worked out."""
        known = self.written
        return known if known is not None and known.stands_for(self.rollout) else Written(self.rollout)


def hash_of(rs: JSON) -> str:
    """The hash of a ReplicaSet: what its selector says, which nobody can change, else its label; empty if neither."""
    selected = mapping(mapping(mapping(rs.get("spec")).get("selector")).get("matchLabels")).get(keys.POD_HASH)
    return selected or mapping(rs["metadata"].get("labels")).get(keys.POD_HASH) or ""


def acknowledges(before: JSON, after: JSON) -> bool:
    """Whether all that is new about a ReplicaSet is that its controller has seen the spec, while pods that it asks for
    or asks away are still to come or to go: more will be told in a moment, and until then there is little to decide."""
    asked, there = (after.get("spec") or {}).get("replicas"), (after.get("status") or {}).get("replicas", 0)
    return asked != there and _apart_from_versions(before) == _apart_from_versions(after)


def _apart_from_versions(rs: JSON) -> tuple[Any, ...]:
    metadata = {key: value for key, value in rs["metadata"].items() if key not in _SERVERS_OWN}
    status = {"replicas": 0, **(rs.get("status") or {}), "observedGeneration": None}
    return metadata, rs.get("spec"), status


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaSet:
    """A ReplicaSet as the deciders see it. `replicas` is spec.replicas, `current` is status.replicas; `settled`: its
    controller has seen the spec, so the status speaks of it."""

    name: str
    hash: str
    revision: int = 0
    replicas: int = 0
    current: int = 0
    ready: int = 0
    available: int = 0
    settled: bool = True
    desired: int | None = None
    created: datetime | None = None
    raw: JSON = field(default_factory=dict)

    @staticmethod
    def of(raw: JSON) -> ReplicaSet:
        """Read the view from an object of the API server."""
        metadata, spec, status = raw["metadata"], raw.get("spec") or {}, raw.get("status") or {}
        annotations = metadata.get("annotations") or {}
        return ReplicaSet(
            name=metadata["name"],
            hash=hash_of(raw),
            revision=_number(annotations.get(keys.REVISION)) or 0,
            replicas=_default(spec.get("replicas"), 1),
            current=_default(status.get("replicas"), 0),
            ready=_default(status.get("readyReplicas"), 0),
            available=_default(status.get("availableReplicas"), 0),
            settled=_default(status.get("observedGeneration"), 0) >= _default(metadata.get("generation"), 0),
            desired=_number(annotations.get(keys.DESIRED_REPLICAS)),
            created=times.moment(metadata.get("creationTimestamp")),
            raw=raw,
        )

    def scaled(self, replicas: int) -> ReplicaSet:
        """The same ReplicaSet with another spec.replicas."""
        return replace(self, replicas=replicas)

    def older_than(self, other: ReplicaSet) -> bool:
        """Whether it was made before another. Times have whole seconds; within one the first revision tells."""
        if self.created is None or other.created is None:
            return False
        return (self.created, self.first_revision) < (other.created, other.first_revision)

    @property
    def first_revision(self) -> int:
        """The revision it was made for, before it was used again."""
        history = str(self.annotations.get(keys.REVISION_HISTORY) or self.revision)
        return _number(history.split(",")[0]) or 0

    @property
    def deadline(self) -> datetime | None:
        """When its pods may go, if that was put off."""
        return times.moment(self.annotations.get(keys.SCALE_DOWN_DEADLINE))

    @property
    def full(self) -> bool:
        """All pods it is asked for are available, and there are some."""
        return 0 < self.replicas <= self.available

    @property
    def annotations(self) -> JSON:
        """The object's annotations, empty when it has none."""
        return self.raw.get("metadata", {}).get("annotations") or {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """An AnalysisRun as the deciders see it."""

    name: str
    kind: str
    hash: str
    revision: int
    step: int | None
    phase: str
    message: str
    created: datetime | None
    terminating: bool
    raw: JSON

    @staticmethod
    def of(raw: JSON) -> Run:
        """Read the view from an object of the API server."""
        metadata, status = raw["metadata"], mapping(raw.get("status"))
        labels = metadata.get("labels") or {}
        return Run(
            name=metadata["name"],
            kind=labels.get(keys.ROLLOUT_TYPE, ""),
            hash=labels.get(keys.POD_HASH, ""),
            revision=_number((metadata.get("annotations") or {}).get(keys.REVISION)) or 0,
            step=_number(labels.get(keys.STEP_INDEX)),
            phase=str(status.get("phase") or ""),
            message=str(status.get("message") or ""),
            created=times.moment(metadata.get("creationTimestamp")),
            terminating=bool(mapping(raw.get("spec")).get("terminate")),
            raw=raw,
        )

    @property
    def finished(self) -> bool:
        """Whether its phase is final."""
        return self.phase in FINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """An Experiment as the decisions about its Rollout see it."""

    name: str
    hash: str
    revision: int
    phase: str
    message: str
    created: datetime | None
    terminating: bool
    raw: JSON

    @staticmethod
    def of(raw: JSON) -> Trial:
        """Read the view from an object of the API server."""
        run = Run.of(raw)
        return Trial(
            name=run.name,
            hash=run.hash,
            revision=run.revision,
            phase=run.phase,
            message=run.message,
            created=run.created,
            terminating=run.terminating,
            raw=raw,
        )

    @property
    def finished(self) -> bool:
        """Whether its phase is final."""
        return self.phase in FINAL


def _default(value: object, default: int) -> int:
    return value if isinstance(value, int) else default


def _number(text: object) -> int | None:
    try:
        return int(str(text))
    except ValueError:
        return None
