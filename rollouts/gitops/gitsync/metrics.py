"""What Prometheus is told of GitSyncs.

What the status or the controller's memory knows is read when scraped, so that no series outlives its GitSync. Counts
begin anew with the process, as counters may. Names of revisions, objects and people are no labels: they would pile up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prometheus_client import Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from rollouts.gitops.gitsync import reading
from rollouts.gitops.gitsync.memory import OUTCOMES, Memory
from rollouts.gitops.objects import JSON

_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_NAMES: Final = ("namespace", "name")

Known = Callable[[], Iterable[tuple[JSON, Memory | None]]]
"""The GitSyncs there are, each with what is remembered of it, if anything is."""


def durations() -> Histogram:
    """Seconds of a pass, by what it was for."""
    return Histogram("gitsync_pass_duration_seconds", "Seconds of one pass", ["task"], buckets=_BUCKETS, registry=None)


class FromSyncs(Collector):
    """Series of each GitSync. `watched`: group, kind and whether the watch is up, of each kind that is to be watched;
    `webhooks`: requests by answer (HTTP status)."""

    def __init__(
        self,
        *,
        known: Known,
        watched: Callable[[], Iterable[tuple[str, str, bool]]],
        webhooks: Callable[[], Iterable[tuple[int, int]]],
    ) -> None:
        self._known = known
        self._watched = watched
        self._webhooks = webhooks

    def collect(self) -> Iterator[Metric]:
        """Everything, as it is now."""
        known = list(self._known())
        yield _info(obj for obj, _ in known)
        for name, help_text, value in _GAUGES:
            family = GaugeMetricFamily(name, help_text, labels=_NAMES)
            for obj, _ in known:
                family.add_metric(_names(obj), value(reading.status_of(obj)))
            yield family
        yield from _remembered([(_names(obj), memory) for obj, memory in known if memory is not None])
        watches = GaugeMetricFamily(
            "gitsync_watch_up", "Kinds whose drift is heard of at once (1), or polled (0)", labels=["group", "kind"]
        )
        for group, kind, up in self._watched():
            watches.add_metric([group, kind], float(up))
        webhooks = CounterMetricFamily("gitsync_webhook_requests", "Webhooks, by answer", labels=["code"])
        for code, count in self._webhooks():
            webhooks.add_metric([str(code)], count)
        yield from (watches, webhooks)


_GAUGES: tuple[tuple[str, str, Callable[[JSON], float]], ...] = (
    (
        "gitsync_objects",
        "Objects applied, as the inventory has them",
        lambda status: float((status.get("summary") or {}).get("objects") or 0),
    ),
    (
        "gitsync_out_of_sync_objects",
        "Objects that differ from Git, of the first 500",
        lambda status: float(sum(row.get("status") == "OutOfSync" for row in status.get("resources") or ())),
    ),
    (
        "gitsync_rejected_revisions",
        "Revisions given up by a Rollout, that are not applied again",
        lambda status: float(len(status.get("rejected") or ())),
    ),
    (
        "gitsync_contested_fields",
        "Fields that something else keeps writing",
        lambda status: float(len(status.get("contested") or ())),
    ),
)


def _info(syncs: Iterable[JSON]) -> Metric:
    labels = (*_NAMES, "sync_status", "health_status", "ready", "suspended", "held")
    info = GaugeMetricFamily("gitsync_info", "A GitSync", labels=labels)
    for obj in syncs:
        status = reading.status_of(obj)
        rows = {row.get("type"): row.get("status") for row in status.get("conditions") or ()}
        info.add_metric(
            [
                *_names(obj),
                str((status.get("sync") or {}).get("status") or "Unknown"),
                str((status.get("health") or {}).get("status") or "Unknown"),
                str(rows.get("Ready") or "Unknown"),
                _flag((obj.get("spec") or {}).get("suspend")),
                _flag(status.get("hold")),
            ],
            1,
        )
    return info


def _remembered(known: list[tuple[list[str], Memory]]) -> Iterator[Metric]:
    passes = CounterMetricFamily("gitsync_pass", "Passes, by outcome", labels=[*_NAMES, "outcome"])
    healed = CounterMetricFamily("gitsync_drift_healed", "Objects set back to what Git says", labels=_NAMES)
    success = GaugeMetricFamily(
        "gitsync_last_success_timestamp_seconds", "When the last pass ended that did not fail", labels=_NAMES
    )
    exceeded = CounterMetricFamily(
        "gitsync_budget_exceeded", "Passes that ended because something was too much", labels=[*_NAMES, "budget"]
    )
    for names, memory in known:
        for outcome in OUTCOMES:
            passes.add_metric([*names, outcome], memory.passes[outcome])
        for budget, count in memory.exceeded.items():
            exceeded.add_metric([*names, budget], count)
        healed.add_metric(names, memory.healed)
        if memory.succeeded_at is not None:
            success.add_metric(names, memory.succeeded_at.timestamp())
    yield from (passes, healed, success, exceeded)


def _names(obj: JSON) -> list[str]:
    return [str(obj["metadata"]["namespace"]), str(obj["metadata"]["name"])]


def _flag(value: object) -> str:
    return "true" if value else "false"
