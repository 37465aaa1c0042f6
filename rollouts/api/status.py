"""The status of a Rollout: all that a controller remembers between two looks at it.

People's commands come in here too: `abort`, `promoteFull` and cleared `pauseConditions` are written by command-line
tools and read by the controller. Unknown keys are kept out of the model and left alone in the object.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from analysis.spec.base import Bool, Int32, IntOrString, Opaque, StatusModel, Text, Time
from rollouts.api.meta import Condition


class PauseCondition(StatusModel):
    """Why the controller paused the Rollout. People take it away to resume."""

    reason: str
    """CanaryPauseStep, BlueGreenPause, InconclusiveAnalysisRun or InconclusiveExperiment."""
    start_time: Time
    """When the pause began."""


class RolloutAnalysisRunStatus(StatusModel):
    """The AnalysisRun that matters at the moment."""

    name: str
    """Name of the AnalysisRun."""
    status: str | None = None
    """Its phase."""
    message: str | None = None
    """Its message."""


class WeightDestination(StatusModel):
    """Where a share of the traffic goes."""

    weight: Int32
    """Share, out of 100 or maxTrafficWeight."""
    service_name: str | None = None
    """Service it goes to."""
    pod_template_hash: str | None = None
    """Pod hash it goes to."""


class TrafficWeights(StatusModel):
    """How the router was last told to split the traffic."""

    canary: WeightDestination
    """The canary's share."""
    stable: WeightDestination
    """The stable's share."""
    additional: list[WeightDestination] | None = None
    """Shares of experiments."""
    verified: Bool | None = None
    """Whether the router confirmed the split; unset where it can't tell."""


class StepPluginStatus(StatusModel):
    """What a plugin said about a step."""

    index: Int32
    """Index of the step."""
    name: str
    """Name of the plugin."""
    operation: str
    """Run, Terminate or Abort."""
    phase: str | None = None
    """Running, Successful, Failed or Error."""
    message: str | None = None
    """Why."""
    started_at: Time | None = None
    """When the operation began."""
    updated_at: Time | None = None
    """When the plugin was last asked."""
    finished_at: Time | None = None
    """When the operation ended."""
    backoff: str | None = None
    """Time to wait before asking again, a duration."""
    executions: Int32 | None = None
    """Times the plugin was asked."""
    disabled: Bool | None = None
    """True: the plugin is switched off in the controller's configuration; the step counts as done."""
    status: Annotated[dict[str, Any], Opaque()] | None = None
    """The plugin's own state."""


class CanaryStatus(StatusModel):
    """State of a canary."""

    current_step_analysis_run_status: RolloutAnalysisRunStatus | None = None
    """AnalysisRun of the current step."""
    current_background_analysis_run_status: RolloutAnalysisRunStatus | None = None
    """AnalysisRun in the background."""
    current_experiment: str | None = None
    """Name of the current step's Experiment."""
    weights: TrafficWeights | None = None
    """How the router was last told to split the traffic."""
    paused_step_index: Int32 | None = None
    """Step the controller paused at, so that one that is skipped can be told from one that is resumed. Not part of Argo
    Rollouts."""
    stable_ping_pong: str | None = None
    """Which of the two Services is stable: ping or pong."""
    step_plugin_statuses: list[StepPluginStatus] | None = None
    """What plugins said about their steps."""


class BlueGreenStatus(StatusModel):
    """State of a blue/green update."""

    active_selector: str | None = None
    """Pod hash the active Service points at."""
    preview_selector: str | None = None
    """Pod hash the preview Service points at."""
    scale_up_preview_check_point: Bool | None = None
    """True: the preview was released and is scaled up to spec.replicas before the switch."""
    pre_promotion_analysis_run_status: RolloutAnalysisRunStatus | None = None
    """AnalysisRun before the switch."""
    post_promotion_analysis_run_status: RolloutAnalysisRunStatus | None = None
    """AnalysisRun after the switch."""


