"""What one Rollout looks like in the cluster: the Rollout and all that belongs to it, as raw objects.

Raw dictionaries and no models: loading the models costs more than the whole command may take, and what is shown must
not fail on a field nobody foresaw. The small readers below are the only places that know where things are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

JSON = Mapping[str, Any]

POD_HASH = "rollouts-pod-template-hash"
REVISION = "rollout.argoproj.io/revision"
SCALE_DOWN_DEADLINE = "scale-down-deadline"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The objects of one namespace that a view is made of. `root`: the Rollout or Experiment that is looked at."""

    root: JSON
    replica_sets: tuple[JSON, ...] = ()
    pods: tuple[JSON, ...] = ()
    runs: tuple[JSON, ...] = ()
    experiments: tuple[JSON, ...] = ()
    jobs: tuple[JSON, ...] = ()

    def owned_replica_sets(self, owner: JSON) -> list[JSON]:
        """ReplicaSets that `owner` controls."""
        return owned(self.replica_sets, owner)

    def owned_pods(self, owner: JSON) -> list[JSON]:
        """Pods that `owner` controls, oldest first."""
        return sorted(owned(self.pods, owner), key=lambda pod: (created(pod) or "", name(pod)))


_FIELDS = {
    "ReplicaSet": "replica_sets",
    "Pod": "pods",
    "AnalysisRun": "runs",
    "Experiment": "experiments",
    "Job": "jobs",
}


def world_of(objects: Iterable[JSON], *, kind: str = "Rollout", named: str = "") -> World:
    """The world around the first object of `kind` (and of the name `named`). ValueError when there is none."""
    found = list(objects)
    roots = [item for item in found if item.get("kind") == kind and named in ("", name(item))]
    if not roots:
        raise ValueError(f"there is no {kind} {named} among the objects")
    parts: dict[str, list[JSON]] = {field: [] for field in _FIELDS.values()}
    for item in found:
        if field := _FIELDS.get(item.get("kind", "")):
            parts[field].append(item)
    return World(root=roots[0], **{field: tuple(items) for field, items in parts.items()})


def owned(objects: Iterable[JSON], owner: JSON) -> list[JSON]:
    """The objects that `owner` controls, by its uid."""
    return [item for item in objects if controller_uid(item) == uid(owner)]


def metadata(item: JSON) -> JSON:
    """The object's metadata."""
    return item.get("metadata") or {}


def spec(item: JSON) -> JSON:
    """The object's spec; empty when there is none."""
    return item.get("spec") or {}


def status(item: JSON) -> JSON:
    """The object's status; empty when there is none yet."""
    return item.get("status") or {}


def name(item: JSON) -> str:
    """The object's name."""
    return str(metadata(item).get("name") or "")


def namespace(item: JSON) -> str:
    """The object's namespace."""
    return str(metadata(item).get("namespace") or "")


def uid(item: JSON) -> str:
    """The object's uid."""
    return str(metadata(item).get("uid") or "")


def created(item: JSON) -> str:
    """When the object was created, RFC 3339; empty when unknown."""
    return str(metadata(item).get("creationTimestamp") or "")


def label(item: JSON, key: str) -> str:
    """A label's value; empty when it is not there."""
    return str((metadata(item).get("labels") or {}).get(key) or "")


def annotation(item: JSON, key: str) -> str:
    """An annotation's value; empty when it is not there."""
    return str((metadata(item).get("annotations") or {}).get(key) or "")


def pod_hash(item: JSON) -> str:
    """The pod-template hash in the object's labels."""
    return label(item, POD_HASH)


def revision(item: JSON) -> int:
    """The revision in the object's annotations; 0 when there is none."""
    value = annotation(item, REVISION)
    return int(value) if value.isdecimal() else 0


def controller_uid(item: JSON) -> str:
    """The uid of the owner that controls the object; empty when nobody does."""
    owners = metadata(item).get("ownerReferences") or ()
    return next((str(owner.get("uid")) for owner in owners if owner.get("controller")), "")


def images(item: JSON) -> list[str]:
    """Images of the containers in the object's pod template, in order."""
    pod = ((spec(item).get("template") or {}).get("spec")) or {}
    return [str(container.get("image")) for container in pod.get("containers") or () if container.get("image")]


def condition(item: JSON, kind: str) -> JSON:
    """The condition of that type; empty when there is none."""
    return next((found for found in status(item).get("conditions") or () if found.get("type") == kind), {})


def instant(text: str) -> datetime | None:
    """A time of the API; None for an empty or odd one."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def since(text: str, now: datetime) -> float | None:
    """Seconds from the time `text` until `now`; None when there is no time."""
    moment = instant(text)
    return None if moment is None else (now - moment).total_seconds()
