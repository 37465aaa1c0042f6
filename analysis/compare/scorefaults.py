"""What can be wrong with the score of a `compare` block: its metrics, their effects, the groups' weights, the marks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from analysis.compare.numbers import number
from analysis.spec.compare import DEFAULT_MARGINAL, DEFAULT_PASS, Compare, EffectSize, ScoredMetric
from analysis.spec.metric import Metric

Fault = tuple[str, str]
_WHOLE = 100


def score_faults(metric: Metric, compare: Compare) -> Iterator[Fault]:
    """Everything wrong with a score: a field's path below `compare` and why."""
    if not compare.metrics:
        yield "metrics", "is required by judge Kayenta: name what is to be scored"
    if metric.provider.prometheus is not None and metric.provider.prometheus.range_query is None:
        yield "", "by judge Kayenta is of whole series: set provider.prometheus.rangeQuery"
    yield from (
        (side, "is not used by judge Kayenta: see metrics") for side in ("canary", "stable") if getattr(compare, side)
    )
    names = Counter(item.name for item in compare.metrics or ())
    yield from (("metrics", f'duplicate name "{name}"') for name, times in names.items() if times > 1)
    for index, item in enumerate(compare.metrics or ()):
        yield from _metric_faults(item, f"metrics.{index}")
    groups = {group for item in compare.metrics or () for group in item.groups or (item.name,)}
    yield from weight_faults(compare.group_weights or {}, groups)
    yield from mark_faults(
        DEFAULT_PASS if compare.pass_score is None else compare.pass_score,
        DEFAULT_MARGINAL if compare.marginal_score is None else compare.marginal_score,
    )


def _metric_faults(item: ScoredMetric, path: str) -> Iterator[Fault]:
    effect = item.effect_size or EffectSize()
    given = {"outlierFactor": item.outlier_factor} | {
        f"effectSize.{info.alias}": getattr(effect, name)
        for name, info in EffectSize.model_fields.items()
        if name != "measure"
    }
    for field, value in given.items():
        try:
            found = number(value)
        except ValueError:
            yield f"{path}.{field}", f'must be a number, not "{str(value)[:60]}"'
            continue
        if found is not None and found < 0:
            yield f"{path}.{field}", f"must be 0 or more, not {found:g}"


def weight_faults(weights: Mapping[str, int], groups: set[str]) -> Iterator[Fault]:
    """What is wrong with the weights of these groups, in percent."""
    yield from ((f"groupWeights.{name}", "is the group of no metric") for name in weights if name not in groups)
    yield from ((f"groupWeights.{name}", "must be 0 or more") for name, share in weights.items() if share < 0)
    total = sum(weights.values())
    if total > _WHOLE or (groups and groups == set(weights) and total != _WHOLE):
        yield "groupWeights", f"must add up to 100, not {total}"


def mark_faults(passing: int, marginal: int) -> Iterator[Fault]:
    """What is wrong with passScore and marginalScore."""
    if not 0 <= marginal <= passing <= _WHOLE:
        yield "marginalScore", f"must be between 0 and passScore ({passing}), which is at most 100, not {marginal}"
