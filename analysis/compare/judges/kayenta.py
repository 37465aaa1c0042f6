"""The judge of those who come from Spinnaker: a score over many metrics, each classified by ranks.

    a critical metric is High or Low, or below marginalScore     Failed
    below passScore                                              Inconclusive
    at least passScore                                           Successful
    half of the metrics have no data                             Inconclusive, waits for more

Each measurement judges whole series, which the provider's `rangeQuery` brings; nothing is kept between looks, and
looking again and again makes false alarms more likely, as with the original. The other judges don't have this fault.
"""

from __future__ import annotations

import math
from typing import Any

from analysis.compare.asking import series
from analysis.compare.judgement import MARGINAL, NO_WORSE, WORSE, Judgement, Looked, plain
from analysis.compare.numbers import number
from analysis.spec.compare import DEFAULT_MARGINAL, DEFAULT_PASS, TOO_LITTLE, Compare, EffectSize, ScoredMetric
from analysis.statistics.classify import Classified, Options, classify
from analysis.statistics.scores import Judged, Score, score

MOST_SHOWN = 10
"""Metrics named in the metadata; more are counted."""


class Kayenta:
    """Judges by score."""

    def queries(self, compare: Compare) -> dict[str, str]:
        """Two queries a metric."""
        return {
            f"metrics.{item.name}.{side}": getattr(item, side)
            for item in compare.metrics or ()
            for side in ("canary", "stable")
        }

    def judged(self, compare: Compare, looked: Looked) -> Judgement:
        """Judge one look."""
        metrics = compare.metrics or []
        classes = [_classified(item, looked) for item in metrics]
        found = score([_counted(*pair) for pair in zip(metrics, classes, strict=True)], compare.group_weights)
        return Judgement(
            verdict=_verdict(found, compare),
            value="" if found.value is None else plain(found.value),
            message=_message(found, compare),
            notes=_notes(found, metrics, classes),
        )


def _classified(item: ScoredMetric, looked: Looked) -> Classified:
    sides = {side: f"metrics.{item.name}.{side}" for side in ("canary", "stable")}
    canary, stable = (series(looked.answers[name], name) for name in sides.values())
    return classify(canary, stable, options_of(item, minimum=int(looked.settings.minimum)))


def options_of(item: ScoredMetric, *, minimum: int) -> Options:
    """How a metric is judged, defaults applied."""
    effect = item.effect_size or EffectSize()
    sizes: dict[str, Any] = {
        name: number(getattr(effect, name)) for name in EffectSize.model_fields if name != "measure"
    }
    return Options(
        direction=(item.direction or "Either").lower(),
        nan_strategy=(item.nan_strategy or "Remove").lower(),
        outlier_strategy=(item.outliers or "Keep").lower(),
        outlier_factor=number(item.outlier_factor) or 3.0,
        critical=bool(item.critical),
        must_have_data=bool(item.must_have_data),
        muted=bool(item.muted),
        measure=_MEASURES[effect.measure or "MeanRatio"],
        minimum=minimum,
        **sizes,
    )


_MEASURES = {"MeanRatio": "meanRatio", "Cles": "cles"}


def _counted(item: ScoredMetric, found: Classified) -> Judged:
    return Judged(
        name=item.name,
        label=found.label,
        groups=tuple(item.groups or ()),
        critical=found.critical,
        muted=bool(item.muted),
        reason=found.reason,
    )


def _verdict(found: Score, compare: Compare) -> str:
    if found.value is None:
        return TOO_LITTLE
    if found.value >= (DEFAULT_PASS if compare.pass_score is None else compare.pass_score):
        return NO_WORSE
    if found.critical:
        return WORSE
    marginal = DEFAULT_MARGINAL if compare.marginal_score is None else compare.marginal_score
    return MARGINAL if found.value >= marginal else WORSE


def _message(found: Score, compare: Compare) -> str | None:
    if _verdict(found, compare) == NO_WORSE:
        return None
    reason = f": {found.reason}" if found.reason else ""
    return f"no score{reason}" if found.value is None else f"score {plain(found.value)}{reason}"


def _notes(found: Score, metrics: list[ScoredMetric], classes: list[Classified]) -> dict[str, str]:
    texts = [_text(item, one) for item, one in zip(metrics, classes, strict=True)]
    more = f" and {len(texts) - MOST_SHOWN} more" if len(texts) > MOST_SHOWN else ""
    notes = {"metrics": ", ".join(texts[:MOST_SHOWN]) + more}
    if found.groups:
        notes["groups"] = ", ".join(f"{name} {plain(value)}" for name, value in found.groups.items())
    return notes


def _text(item: ScoredMetric, found: Classified) -> str:
    ratio = "" if math.isnan(found.ratio) else f" ({plain(found.ratio)} times)"
    return f"{item.name} {found.label}{ratio}"
