"""AnalysisTemplate, ClusterAnalysisTemplate and AnalysisRun: `analysis.spec` as Kubernetes kinds."""

from __future__ import annotations

from analysis.spec.base import Model
from analysis.spec.run import RunSpec, RunStatus
from analysis.spec.template import TemplateSpec
from rollouts.api.meta import ObjectMeta


class AnalysisTemplate(Model):
    """Metrics to judge an update by, for one namespace."""

    api_version: str | None = None
    """`argoproj.io/v1alpha1`."""
    kind: str | None = None
    """`AnalysisTemplate`."""
    metadata: ObjectMeta = ObjectMeta()
    """Name, labels and bookkeeping."""
    spec: TemplateSpec
    """What runs started from it measure."""


class ClusterAnalysisTemplate(AnalysisTemplate):
    """Metrics to judge an update by, for all namespaces."""

    kind: str | None = None
    """`ClusterAnalysisTemplate`."""


class AnalysisRun(Model):
    """Measures metrics and ends with a verdict."""

    api_version: str | None = None
    """`argoproj.io/v1alpha1`."""
    kind: str | None = None
    """`AnalysisRun`."""
    metadata: ObjectMeta = ObjectMeta()
    """Name, labels and bookkeeping."""
    spec: RunSpec
    """What is measured."""
    status: RunStatus = RunStatus()
    """What has been found."""
