"""The judge of error counts: evidence, batches and totals, carried from look to look as one small text.

    judge = CountJudge(allowed=1.1)
    for look in looks:
        judge = judge.after(look)
        if judge.finding(alpha=0.05).alarm: ...          as often as one likes; the promise holds over all looks
    CountJudge.read(judge.text(), allowed=1.1) == judge  between two looks it lives in the status of a run

The text is bounded: 29 likelihoods and at most 32 batches of four numbers, about 1.2 kB; it does not grow with the
release.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any

from analysis.statistics.dispersion import SPREAD, Batches, common_ratio, saturated
from analysis.statistics.evidence import NOTHING, OCTAVES, Counts, Discount, Evidence, counts


class StateError(ValueError):
    """A state that cannot be read back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is known about the ratio of error rates (canary to stable) after all looks so far.

    `evidence` is the e-value against "at most what is allowed"; at 1/alpha it is an alarm. `lower` and `upper` hold at
    all looks at once. `effective` is the number of requests this was worth, at most `totals.total`.
    """

    alarm: bool
    ratio: float
    lower: float
    upper: float
    log_evidence: float
    totals: Counts
    effective: float

    @property
    def evidence(self) -> float:
        """The e-value; as large as floats go where it is larger."""
        return math.exp(min(self.log_evidence, 700.0))


@dataclass(frozen=True, slots=True, kw_only=True)
class CountJudge:
    """All that is remembered of the looks so far. `worth` is the sum of the looks after saturation."""

    allowed: float = 1.0
    evidence: Evidence = field(default_factory=Evidence)
    batches: Batches = field(default_factory=Batches)
    totals: Counts = NOTHING
    worth: float = 0.0

    @classmethod
    def new(cls, *, allowed: float = 1.0, octaves: tuple[float, ...] = OCTAVES) -> CountJudge:
        """Before the first look. `allowed`: the ratio of error rates that is still fine, at least 1 as a rule."""
        return cls(allowed=allowed, evidence=Evidence(allowed=allowed, octaves=octaves))

    def after(self, look: Counts, *, spread: float = SPREAD) -> CountJudge:
        """With one more look. `spread`: see `dispersion`, how far the ratio of one look may be from that of all."""
        used = saturated(look, spread=spread)
        return CountJudge(
            allowed=self.allowed,
            evidence=self.evidence.after(used),
            batches=self.batches.after(used) if used.tells else self.batches,
            totals=self.totals + look,
            worth=self.worth + used.total,
        )

    @property
    def discount(self) -> Discount:
        """What the evidence is discounted by, by what the looks themselves show."""
        return self.batches.discount(lost=1 - self.worth / self.totals.total if self.totals.total else 0.0)

    def alarmed(self, *, alpha: float) -> bool:
        """Whether the ratio is shown to be more than what is allowed; all of `finding` that decides."""
        return self.evidence.against_at_most(discount=self.discount) >= math.log(1 / alpha)

    def finding(self, *, alpha: float) -> Finding:
        """What is known now; `alpha` is the probability of a false alarm over the whole release."""
        discount = self.discount
        log_evidence = self.evidence.against_at_most(discount=discount)
        lower, upper = self.evidence.bounds(alpha=alpha, discount=discount)
        effect = discount.effect if self.batches.items else 1.0
        return Finding(
            alarm=log_evidence >= math.log(1 / alpha),
            ratio=ratio_of(self.batches, self.totals),
            lower=lower,
            upper=upper,
            log_evidence=log_evidence,
            totals=self.totals,
            effective=self.worth / effect,
        )

    def state(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "allowed": self.allowed,
            "likelihoods": [_short(value) for value in self.evidence.likelihoods],
            "batches": [[_short(value) for value in item.numbers] for item in self.batches.items],
            "totals": [_short(value) for value in self.totals.numbers],
            "worth": _short(self.worth),
        }

    def text(self) -> str:
        """The state as compact JSON."""
        return json.dumps(self.state(), separators=(",", ":"))

    @classmethod
    def read(cls, text: str, *, allowed: float = 1.0, octaves: tuple[float, ...] = OCTAVES) -> CountJudge:
        """The inverse of `text`. Raises StateError."""
        try:
            return cls.restore(json.loads(text), allowed=allowed, octaves=octaves)
        except ValueError as error:
            raise StateError(f"the state of the comparison cannot be read: {error}") from error

    @classmethod
    def restore(cls, state: Any, *, allowed: float = 1.0, octaves: tuple[float, ...] = OCTAVES) -> CountJudge:
        """The inverse of `state`. Raises StateError."""
        try:
            likelihoods = tuple(map(float, state["likelihoods"]))
            batches = tuple(counts(*map(float, item)) for item in state["batches"])
            totals, worth, was = counts(*map(float, state["totals"])), float(state["worth"]), float(state["allowed"])
        except (KeyError, TypeError, ValueError) as error:
            raise StateError(f"the state of the comparison cannot be read: {error!r}") from error
        if was != allowed or len(likelihoods) not in (0, len(octaves)):
            raise StateError(f"the state of the comparison is of another one (allowed ratio {was:g}, not {allowed:g})")
        evidence = Evidence(allowed=allowed, octaves=octaves, likelihoods=likelihoods)
        return cls(allowed=allowed, evidence=evidence, batches=Batches(batches), totals=totals, worth=worth)


def _short(value: float) -> float | int:
    rounded = round(value, 4)
    return int(rounded) if rounded == int(rounded) else rounded


def ratio_of(batches: Batches, totals: Counts) -> float:
    """The best single number for the ratio; NaN while there is none: no error yet, or one side without requests."""
    if not totals.tells:
        return math.nan
    spare = 0.0 if any(item.stable_errors * item.canary_total > 0 for item in batches.items) else 0.5
    return common_ratio(batches.items, spare=spare) if batches.items else math.nan
