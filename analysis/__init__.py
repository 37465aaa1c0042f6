"""Judges metrics; knows nothing of Kubernetes.

From a Python prompt:

    >>> import analysis
    >>> status = analysis.judge({"name": "errors", "successCondition": "result[0] < 0.05", "provider": {"prometheus": {
    ...     "address": "http://localhost:9090", "query": "sum(rate(errors[1m])) / sum(rate(requests[1m]))"}}})
    >>> status.phase, status.message
    ('Failed', 'Metric "errors" assessed Failed due to failed (1) > failureLimit (0)')

Who drives runs of their own (a controller) uses `analysis.assess` and `analysis.measure`; the first says how.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analysis.spec import Metric, RunStatus


def judge(*metrics: Metric | Mapping[str, object], args: Mapping[str, str] | None = None) -> RunStatus:
    """Measure metrics (as in YAML) until the verdict is in, and return the status of the run.

    `args` fill `{{args.name}}`. Waits between measurements as the metrics say. Not from within a running event loop:
    there, await `analysis.measure.judge`.
    """
    import asyncio  # imported late: most importers of this package want its models alone, and fast

    from analysis.measure import judge as carried_through
    from analysis.measure import run_spec

    return asyncio.run(carried_through(run_spec(*metrics, args=args)))


__all__ = ["judge"]
