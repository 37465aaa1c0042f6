"""Decides for one run: what is to be measured now, what has been decided, when to look again. Pure.

A driver turns in three calls, and can be killed after any of them:

    look = assess(spec=spec, status=status, now=now)              # pure
    measured = await measure(look.due, spec=spec, ...)            # asks the providers
    status = record(spec=spec, status=look.status, measured=measured)
    look = assess(spec=spec, status=status, now=now)              # counts it; write look.status, sleep till next_look

What a metric comes to is in `verdict`, what a measurement changes in `record`.

A run is as bad as the worst of its metrics, dry runs aside, and ends at once when one of them ends badly: what is in
flight is then terminated. One with a `score` is judged as `scoring` says. Errors are tried again after 10 s, whatever
the interval, and do not count as measurements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from analysis.record import Measured, check_retention, dry_metrics, last_measurement, record, result_of
from analysis.rules import Limits, RuleError, check_run, check_texts
from analysis.scoring import critical_result, is_lost, standing
from analysis.spec import (
    COMPLETED,
    ERROR,
    FAILED,
    INCONCLUSIVE,
    RUNNING,
    SUCCESSFUL,
    Measurement,
    Metric,
    MetricResult,
    Phase,
    RunSpec,
    RunStatus,
    Summary,
)
from analysis.spec.score import RunScore
from analysis.verdict import WORSE, because, is_counted_out, metric_phase

ERROR_RETRY = timedelta(seconds=10)
"""After a measurement in error, the next is taken this much later."""

RUN_TERMINATED = "Run Terminated"
METRIC_TERMINATED = "Metric Terminated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One thing to do now: begin a measurement, or resume or terminate the one given in `measurement`."""

    metric: Metric
    measurement: Measurement | None = None
    terminate: bool = False

    @property
    def name(self) -> str:
        """The metric's name."""
        return self.metric.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The status to write, the tasks due now, and when to look again (None: the run is over, or tasks are due)."""

    status: RunStatus
    due: tuple[Task, ...] = ()
    next_look: datetime | None = None


def assess(*, spec: RunSpec, status: RunStatus, now: datetime) -> Assessment:
    """Decide for a run as it is. `now` is an aware time. Nothing is raised: a faulty spec makes the run an Error."""
    if status.phase in COMPLETED:
        return Assessment(status=status)
    try:
        limits, dry = check(spec, texts=status.started_at is None)
    except RuleError as error:
        return Assessment(status=_invalid(status, f"Analysis spec invalid: {error}", now))
    if status.started_at is None:
        status = status.model_copy(update={"started_at": now, "phase": RUNNING})
    return _look(spec=spec, status=_judged(spec, status, limits, dry, now), limits=limits, dry=dry, now=now)


def check(spec: RunSpec, *, texts: bool = True) -> tuple[dict[str, Limits], frozenset[str]]:
    """The limits of every metric and which are dry, if nothing of the spec makes the run an Error. Raises RuleError.

    `texts`: with conditions and placeholders, which are only looked at before the first measurement.
    """
    limits = check_run(spec)
    dry = dry_metrics(spec)
    check_retention(spec)
    if texts:
        check_texts(spec)
    return limits, dry


def _invalid(status: RunStatus, message: str, now: datetime) -> RunStatus:
    started = status.started_at or now
    return status.model_copy(update={"phase": ERROR, "message": message, "started_at": started, "completed_at": now})


def _look(
    *, spec: RunSpec, status: RunStatus, limits: dict[str, Limits], dry: frozenset[str], now: datetime
) -> Assessment:
    if status.phase in COMPLETED:
        return Assessment(status=status)
    ending = _is_ending(spec, status, dry)
    times = [(metric, _when(metric, status, limits[metric.name], ending=ending, now=now)) for metric in spec.metrics]
    due = tuple(_task(metric, status, ending=ending) for metric, at in times if at is not None and at <= now)
    later = [at for _, at in times if at is not None and at > now]
    return Assessment(status=status, due=due, next_look=None if due else min(later, default=None))


def _task(metric: Metric, status: RunStatus, *, ending: bool) -> Task:
    last = last_measurement(result_of(status, metric.name))
    running = last if last is not None and last.finished_at is None else None
    return Task(metric=metric, measurement=running, terminate=ending)


# -- when is a metric measured -----------------------------------------------------------------------------------------


def _when(metric: Metric, status: RunStatus, limits: Limits, *, ending: bool, now: datetime) -> datetime | None:
    """When the metric needs attention next; None: never again."""
    result = result_of(status, metric.name)
    last = last_measurement(result)
    if result is not None and result.phase in COMPLETED:
        return None
    if last is not None and last.finished_at is None:
        return now if ending else last.resume_at or now
    if ending or is_counted_out(result, limits):
        return None
    if last is None or last.finished_at is None:
        return (status.started_at or now) + _after(limits.delay)
    if last.phase == ERROR:
        return last.finished_at + ERROR_RETRY
    return last.finished_at + _after(limits.interval or 0)


def _after(seconds: float) -> timedelta:
    return timedelta(seconds=min(seconds, 10 * 365 * 86400.0))


# -- what is the verdict -----------------------------------------------------------------------------------------------


def _is_ending(spec: RunSpec, status: RunStatus, dry: frozenset[str]) -> bool:
    """Asked to end, or a metric that decides the run has ended badly; with a score, if nothing can save it."""
    if spec.score is not None:
        return bool(spec.terminate) or is_lost(spec, status, dry)
    return bool(spec.terminate) or any(
        result.phase in (FAILED, ERROR, INCONCLUSIVE)
        for result in status.metric_results or ()
        if result.name not in dry
    )


def _judged(
    spec: RunSpec, status: RunStatus, limits: dict[str, Limits], dry: frozenset[str], now: datetime
) -> RunStatus:
    status = _with_verdicts(spec, status, limits, dry, ending=False)
    if _is_ending(spec, status, dry):
        status = _with_verdicts(spec, status, limits, dry, ending=True)
    phase, message = _verdict(spec, status, limits, dry)
    update: dict[str, Any] = {
        "phase": phase,
        "message": message,
        "run_summary": _summary(spec, status, [m.name for m in spec.metrics if m.name not in dry]),
        "dry_run_summary": _summary(spec, status, [m.name for m in spec.metrics if m.name in dry]),
    }
    if phase in COMPLETED:
        update["completed_at"] = now
    return status.model_copy(update=update)


def _with_verdicts(
    spec: RunSpec, status: RunStatus, limits: dict[str, Limits], dry: frozenset[str], *, ending: bool
) -> RunStatus:
    results = [
        _concluded(result, limits[result.name], dry=result.name in dry, ending=ending)
        if result.name in limits
        else result
        for result in status.metric_results or ()
    ]
    return status.model_copy(update={"metric_results": results or None})


def _concluded(result: MetricResult, limits: Limits, *, dry: bool, ending: bool) -> MetricResult:
    if result.phase in COMPLETED:
        return result
    phase, why = metric_phase(result, limits, ending=ending)
    if phase == result.phase:
        return result
    message = (last_measurement(result) or Measurement()).message
    if dry and why:
        message = f"Metric assessed {phase} due to {why}{because(message)}"
    return result.model_copy(update={"phase": phase, "message": message or None})


def _verdict(
    spec: RunSpec, status: RunStatus, limits: dict[str, Limits], dry: frozenset[str]
) -> tuple[Phase, str | None]:
    """Phase and message of the run, once each metric has its phase."""
    ending = _is_ending(spec, status, dry)
    results = {metric.name: result_of(status, metric.name) for metric in spec.metrics}
    if any(not _is_over(result, ending=ending) for result in results.values()):
        return RUNNING, None
    if spec.score is not None:
        return _scored(spec, status, limits, dry, spec.score)
    deciding = [result for name, result in results.items() if result is not None and name not in dry]
    worst = max(deciding, key=lambda result: WORSE.index(result.phase or SUCCESSFUL), default=None)
    phase: Phase = (worst.phase if worst is not None else None) or SUCCESSFUL
    if worst is None or phase == SUCCESSFUL:
        return phase, RUN_TERMINATED if spec.terminate else None
    return phase, _message(worst, limits[worst.name])


def _scored(
    spec: RunSpec, status: RunStatus, limits: dict[str, Limits], dry: frozenset[str], asked: RunScore
) -> tuple[Phase, str | None]:
    """The same for a run with a score."""
    critical = critical_result(spec, status, dry)
    if critical is not None:
        return critical.phase or FAILED, _message(critical, limits[critical.name])
    found = standing(spec, status, dry, asked)
    return found.phase, found.message or (RUN_TERMINATED if spec.terminate else None)


def _is_over(result: MetricResult | None, *, ending: bool) -> bool:
    return ending if result is None else result.phase in COMPLETED


def _message(worst: MetricResult, limits: Limits) -> str:
    _, why = metric_phase(worst, limits, ending=True)
    return f'Metric "{worst.name}" assessed {worst.phase} due to {why}{because(worst.message)}'


def _summary(spec: RunSpec, status: RunStatus, names: Sequence[str]) -> Summary:
    phases = [result.phase for name in names if (result := result_of(status, name)) is not None]
    return Summary(
        count=len(names) or None,
        successful=phases.count(SUCCESSFUL) or None,
        failed=phases.count(FAILED) or None,
        inconclusive=phases.count(INCONCLUSIVE) or None,
        error=phases.count(ERROR) or None,
    )


__all__ = [
    "METRIC_TERMINATED",
    "RUN_TERMINATED",
    "WORSE",
    "Assessment",
    "Measured",
    "Task",
    "assess",
    "record",
    "result_of",
]
