"""A metric: what is measured, how often, and what counts as success or failure.

The limits are int-or-string because a template may fill them from arguments (`count: "{{args.count}}"`); once the
arguments are substituted they are whole numbers. Defaults are not stored: the `DEFAULT_*` constants name them.
"""

from __future__ import annotations

from analysis.spec.base import Bool, IntOrString, Model
from analysis.spec.compare import Compare
from analysis.spec.providers import Provider

DEFAULT_FAILURE_LIMIT = 0
DEFAULT_INCONCLUSIVE_LIMIT = 0
DEFAULT_CONSECUTIVE_ERROR_LIMIT = 4
DEFAULT_CONSECUTIVE_SUCCESS_LIMIT = 0
DEFAULT_MEASUREMENT_RETENTION = 10


class Metric(Model):
    """One question put to a metric provider, repeated, with the rule that judges the answers."""

    name: str
    """Name, unique within the run."""
    interval: str | None = None
    """Time between measurements, a duration such as `30s`, `5m`, `1h`. Unset: one measurement only."""
    initial_delay: str | None = None
    """Time from the start of the run to the first measurement, a duration. Default: none."""
    count: IntOrString | None = None
    """Measurements to take. Default: 1 without an interval; with an interval, until the run is ended from outside."""
    success_condition: str | None = None
    """Expression on `result` that makes a measurement Successful. Unset with no failureCondition: always successful."""
    failure_condition: str | None = None
    """Expression on `result` that makes a measurement Failed. With both set and neither true: Inconclusive."""
    compare: Compare | None = None
    """Compares the canary with stable by a statistical judge, instead of the conditions."""
    failure_limit: IntOrString | None = None
    """Failed measurements tolerated before the metric is Failed. Default 0; -1 tolerates any number."""
    inconclusive_limit: IntOrString | None = None
    """Inconclusive measurements tolerated before the metric is Inconclusive. Default 0."""
    consecutive_error_limit: IntOrString | None = None
    """Errors in a row tolerated before the metric is in Error. Default 4."""
    consecutive_success_limit: IntOrString | None = None
    """Successes in a row that end the metric as Successful. Default 0: not used."""
    groups: list[str] | None = None
    """Groups the metric counts in when the run has a `score`. Default: one of its own."""
    critical: Bool | None = None
    """True: with a `score`, this metric alone fails the run. Default false; without a score every metric does."""
    provider: Provider
    """The system that is asked: exactly one key."""

    @property
    def effective_count(self) -> int | str | None:
        """The count with its default: 1 without an interval, None (no end) with one."""
        if self.count not in (None, 0, "", "0"):
            return self.count
        return None if self.interval else 1
