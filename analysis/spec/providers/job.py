"""Configuration of the job provider: a Kubernetes Job whose success is the measurement."""

from __future__ import annotations

from typing import Annotated, Any

from analysis.spec.base import KubernetesType, Model


class Job(Model):
    """Starts a Job at each measurement: completed is a success, failed a failure."""

    metadata: Annotated[dict[str, Any], KubernetesType(name="ObjectMeta")] | None = None
    """Labels and annotations of the Job."""
    spec: Annotated[dict[str, Any], KubernetesType(name="JobSpec")]
    """Spec of the Job, as in batch/v1."""
