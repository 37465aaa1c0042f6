"""A score over the metrics of a run, so that one of many that fails need not fail a release.

score: {passScore: 90, marginalScore: 70, groupWeights: {errors: 60, latency: 40}}
metrics:
- {name: success-rate, groups: [errors], critical: true, …}
- {name: p99, groups: [latency], …}
"""

from __future__ import annotations

from analysis.spec.base import Int32, Model
from analysis.spec.compare import DEFAULT_MARGINAL, DEFAULT_PASS


class RunScore(Model):
    """Judges a run by a score from 0 to 100 over its metrics, instead of by the worst of them."""

    pass_score: Int32 | None = None
    """Least score that is Successful. Default 95."""
    marginal_score: Int32 | None = None
    """Least score that is Inconclusive; below is Failed. Default 75."""
    group_weights: dict[str, Int32] | None = None
    """Percent of the score by group. Groups left out share the rest equally."""

    @property
    def effective_pass(self) -> int:
        """The mark with its default."""
        return DEFAULT_PASS if self.pass_score is None else self.pass_score

    @property
    def effective_marginal(self) -> int:
        """The mark with its default."""
        return DEFAULT_MARGINAL if self.marginal_score is None else self.marginal_score
