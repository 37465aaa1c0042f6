"""What judges are given and what they give back, and the words in which kubectl shows it.

kubectl get analysisrun web-2 -o yaml
  measurements:
  - phase: Failed
    value: "2.31"
    message: the canary fails 2.31 times as often as stable, at least 1.42 times: 52 of 2600 (2 %) against …
    metadata:
      verdict: worse
      ratio: "2.31 (1.42 to 3.9)"
      canary: 52 of 2600 (2 %)
      stable: 118 of 10400 (1.13 %)
      evidence: 153, alarm at 20
      sample: 13000 requests, worth 11800 independent ones
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from analysis.providers.base import Answer
from analysis.spec import FAILED, INCONCLUSIVE, SUCCESSFUL, Phase
from analysis.spec.compare import NOT_PROVEN, TOO_LITTLE, VERDICT, Compare

if TYPE_CHECKING:
    from analysis.compare.settings import Settings

WORSE = "worse"
NO_WORSE = "no worse"
NOT_APPLIED = "weight not applied"
MARGINAL = "marginal"

_PHASES: dict[str, Phase] = {
    WORSE: FAILED,
    NO_WORSE: SUCCESSFUL,
    NOT_PROVEN: INCONCLUSIVE,
    NOT_APPLIED: INCONCLUSIVE,
    MARGINAL: INCONCLUSIVE,
    TOO_LITTLE: INCONCLUSIVE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """One look: the answers by query, what the judge kept of earlier looks, and the number of this one (from 1)."""

    answers: Mapping[str, Answer]
    state: Any
    number: int
    settings: Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """How a look was judged: one of the verdicts above, what was measured, why, and what the judge keeps."""

    verdict: str
    value: str
    message: str | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    state: Any = None

    @property
    def phase(self) -> Phase:
        """The phase of the measurement."""
        return _PHASES[self.verdict]

    @property
    def metadata(self) -> dict[str, str]:
        """What the measurement says about itself."""
        return {VERDICT: self.verdict, **self.notes}


class Judge(Protocol):
    """A judge. It keeps nothing itself."""

    def queries(self, compare: Compare) -> dict[str, str]:
        """What is to be asked, by a name for messages (`canary.errors`)."""

    def judged(self, compare: Compare, looked: Looked) -> Judgement:
        """Judge one look. Raises ProviderError for answers that cannot be judged."""


def plain(value: float) -> str:
    """A number in few digits: three significant ones, whole numbers in full."""
    if math.isinf(value):
        return "∞"
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def percent(part: float, whole: float) -> str:
    """A share in percent, in few digits."""
    return f"{plain(100 * part / whole)} %" if whole > 0 else "none"


def spread(value: float, lower: float, upper: float) -> str:
    """A number with its interval."""
    return f"{plain(value)} ({plain(lower)} to {plain(upper)})"


def e_value(log_evidence: float, alpha: float) -> str:
    """Evidence and where the alarm is."""
    shown = plain(math.exp(log_evidence)) if log_evidence < 14 else f"10^{log_evidence / math.log(10):.0f}"
    return f"{shown}, alarm at {plain(1 / alpha)}"
