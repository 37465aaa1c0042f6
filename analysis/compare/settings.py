"""A `compare` block as numbers: percentages read, defaults applied, the promise divided.

falseAlarms 5, two comparisons in the run      alpha 0.025 each (Bonferroni: no comparison knows of the other)
allowedIncrease 10                             ratios up to 1.1 are fine
"""

from __future__ import annotations

from dataclasses import dataclass

from analysis.compare.faults import NUMBERS, faults
from analysis.compare.numbers import number
from analysis.providers.base import Misconfigured
from analysis.spec import Metric, parse_duration
from analysis.spec.compare import CURRENT, DEFAULT_ALLOWED_INCREASE, DEFAULT_FALSE_ALARMS

MINIMUM = {"Sequential": 100.0, "Latency": 100.0, "MannWhitney": 10.0, "Kayenta": 10.0}
"""Data on each side, by judge, before anything is judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The numbers of a comparison. Ratios and shares as fractions of 1; `interval` in seconds, None: a single look.

    `guarded`: the share of the canary is checked. `weight`: what it should be now, None where nobody knows; `follows`:
    it may be another one at the next look. `by_pods`: nobody routes, it is the canary's share of the ready pods.
    """

    allowed: float
    alpha: float
    minimum: float
    proven: float | None = None
    guarded: bool = False
    follows: bool = False
    weight: float | None = None
    by_pods: bool = False
    count: int | None = None
    interval: float | None = None


def settings_of(metric: Metric, *, rivals: int = 1, weight: float | None = None, by_pods: bool = False) -> Settings:
    """The numbers of a metric whose arguments are filled in; `weight` is the share in force, if somebody knows.

    Raises Misconfigured with all faults.
    """
    compare = metric.compare
    wrong = list(faults(metric))
    if compare is None or wrong:
        raise Misconfigured("; ".join(f"compare{'.' * bool(field)}{field} {text}" for field, text in wrong))
    follows = compare.weight == CURRENT
    given = {name: None if name == "weight" and follows else number(getattr(compare, name)) for name in NUMBERS}
    allowed, alarms = given["allowed_increase"], given["false_alarms"]
    return Settings(
        allowed=1 + (DEFAULT_ALLOWED_INCREASE if allowed is None else allowed) / 100,
        alpha=(DEFAULT_FALSE_ALARMS if alarms is None else alarms) / 100 / max(1, rivals),
        minimum=given["minimum"] or MINIMUM[compare.effective_judge],
        proven=_share(given["proven_increase"], plus=1.0),
        guarded=compare.weight is not None,
        follows=follows,
        weight=weight if follows else _share(given["weight"]),
        by_pods=by_pods and follows,
        count=None if metric.effective_count is None else int(metric.effective_count),
        interval=parse_duration(metric.interval) if metric.interval else None,
    )


def _share(percent: float | None, *, plus: float = 0.0) -> float | None:
    return None if percent is None else plus + percent / 100
