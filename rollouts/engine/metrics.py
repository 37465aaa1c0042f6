"""Numbers for Prometheus, under the peer's names where it has them, with bounded labels.

What can be read off the store is read when scraped, so no series outlives its object.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import metadata
from typing import Any, Final

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector, disable_created_metrics
from prometheus_client import Counter as Count
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from rollouts.api.kinds import Kind
from rollouts.engine.inventory import Inventory
from rollouts.engine.queue import Queue
from rollouts.engine.store import Key, Store

JSON = Mapping[str, Any]

_NAMES: Final = {"Rollout": "rollout", "AnalysisRun": "analysis_run", "Experiment": "experiment", "GitSync": "git_sync"}
_BUCKETS: Final = (0.001, 0.005, 0.01, 0.05, 0.15, 0.25, 0.5, 1.0)


class Metrics:
    """Counters the engine feeds, and collectors over store, queues and requests."""

    def __init__(
        self, *, store: Store, requests: Counter[tuple[str, str, int]], events: Counter[tuple[str, str]]
    ) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        self.queues: dict[str, Queue[Key]] = {}
        self._seconds = {
            kind: Histogram(
                f"{name}_reconcile", f"Seconds to reconcile one {kind}", [], buckets=_BUCKETS, registry=None
            )
            for kind, name in _NAMES.items()
        }
        self._errors = {
            kind: Count(
                f"{name}_reconcile_error", f"Failed reconciles of {kind}s", ["namespace", "name"], registry=None
            )
            for kind, name in _NAMES.items()
        }
        self._queued = Histogram(
            "workqueue_queue_duration_seconds", "Seconds from ready to taken", ["name"], buckets=_BUCKETS, registry=None
        )
        for collector in (*self._seconds.values(), *self._errors.values(), self._queued, _about()):
            self.registry.register(collector)
        ProcessCollector(registry=self.registry)
        self.registry.register(Inventory(store))
        self.registry.register(_FromEngine(self.queues, requests, events))

    def include(self, collectors: Iterable[Collector]) -> None:
        """Tell of these, too."""
        for collector in collectors:
            self.registry.register(collector)

    def waited(self, kind: Kind) -> Callable[[float], None]:
        """To be called with the seconds a key was ready before a worker took it."""
        histogram: Callable[[float], None] = self._queued.labels(kind.plural).observe
        return histogram

    def reconciled(self, kind: Kind, seconds: float) -> None:
        """A reconcile took so long."""
        self._seconds[kind.kind].observe(seconds)

    def failed(self, kind: Kind, key: Key) -> None:
        """A reconcile failed."""
        self._errors[kind.kind].labels(key.namespace, key.name).inc()

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)


class _FromEngine(Collector):
    def __init__(
        self,
        queues: Mapping[str, Queue[Key]],
        requests: Counter[tuple[str, str, int]],
        events: Counter[tuple[str, str]],
    ) -> None:
        self._queues = queues
        self._requests = requests
        self._events = events

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily(
            "controller_clientset_k8s_request", "Requests to the API server", labels=["verb", "kind", "status_code"]
        )
        for (verb, resource, status), count in list(self._requests.items()):
            requests.add_metric([verb, resource, str(status)], count)
        events = CounterMetricFamily("rollout_events", "Events recorded", labels=["type", "reason"])
        for names, count in list(self._events.items()):
            events.add_metric(names, count)
        yield from (requests, events, *self._of_queues())

    def _of_queues(self) -> Iterator[Metric]:
        depth = GaugeMetricFamily("workqueue_depth", "Keys ready to be worked on", labels=["name"])
        adds = CounterMetricFamily("workqueue_adds", "Keys added", labels=["name"])
        retries = CounterMetricFamily("workqueue_retries", "Keys tried again after a failure", labels=["name"])
        for name, queue in self._queues.items():
            now = queue.statistics()
            depth.add_metric([name], now.ready)
            adds.add_metric([name], now.adds)
            retries.add_metric([name], now.retries)
        yield from (depth, adds, retries)


def _about() -> Collector:
    try:
        version = metadata.version("rollouts")
    except metadata.PackageNotFoundError:
        version = "unknown"
    info = GaugeMetricFamily("argo_rollouts_controller_info", "The running controller", labels=["version"])
    info.add_metric([version], 1)
    return _Constant(info)


class _Constant(Collector):
    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterator[Metric]:
        yield self._family
