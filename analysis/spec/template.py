"""The spec of an AnalysisTemplate or ClusterAnalysisTemplate: metrics and arguments to start runs from.

Templates compose: `templates` names others whose metrics and arguments are added, recursively.
"""

from __future__ import annotations

from typing import Annotated

from analysis.spec.arguments import Argument, DryRun, MeasurementRetention
from analysis.spec.base import Bool, ListMap, Model
from analysis.spec.metric import Metric
from analysis.spec.score import RunScore


class TemplateRef(Model):
    """A reference to a template by name."""

    template_name: str | None = None
    """Name of the template."""
    cluster_scope: Bool | None = None
    """True: a ClusterAnalysisTemplate. Default false: an AnalysisTemplate of the same namespace."""


class TemplateSpec(Model):
    """What a run started from the template measures."""

    metrics: Annotated[list[Metric], ListMap(key="name")] | None = None
    """Metrics to measure. May be left out when `templates` brings some."""
    args: Annotated[list[Argument], ListMap(key="name")] | None = None
    """Arguments the metrics refer to; one without a value must be given by whoever uses the template."""
    dry_run: Annotated[list[DryRun], ListMap(key="metricName")] | None = None
    """Metrics which are measured but never decide the run."""
    measurement_retention: Annotated[list[MeasurementRetention], ListMap(key="metricName")] | None = None
    """How many measurements to keep per metric. Default 10."""
    score: RunScore | None = None
    """Judges by a score over the metrics. Default: by the worst of them."""
    templates: list[TemplateRef] | None = None
    """Templates whose metrics and arguments are added to these."""
