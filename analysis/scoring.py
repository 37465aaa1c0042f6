"""The verdict on a run by its score: groups, weights, critical metrics, marks. Pure; only for runs with `spec.score`.

A metric counts as passed, failed (Failed or Error: what was not understood has not passed) or not judged
(Inconclusive). Each group is worth 100 * passed / judged, the score is the weighted mean of the groups.

    a critical metric is Failed, Error, Inconclusive     so is the run, at once
    the score can't reach marginalScore any more         Failed, at once
    half of the metrics, or a whole group, not judged    Inconclusive
    score >= passScore, >= marginalScore, less           Successful, Inconclusive, Failed

Metrics in dry run don't count. The arithmetic is that of `statistics.scores`, whose judges these metrics need not use.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from analysis.record import result_of
from analysis.spec import COMPLETED, ERROR, FAILED, INCONCLUSIVE, SUCCESSFUL, MetricResult, Phase, RunSpec, RunStatus
from analysis.spec.score import RunScore
from analysis.statistics.classify import NODATA, PASS
from analysis.statistics.scores import Judged, Score, score

_BAD = (FAILED, ERROR, INCONCLUSIVE)
_LABELS: Mapping[str, str] = {SUCCESSFUL: PASS, INCONCLUSIVE: NODATA}
"""How a phase counts; every other one as failed, under its own name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a run stands: its phase, and the score and its reason in words."""

    phase: Phase
    message: str


def critical_result(spec: RunSpec, status: RunStatus, dry: frozenset[str]) -> MetricResult | None:
    """The result of a critical metric that has ended badly; the worst comes first."""
    critical = {metric.name for metric in spec.metrics if metric.critical} - dry
    found = [it for it in status.metric_results or () if it.name in critical and it.phase in _BAD]
    return min(found, key=lambda result: _BAD.index(result.phase or FAILED), default=None)


def is_lost(spec: RunSpec, status: RunStatus, dry: frozenset[str]) -> bool:
    """Whether the run can end badly only: a critical metric has, or all others together can't make up for it."""
    if spec.score is None:
        return False
    if critical_result(spec, status, dry) is not None:
        return True
    judged = list(_judged(spec, status, dry))
    hoped = [replace(item, label=PASS) if item.label == NODATA else item for item in judged]
    best = score(hoped, spec.score.group_weights)
    return best.value is not None and best.value < spec.score.effective_marginal


def standing(spec: RunSpec, status: RunStatus, dry: frozenset[str], asked: RunScore) -> Standing:
    """The verdict on a run whose metrics are all over; those never measured, where it was ended early, are left out."""
    judged = [item for item in _judged(spec, status, dry) if (it := result_of(status, item.name)) and it.phase]
    if not judged:
        return Standing(phase=SUCCESSFUL, message="")
    found = score(judged, asked.group_weights)
    marks = f"(pass {asked.effective_pass}, marginal {asked.effective_marginal})"
    if found.value is None:
        return Standing(phase=INCONCLUSIVE, message=f"no score: {_without_verdict(judged)}")
    because = f": {found.reason}" if found.reason else ""
    phase = _phase(found, judged, asked)
    empty = sorted({place for item in judged for place in item.places} - set(found.groups))
    if empty and found.value >= asked.effective_pass:
        because += f"; nothing is known of {', '.join(empty)}"
    return Standing(phase=phase, message=f"score {found.value:g} {marks}{because}")


def _judged(spec: RunSpec, status: RunStatus, dry: frozenset[str]) -> Iterator[Judged]:
    for metric in spec.metrics:
        if metric.name not in dry:
            result = result_of(status, metric.name)
            phase = result.phase if result is not None and result.phase in COMPLETED else INCONCLUSIVE
            label = _LABELS.get(str(phase), str(phase))
            yield Judged(name=metric.name, label=label, groups=tuple(metric.groups or ()))


def _phase(found: Score, judged: list[Judged], asked: RunScore) -> Phase:
    value = found.value or 0.0
    if value < asked.effective_marginal:
        return FAILED
    whole = {place for item in judged for place in item.places} <= set(found.groups)
    return SUCCESSFUL if value >= asked.effective_pass and whole else INCONCLUSIVE


def _without_verdict(judged: list[Judged]) -> str:
    names = [item.name for item in judged if item.label == NODATA]
    return f"{len(names)} of {len(judged)} metrics are Inconclusive ({', '.join(names)})"
