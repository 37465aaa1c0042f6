"""A comparison: the canary beside stable, by a statistical judge instead of a fixed condition.

    compare:
      canary:
        errors: sum(increase(http_requests_total{pod_hash="{{args.canary}}", code=~"5.."}[$window]))
        total: sum(increase(http_requests_total{pod_hash="{{args.canary}}"}[$window]))
      stable:
        errors: sum(increase(http_requests_total{pod_hash="{{args.stable}}", code=~"5.."}[$window]))
        total: sum(increase(http_requests_total{pod_hash="{{args.stable}}"}[$window]))

The queries are sent through the metric's provider, whose own `query` is left out. `$window` is the time since the last
measurement that counted (`75s`), so that nothing is counted twice or missed.

What a measurement of a comparison is called, and how it is marked when it had too little to judge, stands here because
the deciders of a run (`analysis.record`, `analysis.verdict`) need to know it.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from analysis.spec.base import Bool, Int32, IntOrString, ListMap, Model

Judge = Literal["Sequential", "Latency", "MannWhitney", "Kayenta"]
Direction = Literal["Increase", "Decrease", "Either"]

DEFAULT_PASS = 95
DEFAULT_MARGINAL = 75
DEFAULT_JUDGE: Final = "Sequential"
DEFAULT_ALLOWED_INCREASE = 10.0
DEFAULT_FALSE_ALARMS = 5.0

CURRENT: Final = "Current"
"""As a weight: what is in force when it is measured."""
STATE: Final = "compare"
"""Key in a metric result's metadata under which a judge keeps what it has learnt."""
VERDICT: Final = "verdict"
"""Key in a measurement's metadata that says in words how the judge decided."""
TOO_LITTLE: Final = "too little data"
"""The verdict of a measurement that is Inconclusive because there is not enough to judge yet."""
NOT_PROVEN: Final = "not proven yet"
"""The verdict of a measurement that is Inconclusive because what provenIncrease asks for is not shown yet."""


class Side(Model):
    """The queries of one side."""

    errors: str | None = None
    """Number of requests that failed within `$window`; no data means none. For Sequential."""
    total: str | None = None
    """Number of requests within `$window`. For Sequential."""

    buckets: str | None = None
    """Requests within `$window` by `le`, the buckets of a histogram. For Latency."""
    query: str | None = None
    """A number, or with the provider's `rangeQuery` all numbers of the range. For MannWhitney."""

    @property
    def queries(self) -> dict[str, str]:
        """The queries that are set, by field."""
        fields = {str(info.alias): getattr(self, name) for name, info in type(self).model_fields.items()}
        return {name: text for name, text in fields.items() if text is not None}


class EffectSize(Model):
    """How large a difference must be to count. Unset thresholds: any size does."""

    measure: Literal["MeanRatio", "Cles"] | None = None
    """MeanRatio (default): mean of the canary over mean of stable. Cles: probability that a canary value is higher."""
    allowed_increase: IntOrString | None = None
    """Least effect that counts as High, a number such as "1.2"."""
    allowed_decrease: IntOrString | None = None
    """Largest effect that counts as Low, a number such as "0.8"."""
    critical_increase: IntOrString | None = None
    """Least effect at which a critical metric fails everything."""
    critical_decrease: IntOrString | None = None
    """Largest effect at which a critical metric fails everything."""


class ScoredMetric(Model):
    """One metric of a score."""

    name: str
    """Name, unique within the score."""
    canary: str
    """Query of the canary's series."""
    stable: str
    """Query of stable's series, or of a baseline's."""
    groups: list[str] | None = None
    """Groups it counts in. Default: one of its own."""
    direction: Direction | None = None
    """Which way is worse. Default Either."""
    nan_strategy: Literal["Remove", "Replace"] | None = None
    """Missing values are removed (default) or count as 0."""
    outliers: Literal["Keep", "Remove"] | None = None
    """Values far outside are kept (default) or removed."""
    outlier_factor: IntOrString | None = None
    """Interquartile ranges beyond which a value is far outside. Default 3."""
    critical: Bool | None = None
    """True: failing this metric fails everything. Default false."""
    must_have_data: Bool | None = None
    """True: having no data counts as failed. Default false."""
    muted: Bool | None = None
    """True: shown, but not counted. Default false."""
    effect_size: EffectSize | None = None
    """How large a difference must be to count."""


class Compare(Model):
    """Compares the canary with stable, or with a fresh baseline, and judges by evidence."""

    judge: Judge | None = None
    """Sequential (default): counts of errors, may be looked at as often as wanted. Latency: buckets of a histogram, by
    the same test. MannWhitney: any number that goes up and down, by ranks. Kayenta: a score over many metrics, as
    Spinnaker's judge gives it."""
    canary: Side | None = None
    """Queries of the canary."""
    stable: Side | None = None
    """Queries of stable, or of a baseline of the same size and age as the canary, which is better."""
    allowed_increase: IntOrString | None = None
    """Percent by which the canary may be worse than stable. Default 10."""
    direction: Direction | None = None
    """Which way is worse, for MannWhitney. Default Increase."""
    threshold: str | None = None
    """The one bound of the histogram that counts, a duration such as `500ms`, for Latency. Unset: those nearest to the
    50th, 90th and 99th percentile."""
    proven_increase: IntOrString | None = None
    """Percent. Set: a measurement is Successful only once the canary is shown to be worse by less than this, and
    Inconclusive before. Unset: Successful when there is enough data and no alarm."""
    false_alarms: IntOrString | None = None
    """Percent of good releases that may be failed by this run; divided among its comparisons. Default 5."""
    minimum: IntOrString | None = None
    """Least amount of data on each side before anything is judged. Default: 100 requests, or 10 values."""
    metrics: Annotated[list[ScoredMetric], ListMap(key="name")] | None = None
    """What is scored, for Kayenta; the provider must have a `rangeQuery`."""
    group_weights: dict[str, Int32] | None = None
    """Percent of the score by group, for Kayenta. Groups left out share the rest equally."""
    pass_score: Int32 | None = None
    """Least score that is Successful, for Kayenta. Default 95."""
    marginal_score: Int32 | None = None
    """Least score that is Inconclusive, for Kayenta; below is Failed. Default 75."""
    weight: IntOrString | None = None
    """Percent of the requests that the router should give to the canary; `Current`: what the Rollout has told its
    routers by then, or without a router the canary's share of the ready pods. Set: when the canary is shown to get
    another share, the measurement is Inconclusive and says so."""

    @property
    def effective_judge(self) -> str:
        """The judge with its default."""
        return self.judge or DEFAULT_JUDGE


def waits(phase: str | None, metadata: dict[str, str] | None) -> bool:
    """Whether a measurement is Inconclusive only because a comparison waits for more data."""
    return phase == "Inconclusive" and (metadata or {}).get(VERDICT) in (TOO_LITTLE, NOT_PROVEN)
