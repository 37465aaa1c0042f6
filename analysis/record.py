"""Records measurements in the status of a run: counters, history, which metrics are in dry run. Pure.

Counters count all measurements ever taken, the history keeps the newest. A zero is left out, as everywhere in this API.
A comparison that waits for more data is counted, but not as inconclusive: it breaks no limit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from analysis.rules import RuleError, matches
from analysis.spec import FAILED, INCONCLUSIVE, RUNNING, SUCCESSFUL, Measurement, MetricResult, RunSpec, RunStatus
from analysis.spec.compare import waits
from analysis.spec.metric import DEFAULT_MEASUREMENT_RETENTION


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What came of one task: the measurement, and the provider's notes about the metric, if any."""

    metric: str
    measurement: Measurement
    metadata: dict[str, str] | None = None


def record(*, spec: RunSpec, status: RunStatus, measured: Iterable[Measured]) -> RunStatus:
    """The status with new measurements in it, counted. A measurement that continues a running one replaces it."""
    results = {result.name: result for result in status.metric_results or ()}
    dry = dry_metrics(spec)
    for item in measured:
        before = results.get(item.metric) or MetricResult(name=item.metric, phase=RUNNING)
        results[item.metric] = _recorded(
            before, item, dry=item.metric in dry, retention=retention_of(spec, item.metric)
        )
    return status.model_copy(update={"metric_results": list(results.values()) or None})


def _recorded(result: MetricResult, item: Measured, *, dry: bool, retention: int) -> MetricResult:
    earlier = list(result.measurements or ())
    if earlier and earlier[-1].finished_at is None:
        earlier.pop()
    kept = [*earlier, item.measurement][-max(1, retention) :]
    update: dict[str, Any] = {"measurements": kept, "dry_run": dry or None, **_counters(result, item.measurement)}
    if item.metadata:
        update["metadata"] = {**(result.metadata or {}), **item.metadata}
    return result.model_copy(update=update)


_COUNTED = {SUCCESSFUL: "successful", FAILED: "failed", INCONCLUSIVE: "inconclusive"}


def _counters(result: MetricResult, measurement: Measurement) -> dict[str, Any]:
    """Counters after a measurement. Zero is left out (None), as everywhere in this API."""
    if measurement.finished_at is None:
        return {}
    if measurement.phase not in _COUNTED:
        return {
            "error": (result.error or 0) + 1,
            "consecutive_error": (result.consecutive_error or 0) + 1,
            "consecutive_success": None,
        }
    if waits(measurement.phase, measurement.metadata):
        return {"count": (result.count or 0) + 1, "consecutive_error": None, "consecutive_success": None}
    name = _COUNTED[measurement.phase]
    return {
        "count": (result.count or 0) + 1,
        name: (getattr(result, name) or 0) + 1,
        "consecutive_error": None,
        "consecutive_success": (result.consecutive_success or 0) + 1 if measurement.phase == SUCCESSFUL else None,
    }


def result_of(status: RunStatus, name: str) -> MetricResult | None:
    """What has been found about a metric; None before its first measurement."""
    return next((result for result in status.metric_results or () if result.name == name), None)


def last_measurement(result: MetricResult | None) -> Measurement | None:
    """The newest measurement of a metric."""
    return result.measurements[-1] if result is not None and result.measurements else None


def dry_metrics(spec: RunSpec) -> frozenset[str]:
    """Names of the metrics in dry run: those an entry matches. Raises RuleError."""
    found = [_matching(spec, at, entry.metric_name, "dryRun") for at, entry in enumerate(spec.dry_run or ())]
    return frozenset().union(*found)


def check_retention(spec: RunSpec) -> None:
    """Whether each entry of measurementRetention is of some metric. Raises RuleError."""
    for at, entry in enumerate(spec.measurement_retention or ()):
        _matching(spec, at, entry.metric_name, "measurementRetention")


def retention_of(spec: RunSpec, name: str) -> int:
    """How many measurements of a metric are kept, by the last entry that matches it. Default 10. Raises RuleError."""
    found = [
        entry.limit
        for entry in spec.measurement_retention or ()
        if entry.limit > 0 and matches(entry.metric_name, name, "measurementRetention")
    ]
    return found[-1] if found else DEFAULT_MEASUREMENT_RETENTION


def _matching(spec: RunSpec, at: int, pattern: str, field: str) -> frozenset[str]:
    """The metrics an entry matches. Raises RuleError for one of no metric: it is misspelt."""
    found = frozenset(metric.name for metric in spec.metrics if matches(pattern, metric.name, field))
    if not found:
        names = ", ".join(metric.name for metric in spec.metrics)
        raise RuleError(f'{field}[{at}]: Rule didn\'t match any metric name(s): "{pattern}" is in none of {names}')
    return found
