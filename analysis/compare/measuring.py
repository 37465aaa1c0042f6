"""Measures a comparison: asks both sides through the metric's provider, judges, and says what to keep."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from analysis.compare.asking import ask, window
from analysis.compare.judgement import Judgement, Looked
from analysis.compare.judges import judge_of
from analysis.compare.settings import settings_of
from analysis.compare.state import Kept
from analysis.providers.base import Context, Misconfigured, Provider
from analysis.spec import Metric
from analysis.spec.compare import STATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A judgement and what to keep of it in the metadata of the metric's result."""

    judgement: Judgement
    metadata: Mapping[str, str]


async def compare(
    metric: Metric, provider: Provider, *, context: Context, kept: str | None, rivals: int = 1
) -> Compared:
    """Ask both sides and judge. `kept` is the state of earlier looks, `rivals` the number of comparisons in the run.

    Raises ProviderError.
    """
    if metric.compare is None:
        raise Misconfigured(f'metric "{metric.name}" compares nothing')
    settings = settings_of(metric, rivals=rivals, weight=context.weight, by_pods=context.by_pods)
    judge = judge_of(metric.compare)
    earlier = Kept.read(kept)
    span = window(metric, earlier.at, context.now)
    answers = await ask(metric, judge.queries(metric.compare), provider, context=context, span=span)
    looked = Looked(answers=answers, state=earlier.state, number=earlier.looks + 1, settings=settings)
    judgement = judge.judged(metric.compare, looked)
    after = Kept(at=context.now.timestamp(), looks=earlier.looks + 1, state=judgement.state)
    return Compared(judgement=judgement, metadata={STATE: after.text()})
