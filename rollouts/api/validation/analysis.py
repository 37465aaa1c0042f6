"""Analysis: templates, runs, and their use in a strategy.

Numbers may be filled in from arguments (`count: "{{args.count}}"`); one that is can't be judged before it is filled in.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from analysis.compare.faults import faults as comparison_faults
from analysis.rules import groups_of, score_faults
from analysis.spec.arguments import Argument
from analysis.spec.metric import Metric
from analysis.spec.providers import Provider
from analysis.spec.score import RunScore
from rollouts.api.analysis import AnalysisRun, AnalysisTemplate
from rollouts.api.errors import FieldError, Path
from rollouts.api.steps import RolloutAnalysis, RolloutArgument
from rollouts.api.validation import common, words

SPEC = Path.of("spec")
_NUMBER = re.compile(r"[+-]?[0-9]{1,10}")
_LEAST = {
    "count": 0,
    "failure_limit": -1,
    "inconclusive_limit": 0,
    "consecutive_error_limit": 0,
    "consecutive_success_limit": 0,
}
_FIELD_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*|\[('[^']*'|\"[^\"]*\"|[0-9]+)\])*")


def template_errors(template: AnalysisTemplate) -> Iterator[FieldError]:
    """All errors of an AnalysisTemplate or ClusterAnalysisTemplate."""
    spec = template.spec
    if not spec.metrics and not spec.templates:
        yield (SPEC / "metrics").error("at least one metric is required (or templates to take metrics from)")
    yield from _metrics_errors(spec.metrics or [])
    if not spec.templates:  # others may bring groups
        yield from _score_errors(spec.score, spec.metrics or [])
    yield from _argument_list_errors(spec.args or [], SPEC / "args", values=False)
    for index, reference in enumerate(spec.templates or ()):
        if not reference.template_name:
            yield (SPEC / "templates" / index / "templateName").error("is required")


def run_errors(run: AnalysisRun) -> Iterator[FieldError]:
    """All errors of an AnalysisRun."""
    if not run.spec.metrics:
        yield (SPEC / "metrics").error("at least one metric is required")
    yield from _metrics_errors(run.spec.metrics)
    yield from _score_errors(run.spec.score, run.spec.metrics)
    yield from _argument_list_errors(run.spec.args or [], SPEC / "args", values=True)


def _score_errors(score: RunScore | None, metrics: Sequence[Metric]) -> Iterator[FieldError]:
    for field, text in score_faults(score, groups_of(metrics)):
        place = SPEC / "score"
        for part in field.split("."):
            place = place / part
        yield place.error(text)


def _metrics_errors(metrics: Sequence[Metric]) -> Iterator[FieldError]:
    path = SPEC / "metrics"
    yield from common.no_duplicates([metric.name for metric in metrics], path, "name")
    for index, metric in enumerate(metrics):
        yield from metric_errors(metric, path / index)


def metric_errors(metric: Metric, path: Path) -> Iterator[FieldError]:
    """All errors of one metric."""
    if not metric.name:
        yield (path / "name").error("is required")
    yield from common.duration(metric.interval, path / "interval")
    yield from common.duration(metric.initial_delay, path / "initialDelay")
    for name, least in _LEAST.items():
        yield from _limit_errors(getattr(metric, name), least, path / str(Metric.model_fields[name].alias))
    yield from _count_errors(metric, path)
    yield from provider_errors(metric.provider, path / "provider")
    yield from _comparison_errors(metric, path / "compare")


def _limit_errors(value: int | str | None, least: int, path: Path) -> Iterator[FieldError]:
    if value in (None, "") or (isinstance(value, str) and common.TEMPLATED.search(value)):
        return
    number = as_number(value)
    if number is None:
        yield path.error(f'must be a whole number, not "{str(value)[:60]}"')
    else:
        yield from common.at_least(least, number, path)


def as_number(value: int | str | None) -> int | None:
    """The number in an int-or-string; None when there is none, or it is still to be filled in."""
    if isinstance(value, int):
        return value
    return int(value) if value is not None and _NUMBER.fullmatch(value) else None


def _count_errors(metric: Metric, path: Path) -> Iterator[FieldError]:
    """The count must leave room for what the limits wait for."""
    count = as_number(metric.count)
    if count is None or count <= 0:
        return
    if count > 1 and not metric.interval:
        yield (path / "interval").error(f"is required to measure {count} times (count)")
    for name in ("failure_limit", "inconclusive_limit"):
        limit = as_number(getattr(metric, name)) or 0
        if limit > count:
            place = path / str(Metric.model_fields[name].alias)
            yield place.error(f"must not be more than count ({count}), not {limit}: it could never be passed")
    in_a_row, failures = as_number(metric.consecutive_success_limit) or 0, as_number(metric.failure_limit) or 0
    if in_a_row > 0 and in_a_row + max(failures, 0) > count:
        yield (path / "consecutiveSuccessLimit").error(
            f"with failureLimit must not be more than count ({count}): it could never be reached"
        )


def _comparison_errors(metric: Metric, path: Path) -> Iterator[FieldError]:
    for field, text in comparison_faults(metric):
        place = path
        for part in field.split(".") if field else ():
            place = place / (int(part) if part.isdigit() else part)
        yield place.error(text)


def provider_errors(provider: Provider, path: Path) -> Iterator[FieldError]:
    """Exactly one provider."""
    yield from common.exactly_one(provider, path)
    if provider.web and provider.web.body and provider.web.json_body:
        yield (path / "web").error("set only one of body, jsonBody")


def _argument_list_errors(args: Sequence[Argument], path: Path, *, values: bool) -> Iterator[FieldError]:
    yield from common.no_duplicates([arg.name for arg in args], path, "name")
    for index, arg in enumerate(args):
        place = path / index
        if arg.value is not None and arg.value_from is not None:
            yield place.error("set only one of value, valueFrom")
        if values and arg.value is None and arg.value_from is None:
            yield place.error(f'argument "{arg.name}" needs a value')
        if arg.value_from is not None:
            yield from common.exactly_one(arg.value_from, place / "valueFrom")


def rollout_errors(use: RolloutAnalysis | None, path: Path) -> Iterator[FieldError]:
    """All errors where a strategy or a step uses templates."""
    if use is None:
        return
    if not use.templates:
        yield (path / "templates").error("at least one template is required")
    pairs = [(reference.template_name, bool(reference.cluster_scope)) for reference in use.templates or ()]
    for index, pair in enumerate(pairs):
        if not pair[0]:
            yield (path / "templates" / index / "templateName").error("is required")
        elif pair in pairs[:index]:
            yield (path / "templates" / index / "templateName").error(f'"{pair[0]}" is there already')
    yield from argument_errors(use.args or (), path / "args")


def argument_errors(args: Sequence[RolloutArgument], path: Path) -> Iterator[FieldError]:
    """All errors of arguments handed to a run."""
    yield from common.no_duplicates([arg.name for arg in args], path, "name")
    for index, arg in enumerate(args):
        if arg.value is not None and arg.value_from is not None:
            yield (path / index).error("set only one of value, valueFrom")
        if arg.value_from is not None:
            yield from _value_from_errors(arg.value_from, path / index / "valueFrom")


def _value_from_errors(value: Any, path: Path) -> Iterator[FieldError]:
    yield from common.exactly_one(value, path)
    if value.field_ref is not None and not _FIELD_PATH.fullmatch(value.field_ref.field_path):
        given = f'"{value.field_ref.field_path[:80]}"'
        yield (path / "fieldRef" / "fieldPath").error(
            f"{words.FIELD_PATH}: {given} is no path of a field, such as metadata.labels['app']"
        )
