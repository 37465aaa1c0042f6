"""One score out of many metrics: groups, weights, critical metrics, and where a score is good enough.

    a critical metric failed                     0, and that metric is the reason
    half of the metrics or more have no data     no score: there is too little to judge
    else                                         each group 100 * passed / judged, then the weighted mean of groups

Groups with a weight take theirs, in percent; the others share what is left equally. A metric in several groups counts
in each, one in none counts in a group of its own. Muted metrics are shown and not counted. A metric that cannot be
judged (Error) counts as failed: what was not understood has not passed.

    latency 60: 1 of 2 passed; errors 40: 1 of 1       50 * 0.6 + 100 * 0.4 = 70
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from analysis.statistics.classify import NODATA, PASS

MOST_WITHOUT_DATA = 0.5
_WHOLE = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A metric with its class, and the groups it counts in."""

    name: str
    label: str
    groups: tuple[str, ...] = ()
    critical: bool = False
    muted: bool = False
    reason: str = ""

    @property
    def places(self) -> tuple[str, ...]:
        """The groups it counts in; by itself without any."""
        return self.groups or (self.name,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """From 0 to 100, or None when there is too little data. `groups` holds the score of each group with data.

    `critical`: a critical metric has failed, which no mark makes good.
    """

    value: float | None
    critical: bool = False
    reason: str = ""
    groups: Mapping[str, float]


def score(results: Sequence[Judged], weights: Mapping[str, float] | None = None) -> Score:
    """The score of metrics. `weights`: percent by group, together at most 100."""
    counted = [result for result in results if not result.muted]
    failed = next((result for result in counted if result.critical and result.label != PASS), None)
    groups = _group_scores(counted)
    if failed is not None:
        why = f": {failed.reason}" if failed.reason else ""
        return Score(
            value=0.0, critical=True, reason=f"critical metric {failed.name} is {failed.label}{why}", groups=groups
        )
    without = sum(result.label == NODATA for result in counted)
    if not counted or without / len(counted) >= MOST_WITHOUT_DATA:
        return Score(value=None, reason=f"{without} of {len(counted)} metrics have no data", groups=groups)
    names = sorted({place for result in counted for place in result.places})
    shares = group_weights(names, weights or {})
    total = sum(groups.get(name, _WHOLE) * shares[name] / _WHOLE for name in names)
    return Score(value=round(total, 2), reason=_failures(counted), groups=groups)


def _group_scores(results: Sequence[Judged]) -> dict[str, float]:
    scores: dict[str, float] = {}
    for name in sorted({place for result in results for place in result.places}):
        judged = [result.label for result in results if name in result.places and result.label != NODATA]
        if judged:
            scores[name] = _WHOLE * judged.count(PASS) / len(judged)
    return scores


def group_weights(names: Sequence[str], weights: Mapping[str, float]) -> dict[str, float]:
    """Percent by group: those given, and for the others equal parts of what is left."""
    others = [name for name in names if name not in weights]
    left = _WHOLE - sum(weights.get(name, 0.0) for name in names)
    return {name: weights[name] if name in weights else max(0.0, left) / len(others) for name in names}


def _failures(results: Sequence[Judged]) -> str:
    failed = [f"{result.name} is {result.label}" for result in results if result.label not in (PASS, NODATA)]
    return ", ".join(failed)
