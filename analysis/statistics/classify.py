"""One metric as Kayenta judges it: Pass, High, Low or Nodata, for those who bring canary configurations from Spinnaker.

The same transformations, the same test at 98 %, the same tolerance of a quarter of the shift, the same order of cases;
so a configuration keeps its meaning. What it is worth under repeated looks and autocorrelation is in
docs/statistics.md; the other judges are better. Two things differ, on purpose: data that cannot be judged is an error
of its own, which `scores` counts as a failure and not as nothing; and samples smaller than `minimum` are Nodata instead
of a guess.

    either side empty              Nodata; with mustHaveData (not critical) NodataFail; with nanStrategy replace Pass
    sides identical, or constant   Pass
    lower bound > tolerance        High, if direction allows and the effect is as large as allowedIncrease
    upper bound < -tolerance       Low, if direction allows and the effect is as small as allowedDecrease
    otherwise                      Pass
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Sample = NDArray[np.float64]

PASS: Final = "Pass"  # noqa: S105  # a class, not a password
HIGH: Final = "High"
LOW: Final = "Low"
NODATA: Final = "Nodata"
NODATA_FAIL: Final = "NodataFailMetric"
ERROR: Final = "Error"

CONFIDENCE = 0.98
TOLERANCE = 0.25
ROOT_TOLERANCE = 1e-4
_NOISE = 1e-5
_NEUTRAL = {"meanRatio": 1.0, "cles": 0.5}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How one metric is judged. Allowed and critical effects are None for the neutral effect: any will do."""

    direction: str = "either"
    nan_strategy: str = "remove"
    outlier_strategy: str = "keep"
    outlier_factor: float = 3.0
    critical: bool = False
    must_have_data: bool = False
    muted: bool = False
    measure: str = "meanRatio"
    allowed_increase: float | None = None
    allowed_decrease: float | None = None
    critical_increase: float | None = None
    critical_decrease: float | None = None
    minimum: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Classified:
    """The class of a metric; `critical`: it fails the whole analysis. `ratio`: mean of canary to mean of stable."""

    label: str
    critical: bool = False
    ratio: float = math.nan
    reason: str = ""


def classify(canary: Sequence[float], stable: Sequence[float], options: Options) -> Classified:
    """Classify one metric. NaN in the samples is a missing value. Raises nothing."""
    try:
        return _classified(_transformed(canary, options), _transformed(stable, options), options)
    except (ValueError, ZeroDivisionError, FloatingPointError) as error:
        return Classified(label=ERROR, critical=options.critical, reason=f"cannot be judged: {error}")


# -- the samples -------------------------------------------------------------------------------------------------------


def _transformed(values: Sequence[float], options: Options) -> Sample:
    import numpy as np

    found = np.asarray(values, dtype=float)
    missing = np.isnan(found)
    found = np.where(missing, 0.0, found) if options.nan_strategy == "replace" else found[~missing]
    if not np.isfinite(found).all():
        raise ValueError("a value is infinite")
    return without_outliers(found, options.outlier_factor) if options.outlier_strategy == "remove" else found


def without_outliers(values: Sample, factor: float) -> Sample:
    """Without what lies both beyond `factor` interquartile ranges and beyond the first or last percentile."""
    import numpy as np

    if not values.size:
        return values
    first, lower, upper, last = np.percentile(values, [1, 25, 75, 99])
    reach = factor * (upper - lower)
    kept: Sample = values[(values >= min(first, lower - reach)) & (values <= max(last, upper + reach))]
    return kept


# -- the class ---------------------------------------------------------------------------------------------------------


def _classified(x: Sample, y: Sample, options: Options) -> Classified:
    import numpy as np

    if min(x.size, y.size) < max(1, options.minimum):
        return _without_data(x, y, options)
    ratio = _mean_ratio(x, y)
    if np.array_equal(np.sort(x), np.sort(y)) or np.unique(np.concatenate((x, y))).size == 1:
        return Classified(label=PASS, ratio=ratio)
    if np.unique(x).size == 1 and np.unique(y).size == 1:
        x, y = _with_noise(x, y)
    lower, upper, estimate = shift_interval(x, y)
    effect = _EFFECTS[options.measure](x, y)
    return _by_bounds(lower, upper, TOLERANCE * abs(estimate), effect, ratio, options)


