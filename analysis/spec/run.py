"""A run: what is measured (spec) and what has been found (status).

The status is what survives a restart of the controller: every decision can be made again from it. Counters count
all measurements ever taken; `measurements` keeps only the newest (10 by default).
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BeforeValidator

from analysis.spec.arguments import Argument, DryRun, MeasurementRetention
from analysis.spec.base import Bool, Int32, ListMap, Model, StatusModel, StringMap, Time
from analysis.spec.metric import Metric
from analysis.spec.score import RunScore

Phase = Literal["Pending", "Running", "Successful", "Failed", "Error", "Inconclusive"]

PENDING: Final = "Pending"
RUNNING: Final = "Running"
SUCCESSFUL: Final = "Successful"
FAILED: Final = "Failed"
ERROR: Final = "Error"
INCONCLUSIVE: Final = "Inconclusive"

PHASES: Final[tuple[Phase, ...]] = (PENDING, RUNNING, SUCCESSFUL, FAILED, ERROR, INCONCLUSIVE)
StatusPhase = Annotated[Phase | None, BeforeValidator(lambda phase: phase or None)]
"""A phase in a status; other controllers write an empty one for a thing not begun yet."""

COMPLETED: Final[frozenset[str]] = frozenset((SUCCESSFUL, FAILED, ERROR, INCONCLUSIVE))
"""Phases that are final."""


class TTLStrategy(Model):
    """When a finished run is deleted. A more special field wins over `secondsAfterCompletion`."""

    seconds_after_completion: Int32 | None = None
    """Seconds after the end, however it ended. Default: kept."""
    seconds_after_failure: Int32 | None = None
    """Seconds after an end as Failed. Default: secondsAfterCompletion."""
    seconds_after_success: Int32 | None = None
    """Seconds after an end as Successful. Default: secondsAfterCompletion."""


class RunSpec(Model):
    """What a run measures: metrics with all arguments, templates already resolved."""

    metrics: Annotated[list[Metric], ListMap(key="name")]
    """Metrics to measure."""
    args: Annotated[list[Argument], ListMap(key="name")] | None = None
    """Arguments the metrics refer to, with values."""
    dry_run: Annotated[list[DryRun], ListMap(key="metricName")] | None = None
    """Metrics which are measured but never decide the run."""
    measurement_retention: Annotated[list[MeasurementRetention], ListMap(key="metricName")] | None = None
    """How many measurements to keep per metric. Default 10."""
    score: RunScore | None = None
    """Judges by a score over the metrics. Default: by the worst of them."""
    terminate: Bool | None = None
    """True ends the run early; what has been measured decides its phase."""
    ttl_strategy: TTLStrategy | None = None
    """When the finished run is deleted. Default: by the history limits of its Rollout."""


class Measurement(StatusModel):
    """One answer of a provider."""

    phase: StatusPhase = None
    """Running while the answer is awaited, then how it was judged."""
    message: str | None = None
    """Why, when it is not a success."""
    started_at: Time | None = None
    """When it was begun."""
    finished_at: Time | None = None
    """When it was finished; unset while it runs."""
    resume_at: Time | None = None
    """When to ask the provider again about a running measurement."""
    value: str | None = None
    """The value measured, as text."""
    metadata: StringMap | None = None
    """Notes of the provider, such as the name of a Job."""


class MetricResult(StatusModel):
    """What has been found about one metric."""

    name: str
    """Name of the metric."""
    phase: StatusPhase = None
    """Phase of the metric."""
    message: str | None = None
    """Why, when it is not a success."""
    dry_run: Bool | None = None
    """True: does not decide the run."""
    count: Int32 | None = None
    """Measurements that gave an answer: successful, failed and inconclusive ones."""
    successful: Int32 | None = None
    """Successful measurements."""
    failed: Int32 | None = None
    """Failed measurements."""
    inconclusive: Int32 | None = None
    """Inconclusive measurements."""
    error: Int32 | None = None
    """Measurements that ended in an error."""
    consecutive_error: Int32 | None = None
    """Errors in a row up to now."""
    consecutive_success: Int32 | None = None
    """Successes in a row up to now."""
    metadata: StringMap | None = None
    """Notes of the provider about the metric, such as the query with arguments filled in."""
    measurements: list[Measurement] | None = None
    """The newest measurements, oldest first."""


class Summary(StatusModel):
    """Metrics of a run counted by outcome."""

    count: Int32 | None = None
    """Metrics counted."""
    successful: Int32 | None = None
    """Metrics that ended Successful."""
    failed: Int32 | None = None
    """Metrics that ended Failed."""
    inconclusive: Int32 | None = None
    """Metrics that ended Inconclusive."""
    error: Int32 | None = None
    """Metrics that ended in Error."""


class RunStatus(StatusModel):
    """What has been found by a run."""

    phase: StatusPhase = None
    """Pending, Running, or how the run ended: Successful, Failed, Error, Inconclusive."""
    message: str | None = None
    """Why it ended so."""
    started_at: Time | None = None
    """When the run began."""
    completed_at: Time | None = None
    """When the run ended; unset before."""
    run_summary: Summary | None = None
    """Metrics that decide the run, by outcome."""
    dry_run_summary: Summary | None = None
    """Metrics in dry run, by outcome."""
    metric_results: list[MetricResult] | None = None
    """What has been found, one entry per metric."""
