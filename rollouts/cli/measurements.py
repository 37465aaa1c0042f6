"""A run that is measured here, as lines: its phase, a row for each metric, and why it is not well. Pure.

The marks of a row are its measurements, oldest first: ✔ Successful, ✖ Failed, ⚠ Error, ? Inconclusive, ◌ under way.
"""

from __future__ import annotations

from collections.abc import Iterator

from analysis.assess import result_of
from analysis.rules import known_values, limits_of
from analysis.spec import Measurement, Metric, MetricResult, RunSpec, RunStatus
from rollouts.cli.render import Cell, table
from rollouts.cli.text import BOLD, FAINT, Line, Span, state

MARKS = 40
"""Marks shown of a metric; with more of them, the newest."""
_TITLES = ("METRIC", "STATUS", "MEASURED", "VALUE", "MEASUREMENTS")
QUIET = frozenset(("Successful", "Running", "Pending"))


def run_view(name: str, spec: RunSpec, status: RunStatus) -> list[Line]:
    """The whole view."""
    shown = state(status.phase or "Pending")
    lines: list[Line] = [
        (Span("Analysis:  "), Span(name, BOLD)),
        (Span("Status:    "), Span(str(shown), shown.style)),
        *([(Span("Message:   "), Span(status.message))] if status.message else []),
        (),
        *table([[(Span(title, BOLD),) for title in _TITLES], *(_row(metric, spec, status) for metric in spec.metrics)]),
    ]
    return lines + [line for result in status.metric_results or () for line in _reasons(result)]


def _row(metric: Metric, spec: RunSpec, status: RunStatus) -> list[Cell]:
    result = result_of(status, metric.name) or MetricResult(name=metric.name)
    shown = state(result.phase or "Pending")
    taken = result.measurements or []
    value = next((item.value for item in reversed(taken) if item.value is not None), None)
    dry = (Span(" (dry run)", FAINT),) if result.dry_run else ()
    return [
        (Span(metric.name), *dry),
        (Span(str(shown), shown.style),),
        (Span(_measured(metric, spec, result)),),
        (Span(value or "-"),),
        tuple(mark(item) for item in taken[-MARKS:]),
    ]


def _measured(metric: Metric, spec: RunSpec, result: MetricResult) -> str:
    """`3/5`, or `3` where there is no end; errors do not count, and are told apart: `0/5 (+2 ⚠)`."""
    try:
        count = limits_of(metric, known_values(spec)).count
    except Exception:  # what is wrong is told by the run itself
        count = None
    taken = f"{result.count or 0}/{count}" if count else str(result.count or 0)
    return f"{taken} (+{result.error} {state('Error').glyph})" if result.error else taken


def mark(measurement: Measurement) -> Span:
    """A measurement as one sign."""
    shown = state(measurement.phase or "Pending")
    return Span(shown.glyph, shown.style)


def _reasons(result: MetricResult) -> Iterator[Line]:
    """The newest message of a metric that is not well."""
    said = [item for item in result.measurements or () if item.message and item.phase not in QUIET]
    if said:
        shown = state(said[-1].phase or "Error")
        for line in str(said[-1].message).splitlines():
            yield (Span(f"  {shown.glyph} {result.name}: ", shown.style), Span(line))


def news(before: RunStatus, after: RunStatus) -> Iterator[Line]:
    """A line for each measurement that was finished meanwhile."""
    for result in after.metric_results or ():
        earlier = result_of(before, result.name)
        known = len([item for item in (earlier.measurements if earlier else None) or () if item.finished_at])
        for item in (result.measurements or [])[known:]:
            if item.finished_at:
                yield _news(result.name, item)


def _news(name: str, item: Measurement) -> Line:
    shown = state(item.phase or "Error")
    at = item.finished_at.astimezone().strftime("%H:%M:%S") if item.finished_at else ""
    said = f"  {item.message}" if item.message else ""
    return (
        Span(f"{at}  ", FAINT),
        Span(f"{name}  "),
        Span(str(shown), shown.style),
        Span(f"  {item.value or '-'}{said}"),
    )
