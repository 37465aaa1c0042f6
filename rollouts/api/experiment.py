"""The Experiment: several ReplicaSets side by side for a while, with analyses."""

from __future__ import annotations

from typing import Annotated

from analysis.spec.arguments import Argument, DryRun, MeasurementRetention
from analysis.spec.base import Bool, Int32, ListMap, Model, StatusModel, Time
from rollouts.api import defaults
from rollouts.api.meta import Condition, LabelSelector, ObjectMeta, PodMetadata
from rollouts.api.rollout import PodTemplate
from rollouts.api.steps import TemplateService


class ExperimentTemplate(Model):
    """One ReplicaSet of the experiment."""

    name: str
    """Name, unique within the experiment."""
    replicas: Int32 | None = None
    """Pods. Default 1."""
    min_ready_seconds: Int32 | None = None
    """Seconds a pod must be ready before it counts as available. Default 0."""
    selector: LabelSelector | None = None
    """Picks the ReplicaSet's pods; must match the template's labels."""
    template: PodTemplate
    """The pods."""
    service: TemplateService | None = None
    """Makes a Service for these pods. Default: none."""

    @property
    def effective_replicas(self) -> int:
        """Pods wanted."""
        return 1 if self.replicas is None else self.replicas


class ExperimentAnalysis(Model):
    """An AnalysisRun that goes on during the experiment."""

    name: str
    """Name, unique within the experiment."""
    template_name: str
    """Template the run is started from."""
    cluster_scope: Bool | None = None
    """True: a ClusterAnalysisTemplate. Default false."""
    args: Annotated[list[Argument], ListMap(key="name")] | None = None
    """Arguments handed to the run."""
    required_for_completion: Bool | None = None
    """True: the experiment waits for this run to finish. Default false."""


class ExperimentSpec(Model):
    """What is tried."""

    templates: list[ExperimentTemplate]
    """ReplicaSets to run side by side."""
    duration: str | None = None
    """How long they run once available, a duration such as `1h`. Unset: until ended or the required analyses finish."""
    progress_deadline_seconds: Int32 | None = None
    """Seconds without progress after which the experiment fails. Default 600."""
    terminate: Bool | None = None
    """True ends the experiment early."""
    analyses: Annotated[list[ExperimentAnalysis], ListMap(key="name")] | None = None
    """AnalysisRuns that go on meanwhile."""
    scale_down_delay_seconds: Int32 | None = None
    """Seconds the pods stay after the end. Default 30."""
    dry_run: Annotated[list[DryRun], ListMap(key="metricName")] | None = None
    """Metrics which are measured but never decide."""
    measurement_retention: Annotated[list[MeasurementRetention], ListMap(key="metricName")] | None = None
    """How many measurements to keep per metric. Default 10."""
    analysis_run_metadata: PodMetadata | None = None
    """Labels and annotations for the AnalysisRuns."""

    @property
    def effective_progress_deadline_seconds(self) -> int:
        """Seconds without progress after which the experiment fails."""
        deadline = self.progress_deadline_seconds
        return defaults.PROGRESS_DEADLINE_SECONDS if deadline is None else deadline

    @property
    def effective_scale_down_delay_seconds(self) -> int:
        """Seconds the pods stay after the end."""
        delay = self.scale_down_delay_seconds
        return defaults.EXPERIMENT_SCALE_DOWN_DELAY_SECONDS if delay is None else delay


class ExperimentTemplateStatus(StatusModel):
    """State of one ReplicaSet."""

    name: str
    """Name of the template."""
    replicas: Int32 | None = None
    """Pods that are not going away."""
    updated_replicas: Int32 | None = None
    """Pods of the template wanted."""
    ready_replicas: Int32 | None = None
    """Pods that are ready."""
    available_replicas: Int32 | None = None
    """Pods that were ready for minReadySeconds."""
    collision_count: Int32 | None = None
    """Times the ReplicaSet's name was taken by another template."""
    status: str | None = None
    """Progressing, Running, Successful, Failed or Error."""
    message: str | None = None
    """Why."""
    last_transition_time: Time | None = None
    """When its state last changed; the progress deadline counts from here."""
    service_name: str | None = None
    """Service made for the pods."""
    pod_template_hash: str | None = None
    """Pod hash of the pods."""


class ExperimentAnalysisRunStatus(StatusModel):
    """State of one AnalysisRun."""

    name: str
    """Name of the analysis in the spec."""
    analysis_run: str
    """Name of the AnalysisRun."""
    phase: str | None = None
    """Its phase."""
    message: str | None = None
    """Its message."""


class ExperimentStatus(StatusModel):
    """What is remembered."""

    phase: str | None = None
    """Pending, Running, Successful, Failed, Error or Inconclusive."""
    message: str | None = None
    """Why."""
    available_at: Time | None = None
    """When all ReplicaSets had become available; the duration counts from here."""
    conditions: list[Condition] | None = None
    """Progressing, InvalidSpec and the like."""
    template_statuses: list[ExperimentTemplateStatus] | None = None
    """State of each ReplicaSet."""
    analysis_runs: list[ExperimentAnalysisRunStatus] | None = None
    """State of each AnalysisRun."""


class Experiment(Model):
    """Runs several versions side by side for a while and judges them."""

    api_version: str | None = None
    """`argoproj.io/v1alpha1`."""
    kind: str | None = None
    """`Experiment`."""
    metadata: ObjectMeta = ObjectMeta()
    """Name, labels and bookkeeping."""
    spec: ExperimentSpec
    """What is tried."""
    status: ExperimentStatus = ExperimentStatus()
    """What is remembered."""
