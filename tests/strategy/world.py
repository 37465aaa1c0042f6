"""A cluster in memory: applies plans, plays the ReplicaSet controller, keeps the time. No API server, no waiting."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from rollouts.api.kinds import CONFIG_MAP
from rollouts.plan import Create, Delete, Event, Evict, Patch, Plan
from rollouts.strategy import Snapshot, decide
from rollouts.strategy.claim import claim
from rollouts.strategy.keys import POD_HASH
from rollouts.strategy.times import text
from rollouts.strategy.workload import filled
from rollouts.traffic import ROUTERS, Reference, Routers

START = datetime(2026, 1, 1, tzinfo=UTC)


class CrashedError(Exception):
    """The controller died after a write."""


class StaleError(Exception):
    """A write rested on a version of an object that is not the newest."""


def rollout(
    *, name: str = "app", replicas: int | None = 5, steps: list[Any] | None = None, image: str = "app:1", **extra: Any
) -> dict[str, Any]:
    canary = {"maxSurge": 1, "maxUnavailable": 0, "steps": steps or [], **extra.pop("canary", {})}
    spec: dict[str, Any] = {
        "selector": {"matchLabels": {"app": name}},
        "template": {
            "metadata": {"labels": {"app": name}},
            "spec": {"containers": [{"name": "app", "image": image}]},
        },
        "strategy": {"canary": canary},
        **extra,
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": name, "namespace": "ns", "uid": "uid-rollout", "generation": 1, "resourceVersion": "1"},
        "spec": spec,
    }


def image(rs: dict[str, Any]) -> str:
    return str(rs["spec"]["template"]["spec"]["containers"][0]["image"])


class World:
    """`rollout`, `sets`, `runs`, `services` are the objects by name; `log` is every request, `events` every event."""

    def __init__(
        self,
        rollout: dict[str, Any],
        *,
        templates: dict[str, Any] | None = None,
        services: Iterable[str] = (),
        routers: Routers = ROUTERS,
    ) -> None:
        self.rollout = rollout
        self.services = {name: service(name, rollout["metadata"]["name"]) for name in services}
        self.routers = routers
        self.routes: dict[str, dict[str, Any]] = {}
        self.sets: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.experiments: dict[str, dict[str, Any]] = {}
        self.templates = templates or {}
        self.foreign: list[dict[str, Any]] = []
        self.now = START
        self.log: list[str] = []
        self.events: list[str] = []
        self.told: list[Event] = []
        self.ids = itertools.count(1)
        self.broken: set[str] = set()
        self.last: Plan = Plan()
        self.pods_: dict[str, dict[str, Any]] = {}
        self.versions = itertools.count(100)
        self.remembered: dict[str, dict[str, Any]] = {}
        self.workload: dict[str, Any] | None = None

    # --- the controller

    def snapshot(self) -> Snapshot:
        uid, every = self.rollout["metadata"]["uid"], self.sets.values()
        own, released = claim(
            filled(self.rollout, self.workload),
            controlled=[rs for rs in every if _owner(rs) == uid],
            orphans=[rs for rs in every if _owner(rs) is None],
        )
        return copy.deepcopy(
            Snapshot(
                rollout=self.rollout,
                replica_sets=tuple(own),
                released=tuple(released),
                foreign=(*self.foreign, *(rs for rs in every if rs not in own)),
                analysis_runs=tuple(self.runs.values()),
                experiments=tuple(self.experiments.values()),
                templates=self.templates,
                pods=tuple(self.pods_.values()),
                services=self.services,
                workload=self.workload,
                routes={Reference(kind=CONFIG_MAP, name=name): obj for name, obj in self.routes.items()},
            )
        )

    def plan(self) -> Plan:
        self.last = decide(self.snapshot(), self.now, routers=self.routers)
        return self.last

    def apply(self, plan: Plan, *, die_after: int | None = None) -> None:
        self.events += [event.reason for event in plan.events] if die_after is None else []
        self.told += plan.events if die_after is None else []
        for count, write in enumerate(plan.writes, start=1):
            self._write(write)
            if count == die_after:
                raise CrashedError
        if plan.status:
            self.log.append("PATCH Rollout/status")
            self.rollout["status"] = merged(self.rollout.get("status", {}), plan.status)

    def reconcile(self) -> Plan:
        plan = self.plan()
        self.apply(plan)
        return plan

    def _write(self, write: Any) -> None:
        if isinstance(write, Create):
            body = copy.deepcopy(dict(write.body))
            name = body["metadata"]["name"]
            self.log.append(f"POST {write.kind.kind}")
            body["metadata"] |= {"uid": f"uid-{next(self.ids)}", "creationTimestamp": text(self.now), "generation": 1}
            target = self._objects(write.kind.kind)
            if name in target:
                return
            target[name] = body
        elif isinstance(write, Patch):
            self.log.append(f"PATCH {write.kind.kind}")
            self._check(write)
            if self.workload is not None and write.name == self.workload["metadata"]["name"]:
                self.workload["metadata"]["generation"] += "spec" in write.body
                self.workload = merged(self.workload, write.body)
            elif write.kind.kind == "Rollout":
                if "spec" in write.body:
                    self.rollout["metadata"]["generation"] += 1
                self.rollout = merged(self.rollout, write.body)
            else:
                target = self._objects(write.kind.kind)
                if "spec" in write.body and "generation" in target[write.name]["metadata"]:
                    target[write.name]["metadata"]["generation"] += 1
                target[write.name] = merged(target[write.name], write.body)
                self.touch(target[write.name])
        elif isinstance(write, Evict):
            self.log.append("EVICT")
            self.pods_.pop(write.name)
        elif isinstance(write, Delete):
            self.log.append(f"DELETE {write.kind.kind}")
            self._objects(write.kind.kind).pop(write.name, None)

    def _check(self, write: Patch) -> None:
        """Refuse a patch that was planned on an older version, as the API server does."""
        if write.resource_version is None:
            return
        there = self.rollout if write.kind.kind == "Rollout" else self._objects(write.kind.kind)[write.name]
        if write.resource_version != there["metadata"].get("resourceVersion"):
            raise StaleError(write.name)

    def old_news(self) -> Snapshot:
        """The world as it was known at `remember`: pods may have come or gone since. Own writes are known."""
        known = self.snapshot()
        return replace(known, replica_sets=tuple(map(self._as_remembered, known.replica_sets)))

    def _as_remembered(self, rs: Any) -> Any:
        old = self.remembered.get(rs["metadata"]["name"])
        if old is None or old["metadata"]["generation"] != rs["metadata"]["generation"]:
            return rs
        return old

    def remember(self) -> None:
        """What the controller has heard so far."""
        self.remembered = copy.deepcopy(self.sets)

    def touch(self, obj: dict[str, Any]) -> None:
        """Somebody changed an object."""
        obj["metadata"]["resourceVersion"] = str(next(self.versions))

    def _objects(self, kind: str) -> dict[str, dict[str, Any]]:
        return {
            "ReplicaSet": self.sets,
            "AnalysisRun": self.runs,
            "Experiment": self.experiments,
            "Service": self.services,
            "Pod": self.pods_,
            "ConfigMap": self.routes,
        }[kind]

    # --- the world

    def pods(self, *, available: int | None = None) -> None:
        """The ReplicaSet controller runs once: pods exist as asked for; `available` more become available, or all."""
        for name, rs in self.sets.items():
            wanted, status = rs["spec"].get("replicas", 1), rs.setdefault("status", {})
            ready = min(status.get("availableReplicas", 0), wanted)
            if name not in self.broken:
                more = wanted - ready if available is None else min(available, wanted - ready)
                ready += more
                available = None if available is None else available - more
            else:
                ready = 0
            seen = {
                "replicas": wanted,
                "readyReplicas": ready,
                "availableReplicas": ready,
                "observedGeneration": rs["metadata"]["generation"],
            }
            if seen != status:
                status |= seen
                self.touch(rs)

    def finish(self, run: str, phase: str = "Successful", message: str = "") -> None:
        self.runs[run]["status"] = {"phase": phase, "message": message}

    def settle(self, *, limit: int = 200) -> None:
        """Reconcile and let pods come until nothing more happens at this time."""
        for _ in range(limit):
            before = self.fingerprint()
            self.reconcile()
            self.pods()
            if self.fingerprint() == before:
                if self.last.requeue_after is None or self.last.requeue_after > 2:
                    return
                self.advance(self.last.requeue_after)
        raise AssertionError("never settles")

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def fingerprint(self) -> str:
        return repr((self.rollout, self.sets, self.runs, self.experiments, self.services, self.routes, self.workload))

    # --- people

    def edit(self, **spec: Any) -> None:
        self.rollout["spec"] |= spec
        self.rollout["metadata"]["generation"] += 1

    def image(self, image: str) -> None:
        template = copy.deepcopy(self.rollout["spec"]["template"])
        template["spec"]["containers"][0]["image"] = image
        self.edit(template=template)

    def command(self, **status: Any) -> None:
        self.rollout["status"] = merged(self.rollout.get("status", {}), status)

    # --- looking

    @property
    def status(self) -> dict[str, Any]:
        return self.rollout.get("status", {})

    def selected(self, service: str) -> str:
        """The image of the pods a Service selects; empty when it selects all of them."""
        digest = self.services[service]["spec"]["selector"].get(POD_HASH, "")
        return next((image(rs) for rs in self.sets.values() if rs["metadata"]["labels"][POD_HASH] == digest), digest)

    def lose(self, of: str) -> None:
        """Somebody deletes the ReplicaSet with this image."""
        (name,) = (name for name, rs in self.sets.items() if image(rs) == of)
        del self.sets[name]

    @property
    def replicas(self) -> dict[str, int]:
        """spec.replicas by image."""
        return {image(rs): rs["spec"]["replicas"] for rs in self.sets.values()}


def _owner(rs: dict[str, Any]) -> str | None:
    return next((ref["uid"] for ref in rs["metadata"].get("ownerReferences") or ()), None)


def service(name: str, app: str = "app") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "ns", "uid": f"uid-{name}", "resourceVersion": "1"},
        "spec": {"selector": {"app": app}, "ports": [{"port": 80}]},
    }


def merged(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result
