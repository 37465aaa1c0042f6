"""An Experiment's cluster in memory: applies plans, plays the ReplicaSet controller, keeps the time."""

from __future__ import annotations

import copy
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

from rollouts.experiments import Snapshot, decide
from rollouts.plan import Create, Delete, Event, Patch, Plan
from rollouts.strategy.times import text
from rollouts.strategy.trouble import Trouble
from tests.strategy.world import CrashedError, merged

START = datetime(2026, 1, 1, tzinfo=UTC)
JSON = dict[str, Any]


def template(name: str = "candidate", *, image: str = "app:2", ports: list[Any] | None = None, **extra: Any) -> JSON:
    container = {"name": "app", "image": image, **({"ports": ports} if ports else {})}
    return {
        "name": name,
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}},
        **extra,
    }


def experiment(*templates: JSON, **spec: Any) -> JSON:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Experiment",
        "metadata": {
            "name": "exp",
            "namespace": "ns",
            "uid": "uid-exp",
            "resourceVersion": "1",
            "creationTimestamp": text(START),
        },
        "spec": {"templates": list(templates or (template(),)), **spec},
    }


def analysis(name: str = "check", **extra: Any) -> JSON:
    return {"name": name, "templateName": "rate", **extra}


RATE = {
    "kind": "AnalysisTemplate",
    "metadata": {"name": "rate", "namespace": "ns"},
    "spec": {"metrics": [{"name": "rate", "successCondition": "true", "provider": {"web": {"url": "http://x"}}}]},
}


class World:
    """`sets`, `services`, `runs` by name; `log` is every request, `events` every event as `reason: message`."""

    def __init__(self, experiment: JSON, *, templates: JSON | None = None) -> None:
        self.experiment = experiment
        self.sets: dict[str, JSON] = {}
        self.services: dict[str, JSON] = {}
        self.runs: dict[str, JSON] = {}
        self.templates = {"rate": RATE} if templates is None else templates
        self.taken: dict[str, frozenset[str]] = {}
        self.now = START
        self.log: list[str] = []
        self.events: list[str] = []
        self.told: list[Event] = []
        self.ids = itertools.count(1)
        self.broken: set[str] = set()
        self.last = Plan()
        self.troubles: dict[str, tuple[Trouble, ...]] = {}

    def snapshot(self) -> Snapshot:
        return copy.deepcopy(
            Snapshot(
                experiment=self.experiment,
                replica_sets=tuple(self.sets.values()),
                services=tuple(self.services.values()),
                analysis_runs=tuple(self.runs.values()),
                templates=self.templates,
                troubles=self.troubles,
                **self.taken,
            )
        )

    def reconcile(self, *, die_after: int | None = None) -> Plan:
        self.last = plan = decide(self.snapshot(), self.now)
        for count, write in enumerate(plan.writes, start=1):
            self._write(write)
            if count == die_after:
                raise CrashedError
        if plan.status:
            self.log.append("PATCH status")
            self.experiment["status"] = merged(self.experiment.get("status"), plan.status)
        self.events += [f"{event.reason}: {event.message}" for event in plan.events]
        self.told += plan.events
        return plan

    def settle(self, *, limit: int = 50) -> None:
        """Reconcile and let pods come until nothing more happens at this time."""
        for _ in range(limit):
            before = repr((self.experiment, self.sets, self.services, self.runs))
            self.reconcile()
            self.pods()
            if repr((self.experiment, self.sets, self.services, self.runs)) == before:
                return
        raise AssertionError("never settles")

    def advance(self, seconds: float) -> None:
        """Time passes, then everything that follows happens."""
        self.now += timedelta(seconds=seconds)
        self.settle()

    def pods(self, *, available: int | None = None) -> None:
        """The ReplicaSet controller runs once; all pods of sets that are not `broken` become available."""
        for name, rs in self.sets.items():
            wanted = rs["spec"]["replicas"]
            good = 0 if name in self.broken else min(wanted, wanted if available is None else available)
            counts = {"replicas": wanted, "readyReplicas": good, "availableReplicas": good}
            rs["status"] = {**counts, "observedGeneration": rs["metadata"]["generation"]}

    def finish(self, run: str, phase: str = "Successful", message: str = "") -> None:
        self.runs[run]["status"] = {"phase": phase, **({"message": message} if message else {})}
        self.settle()

    def _shelf(self, kind: str) -> dict[str, JSON]:
        return {"ReplicaSet": self.sets, "Service": self.services, "AnalysisRun": self.runs}[kind]

    def _write(self, write: Any) -> None:
        if isinstance(write, Create):
            body = copy.deepcopy(dict(write.body))
            name = body["metadata"]["name"]
            self.log.append(f"POST {write.kind.kind} {name}")
            body["metadata"] |= {"uid": f"uid-{next(self.ids)}", "creationTimestamp": text(self.now), "generation": 1}
            self._shelf(write.kind.kind).setdefault(name, body)
        elif isinstance(write, Patch) and write.kind.kind == "Experiment":
            self.log.append("PATCH Experiment")
            self.experiment = merged(self.experiment, write.body)
        elif isinstance(write, Patch):
            self.log.append(f"PATCH {write.kind.kind} {write.name}")
            shelf = self._shelf(write.kind.kind)
            shelf[write.name]["metadata"]["generation"] += "spec" in write.body
            shelf[write.name] = merged(shelf[write.name], write.body)
        elif isinstance(write, Delete):
            self.log.append(f"DELETE {write.kind.kind} {write.name}")
            self._shelf(write.kind.kind).pop(write.name)

    @property
    def status(self) -> JSON:
        return self.experiment.get("status") or {}

    @property
    def phase(self) -> str:
        return self.status.get("phase", "")

    @property
    def sizes(self) -> dict[str, int]:
        """spec.replicas by ReplicaSet."""
        return {name: rs["spec"]["replicas"] for name, rs in self.sets.items()}

    @property
    def states(self) -> dict[str, str]:
        """State of each template."""
        return {entry["name"]: entry["status"] for entry in self.status.get("templateStatuses", ())}
