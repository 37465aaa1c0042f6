"""What there is, for Prometheus: objects of the store with their phases and pods, under the peer's names.

All of it is read when scraped, so no series outlives its object.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from rollouts.api import kinds
from rollouts.api.kinds import Kind
from rollouts.api.loose import listed, mapping
from rollouts.engine.store import Key, Store
from rollouts.strategy import sound

JSON = Mapping[str, Any]

_PHASES: Final = {
    "RolloutAborted": "Abort",
    "ProgressDeadlineExceeded": "Timeout",
    "NewReplicaSetAvailable": "Completed",
    "RolloutPaused": "Paused",
    "ReplicaSetCreateError": "Error",
}
_ROUTERS: Final = {
    "alb": "ALB",
    "ambassador": "Ambassador",
    "apisix": "Apisix",
    "appMesh": "AppMesh",
    "istio": "Istio",
    "nginx": "Nginx",
    "smi": "SMI",
    "traefik": "Traefik",
}
_PROVIDERS: Final = {
    "cloudWatch": "CloudWatch",
    "datadog": "Datadog",
    "graphite": "Graphite",
    "influxdb": "Influxdb",
    "job": "Job",
    "kayenta": "Kayenta",
    "newRelic": "NewRelic",
    "prometheus": "Prometheus",
    "skywalking": "SkyWalking",
    "wavefront": "Wavefront",
    "web": "WebMetric",
}
_NAMED: Final = ["namespace", "name"]
_RUNS: Final = {kinds.ANALYSIS_RUN: "analysis_run_info", kinds.EXPERIMENT: "experiment_info"}


class Inventory(Collector):
    """One series per object, with what people ask for: its phase, its kind of strategy, its pods."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        info = GaugeMetricFamily("rollout_info", "A Rollout", labels=[*_NAMED, "strategy", "traffic_router", "phase"])
        counts = {
            name: GaugeMetricFamily(f"rollout_info_replicas_{name}", f"Pods {name}", labels=_NAMED)
            for name in ("available", "unavailable", "desired", "updated")
        }
        for key, obj in self._store.shelf(kinds.ROLLOUT).objects.items():
            names = [key.namespace, key.name]
            info.add_metric([*names, _strategy(obj), _router(obj), _phase(obj)], 1)
            for name, value in _replicas(obj).items():
                counts[name].add_metric(names, value)
        yield from (info, *counts.values(), *map(self._phases, _RUNS), *self._templates())

    def _phases(self, kind: Kind) -> Metric:
        """One series per object of a kind, with its phase."""
        family = GaugeMetricFamily(_RUNS[kind], f"One {kind.kind}", labels=[*_NAMED, "phase"])
        for key, obj in self._all(kind):
            family.add_metric([key.namespace, key.name, _run_phase(obj)], 1)
        return family

    def _templates(self) -> Iterator[Metric]:
        info = GaugeMetricFamily("analysis_template_info", "An analysis template", labels=_NAMED)
        metrics = GaugeMetricFamily(
            "analysis_template_metric_info", "A metric of an analysis template", labels=[*_NAMED, "type", "metric"]
        )
        for kind in (kinds.ANALYSIS_TEMPLATE, kinds.CLUSTER_ANALYSIS_TEMPLATE):
            for key, obj in self._all(kind):
                info.add_metric([key.namespace, key.name], 1)
                for sort, name in sorted(set(_metrics(obj))):
                    metrics.add_metric([key.namespace, key.name, sort, name], 1)
        yield from (info, metrics)

    def _all(self, kind: Kind) -> list[tuple[Key, JSON]]:
        return list(self._store.shelf(kind).objects.items()) if self._store.keeps(kind) else []


def _strategy(obj: JSON) -> str:
    strategy = mapping(mapping(obj.get("spec")).get("strategy"))
    return "blueGreen" if "blueGreen" in strategy else "canary"


def _router(obj: JSON) -> str:
    """The first traffic router a canary names, in the peer's spelling; a plugin by its own name."""
    canary = mapping(mapping(mapping(obj.get("spec")).get("strategy")).get("canary"))
    routing = mapping(canary.get("trafficRouting"))
    known = (name for key, name in _ROUTERS.items() if routing.get(key) is not None)
    return next(known, "") or next((str(name) for name in mapping(routing.get("plugins"))), "")


def _metrics(template: JSON) -> Iterator[tuple[str, str]]:
    """Type and name of each metric; of a plugin its own name is the type."""
    for metric in map(mapping, listed(mapping(template.get("spec")).get("metrics"))):
        provider = mapping(metric.get("provider"))
        known = (sort for key, sort in _PROVIDERS.items() if provider.get(key) is not None)
        yield next(known, "") or next(map(str, mapping(provider.get("plugin"))), ""), str(metric.get("name") or "")


def _run_phase(obj: JSON) -> str:
    return str(mapping(obj.get("status")).get("phase") or "Pending")


def _phase(obj: JSON) -> str:
    conditions = {c.get("type"): c for c in sound.status(obj.get("status")).get("conditions") or ()}
    if "InvalidSpec" in conditions:
        return "InvalidSpec"
    return _PHASES.get(conditions.get("Progressing", {}).get("reason", ""), "Progressing")


def _replicas(obj: JSON) -> dict[str, int]:
    status, desired = sound.status(obj.get("status")), mapping(obj.get("spec")).get("replicas", 1)
    desired = desired if isinstance(desired, int) else 1
    available = status.get("availableReplicas", 0)
    return {
        "available": available,
        "unavailable": max(desired - available, 0),
        "desired": desired,
        "updated": status.get("updatedReplicas", 0),
    }
