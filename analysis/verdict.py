"""The verdict on one metric, from its counters and limits alone.

How a metric is judged, in this order (the later overrides the earlier):

    its last measurement is still running       Running
    failed > failureLimit                       Failed
    inconclusive > inconclusiveLimit            Inconclusive
    consecutiveError > consecutiveErrorLimit    Error
    consecutiveSuccess >= its limit (not 0)     Successful
    ending or count reached, and a comparison   Inconclusive
      waited for more data to the last
    count reached                               Successful; Failed if only a success limit was set and not
                                                reached; Inconclusive if a success and a failure limit were set
    the run is ending                           Successful
    none of these                               Running
"""

from __future__ import annotations

from analysis.record import last_measurement
from analysis.rules import Limits
from analysis.spec import ERROR, FAILED, INCONCLUSIVE, PENDING, RUNNING, SUCCESSFUL, MetricResult, Phase
from analysis.spec.compare import TOO_LITTLE, waits

WORSE: tuple[Phase, ...] = (SUCCESSFUL, RUNNING, PENDING, INCONCLUSIVE, ERROR, FAILED)
"""Phases from best to worst, as a run takes the worst of its metrics."""


def metric_phase(result: MetricResult, limits: Limits, *, ending: bool) -> tuple[Phase, str]:
    """The phase of a metric as the table of this module says, and the broken limit in words (empty: none broken)."""
    last = last_measurement(result)
    if last is not None and last.finished_at is None:
        return RUNNING, ""
    broken = broken_limit(result, limits)
    if broken is not None:
        return broken
    if limits.successes and (result.consecutive_success or 0) >= limits.successes:
        return SUCCESSFUL, ""
    over = is_counted_out(result, limits)
    if (over or ending) and last is not None and waits(last.phase, last.metadata):
        return INCONCLUSIVE, f"{TOO_LITTLE} at the end"
    if over:
        return _at_the_end(limits)
    return (SUCCESSFUL if ending else RUNNING), ""


def _at_the_end(limits: Limits) -> tuple[Phase, str]:
    if not limits.successes:
        return SUCCESSFUL, ""
    phase: Phase = FAILED if limits.failures is None else INCONCLUSIVE
    return phase, f"consecutiveSuccess never reaching consecutiveSuccessLimit ({limits.successes})"


def broken_limit(result: MetricResult, limits: Limits) -> tuple[Phase, str] | None:
    """The limit that is broken, as a phase and in words; None when all hold."""
    failed, inconclusive, errors = result.failed or 0, result.inconclusive or 0, result.consecutive_error or 0
    if errors > limits.errors:
        return ERROR, f"consecutiveErrors ({errors}) > consecutiveErrorLimit ({limits.errors})"
    if inconclusive > limits.inconclusive:
        return INCONCLUSIVE, f"inconclusive ({inconclusive}) > inconclusiveLimit ({limits.inconclusive})"
    if limits.failures is not None and failed > limits.failures:
        return FAILED, f"failed ({failed}) > failureLimit ({limits.failures})"
    return None


def because(message: str | None) -> str:
    return f': "Error Message: {message}"' if message else ""


def is_counted_out(result: MetricResult | None, limits: Limits) -> bool:
    return result is not None and limits.count is not None and (result.count or 0) >= limits.count