def _without_data(x: Sample, y: Sample, options: Options) -> Classified:
    if options.nan_strategy == "replace" and not min(x.size, y.size):
        return Classified(label=PASS)
    if options.must_have_data and not options.critical:
        return Classified(label=NODATA_FAIL, reason="no data, which it must have")
    return Classified(label=NODATA, critical=options.critical, reason=f"{x.size} and {y.size} values")


def _with_noise(x: Sample, y: Sample) -> tuple[Sample, Sample]:
    """Each side constant: the total tie is broken by a little noise, the same each time."""
    import numpy as np

    rng = np.random.default_rng(0)
    return (x + rng.normal(size=x.size) * abs(x) * _NOISE, y + rng.normal(size=y.size) * abs(y) * _NOISE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """One way of being bad: its class, its word in `direction`, and which effects are large enough."""

    label: str
    direction: str
    allowed: str
    critical: str
    beyond: Callable[[float, float], bool]
    text: str


_WAYS = (
    _Way(
        label=HIGH, direction="increase", allowed="allowed_increase", critical="critical_increase",
        beyond=lambda effect, least: effect >= least, text="higher than stable",
    ),
    _Way(
        label=LOW, direction="decrease", allowed="allowed_decrease", critical="critical_decrease",
        beyond=lambda effect, least: effect <= least, text="lower than stable",
    ),
)  # fmt: skip


def _by_bounds(lower: float, upper: float, bound: float, effect: float, ratio: float, options: Options) -> Classified:
    shown = {HIGH: lower > bound, LOW: upper < -bound}
    for way in _WAYS:
        opposite = {"increase": "decrease", "decrease": "increase"}[way.direction]
        if shown[way.label] and options.direction != opposite and _reaches(effect, way.allowed, way, options):
            critical = options.critical and _reaches(effect, way.critical, way, options)
            return Classified(label=way.label, critical=critical, ratio=ratio, reason=way.text)
    return Classified(label=PASS, ratio=ratio)


def _reaches(effect: float, field: str, way: _Way, options: Options) -> bool:
    least: Any = getattr(options, field)
    return math.isnan(effect) or way.beyond(effect, _NEUTRAL[options.measure] if least is None else least)


# -- effects -----------------------------------------------------------------------------------------------------------


def _mean_ratio(x: Sample, y: Sample) -> float:
    canary, stable = float(x.mean()), float(y.mean())
    return canary / stable if canary and stable else math.nan


def _common_language(x: Sample, y: Sample) -> float:
    """P(canary > stable), a tie as one half."""
    import numpy as np

    difference = np.subtract.outer(x, y)
    return float(((difference > 0) + 0.5 * (difference == 0)).mean())


_EFFECTS: dict[str, Callable[[Sample, Sample], float]] = {"meanRatio": _mean_ratio, "cles": _common_language}


# -- the test ----------------------------------------------------------------------------------------------------------


def shift_interval(x: Sample, y: Sample) -> tuple[float, float, float]:
    """Lower and upper bound and estimate of the shift from y to x at 98 %, by inverting the test, ties corrected.

    Raises ValueError where all values are tied at some shift.
    """
    from scipy.special import ndtri

    z = -float(ndtri((1 - CONFIDENCE) / 2))
    ends = float(x.min() - y.max()), float(x.max() - y.min())
    return _root(x, y, z, ends), _root(x, y, -z, ends), _root(x, y, 0.0, ends)


def _root(x: Sample, y: Sample, quantile: float, ends: tuple[float, float]) -> float:
    from scipy.optimize import brentq

    low, high = ends
    if standardised(low, x, y) - quantile <= 0:
        return low
    if standardised(high, x, y) - quantile >= 0:
        return high
    return float(brentq(lambda shift: standardised(shift, x, y) - quantile, low, high, xtol=ROOT_TOLERANCE))


def standardised(shift: float, x: Sample, y: Sample) -> float:
    """The rank sum of x - shift among both, less its mean, with continuity correction, over its deviation."""
    import numpy as np

    m, n = x.size, y.size
    _, places, sizes = np.unique(np.concatenate((x - shift, y)), return_inverse=True, return_counts=True)
    ranks = (np.cumsum(sizes) - (sizes - 1) / 2)[places]
    distance = float(ranks[:m].sum()) - m * (m + 1) / 2 - m * n / 2
    total = m + n
    ties = float((sizes.astype(float) ** 3 - sizes).sum()) / (total * (total - 1))
    variance = m * n / 12 * (total + 1 - ties)
    if variance <= 0:
        raise ValueError("all values are tied")
    return (distance - math.copysign(0.5, distance) * (distance != 0)) / math.sqrt(variance)
