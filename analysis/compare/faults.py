"""What can be wrong with a `compare` block, found before anything is measured. Needs the models only.

Asked by the API's validation and by a run before its first measurement. A number that is still to be filled in from
arguments is left for later.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from analysis.compare.numbers import number
from analysis.compare.scorefaults import score_faults
from analysis.spec.compare import CURRENT, DEFAULT_ALLOWED_INCREASE, Compare
from analysis.spec.durations import parse_duration
from analysis.spec.metric import Metric
from analysis.spec.providers import Provider

Fault = tuple[str, str]
"""A field's path below `compare` (empty: the block itself) and what is wrong."""

QUERIES: dict[str, tuple[str, ...]] = {
    "Sequential": ("errors", "total"),
    "Latency": ("buckets",),
    "MannWhitney": ("query",),
    "Kayenta": (),
}
"""The queries that each judge needs of each side."""


_PROMISING = ("Sequential", "Latency", "MannWhitney")
USED_BY = {
    "allowed_increase": _PROMISING,
    "false_alarms": _PROMISING,
    "proven_increase": ("Sequential",),
    "weight": ("Sequential",),
    "direction": ("MannWhitney",),
    "threshold": ("Latency",),
    "metrics": ("Kayenta",),
    "group_weights": ("Kayenta",),
    "pass_score": ("Kayenta",),
    "marginal_score": ("Kayenta",),
}
"""The fields that only some judges use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Range:
    low: float
    high: float
    low_fits: bool = True

    def holds(self, value: float) -> bool:
        return (self.low <= value if self.low_fits else self.low < value) and value <= self.high


NUMBERS = {
    "allowed_increase": _Range(low=0, high=10_000),
    "proven_increase": _Range(low=0, high=10_000, low_fits=False),
    "false_alarms": _Range(low=0, high=50, low_fits=False),
    "minimum": _Range(low=1, high=1e12),
    "weight": _Range(low=0, high=100),
}
"""The numeric fields and what they may be, in the API's units."""


def faults(metric: Metric) -> Iterator[Fault]:
    """Everything wrong with a metric's comparison, as far as its arguments are filled in."""
    compare = metric.compare
    if compare is None:
        return
    if metric.success_condition or metric.failure_condition:
        yield "", "judges by itself: leave out successCondition and failureCondition"
    yield from _number_faults(compare)
    yield from _order_faults(compare)
    yield from _threshold_faults(compare.threshold)
    yield from _provider_faults(metric.provider)
    yield from _useless_faults(compare)
    if compare.effective_judge == "Kayenta":
        yield from score_faults(metric, compare)
    else:
        yield from _query_faults(compare, QUERIES[compare.effective_judge])


def _number_faults(compare: Compare) -> Iterator[Fault]:
    for name, fits in NUMBERS.items():
        given, field = getattr(compare, name), str(Compare.model_fields[name].alias)
        if name == "weight" and given == CURRENT:
            continue
        try:
            value = number(given)
        except ValueError:
            or_else = f" or {CURRENT}" if name == "weight" else ""
            yield field, f'must be a number{or_else}, not "{str(given)[:60]}"'
            continue
        if value is not None and not fits.holds(value):
            least = f"{fits.low:g} or more" if fits.low_fits else f"more than {fits.low:g}"
            yield field, f"must be {least} and at most {fits.high:g}, not {value:g}"


def _threshold_faults(threshold: str | None) -> Iterator[Fault]:
    if threshold is None or "{{" in threshold:
        return
    try:
        if parse_duration(threshold) <= 0:
            yield "threshold", "must be longer than 0"
    except ValueError as error:
        yield "threshold", str(error)


def _order_faults(compare: Compare) -> Iterator[Fault]:
    try:
        allowed, proven = number(compare.allowed_increase), number(compare.proven_increase)
    except ValueError:
        return
    if proven is not None and proven < (DEFAULT_ALLOWED_INCREASE if allowed is None else allowed):
        yield "provenIncrease", "must not be less than allowedIncrease: what is allowed would never be a success"


def _provider_faults(provider: Provider) -> Iterator[Fault]:
    config = provider.configuration
    if config is not None and "query" not in getattr(type(config), "model_fields", ()):
        yield "", f"provider {', '.join(provider.kinds)} takes no query, so it cannot be asked about two sides"


def _useless_faults(compare: Compare) -> Iterator[Fault]:
    for name, judges in USED_BY.items():
        if getattr(compare, name) is not None and compare.effective_judge not in judges:
            yield str(Compare.model_fields[name].alias), f"is not used by judge {compare.effective_judge}"


def _query_faults(compare: Compare, needed: tuple[str, ...]) -> Iterator[Fault]:
    for name, side in (("canary", compare.canary), ("stable", compare.stable)):
        if side is None:
            yield name, "is required"
            continue
        yield from ((f"{name}.{field}", "is required") for field in needed if not side.queries.get(field))
        useless = [field for field in side.queries if field not in needed]
        yield from ((f"{name}.{field}", f"is not used by judge {compare.effective_judge}") for field in useless)