class AwsResource(StatusModel):
    """An AWS resource."""

    name: str
    """Its name."""
    arn: str
    """Its ARN."""
    full_name: str | None = None
    """Its full name, the last part of the ARN."""


class ALBStatus(StatusModel):
    """Load balancer and target groups found behind an Ingress."""

    load_balancer: AwsResource | None = None
    """The load balancer."""
    canary_target_group: AwsResource | None = None
    """Target group of the canary Service."""
    stable_target_group: AwsResource | None = None
    """Target group of the stable Service."""
    ingress: str | None = None
    """Name of the Ingress."""


class RolloutDuration(StatusModel):
    """How long the update took."""

    rollout_started_at: Time | None = None
    """When the update began."""
    manual_pause_started_at: Time | None = None
    """When the present wait for a person began."""
    total_manual_pause_duration_seconds: Int32 | None = None
    """Seconds spent waiting for people."""
    finished_at: Time | None = None
    """When the update ended."""
    completion_status: str | None = None
    """How: Promoted, FastPromoted, Aborted, Superseded, RolledBack or FastRolledBack."""


class RolloutStatus(StatusModel):
    """All that is remembered about a Rollout."""

    abort: Bool | None = None
    """True: the update is aborted; set by people or the controller, unset by a retry."""
    aborted_at: Time | None = None
    """When the controller saw the abort."""
    pause_conditions: list[PauseCondition] | None = None
    """Why the controller paused; people take entries away to resume."""
    controller_pause: Bool | None = None
    """True: the controller paused; with no pauseConditions left, a person resumed."""
    promote_full: Bool | None = None
    """True: skip all steps, pauses and analyses of this update."""
    current_pod_hash: str | None = None
    """Pod hash of the template wanted."""
    current_step_hash: str | None = None
    """Hash of the steps; when it changes the steps begin anew."""
    current_step_index: Int32 | None = None
    """Index of the step the update is at; the number of steps when all are done."""
    stable_rs: str | None = Field(default=None, alias="stableRS")
    """Pod hash of the ReplicaSet that was last fully rolled out."""
    replicas: Int32 | None = None
    """Pods that are not going away."""
    updated_replicas: Int32 | None = None
    """Of these, pods of the template wanted."""
    ready_replicas: Int32 | None = None
    """Of these, pods that are ready."""
    available_replicas: Int32 | None = None
    """Of these, pods that were ready for minReadySeconds."""
    hpa_replicas: Int32 | None = Field(default=None, alias="HPAReplicas")
    """Pods an autoscaler should count."""
    selector: str | None = None
    """Selector an autoscaler should use."""
    collision_count: Int32 | None = None
    """Times a ReplicaSet's name was taken by another template; part of the pod hash."""
    observed_generation: IntOrString | None = None
    """metadata.generation this status is about, as a string; as a number where the Rollout asks for it by annotation
    rollouts.dev/observed-generation: integer."""
    workload_observed_generation: Text | None = None
    """Generation of the referenced workload this status is about, as a string."""
    conditions: list[Condition] | None = None
    """Available, Progressing, Paused, Completed, Healthy, InvalidSpec, ReplicaFailure; ours: ReconcileError,
    TrafficFailure, and for kstatus Reconciling, Stalled."""
    phase: str | None = None
    """Healthy, Degraded, Progressing or Paused."""
    message: str | None = None
    """Why it is in that phase."""
    restarted_at: Time | None = None
    """The restartAt whose restart is done."""
    canary: CanaryStatus = CanaryStatus()
    """State of a canary."""
    blue_green: BlueGreenStatus = BlueGreenStatus()
    """State of a blue/green update."""
    alb: ALBStatus | None = None
    """Load balancer behind the Ingress."""
    albs: list[ALBStatus] | None = None
    """Load balancers behind several Ingresses."""
    duration: RolloutDuration | None = None
    """How long the update took."""

    def condition(self, type: str) -> Condition | None:
        """The condition of that type, if there is one."""
        return next((condition for condition in self.conditions or () if condition.type == type), None)
