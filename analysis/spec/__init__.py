"""Metrics, providers' configuration, arguments and run status, as pydantic models.

These are the parts of the API that belong to analysis alone; `rollouts.api` wraps them into Kubernetes kinds.
"""

from analysis.spec.arguments import Argument, DryRun, FieldRef, MeasurementRetention, SecretKeyRef, ValueFrom
from analysis.spec.base import Model, StatusModel
from analysis.spec.compare import Compare
from analysis.spec.durations import parse_duration
from analysis.spec.metric import Metric
from analysis.spec.providers import Provider
from analysis.spec.run import (
    COMPLETED,
    ERROR,
    FAILED,
    INCONCLUSIVE,
    PENDING,
    PHASES,
    RUNNING,
    SUCCESSFUL,
    Measurement,
    MetricResult,
    Phase,
    RunSpec,
    RunStatus,
    Summary,
    TTLStrategy,
)
from analysis.spec.template import TemplateRef, TemplateSpec

__all__ = [
    "COMPLETED",
    "ERROR",
    "FAILED",
    "INCONCLUSIVE",
    "PENDING",
    "PHASES",
    "RUNNING",
    "SUCCESSFUL",
    "Argument",
    "Compare",
    "DryRun",
    "FieldRef",
    "Measurement",
    "MeasurementRetention",
    "Metric",
    "MetricResult",
    "Model",
    "Phase",
    "Provider",
    "RunSpec",
    "RunStatus",
    "SecretKeyRef",
    "StatusModel",
    "Summary",
    "TTLStrategy",
    "TemplateRef",
    "TemplateSpec",
    "ValueFrom",
    "parse_duration",
]
