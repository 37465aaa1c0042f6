"""The steps of a canary, and the analysis they share with blue/green.

A step is an object with exactly one key; `CanaryStep.kind` names it. What a step does and when it is done is decided
in `rollouts.strategy.steps`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from analysis.spec.arguments import DryRun, FieldRef, MeasurementRetention
from analysis.spec.base import Bool, Int32, IntOrString, ListMap, Model, Opaque, Rule
from analysis.spec.template import TemplateRef
from rollouts.api.meta import LabelSelector, PodMetadata


class RolloutPause(Model):
    """Waits."""

    duration: IntOrString | None = None
    """How long: seconds (`30`), or a duration such as `1m` or `1h`. Unset: until a person promotes."""


class RolloutArgumentValueFrom(Model):
    """Where an argument's value is taken from: exactly one of the fields."""

    pod_template_hash_value: Literal["Stable", "Latest"] | None = None
    """The pod hash of the stable or of the latest ReplicaSet."""
    field_ref: FieldRef | None = None
    """A field of the Rollout."""


class RolloutArgument(Model):
    """An argument handed to a run."""

    name: str
    """Name of the argument."""
    value: str | None = None
    """Its value, a string."""
    value_from: RolloutArgumentValueFrom | None = None
    """Where to take the value from instead."""


class RolloutAnalysis(Model):
    """Starts an AnalysisRun from templates. A failed run aborts the update, an inconclusive one pauses it."""

    templates: list[TemplateRef] | None = None
    """Templates the run is put together from."""
    args: Annotated[list[RolloutArgument], ListMap(key="name")] | None = None
    """Arguments handed to the run; they win over the templates' own values."""
    dry_run: Annotated[list[DryRun], ListMap(key="metricName")] | None = None
    """Metrics which are measured but never decide the run."""
    measurement_retention: Annotated[list[MeasurementRetention], ListMap(key="metricName")] | None = None
    """How many measurements to keep per metric. Default 10."""
    analysis_run_metadata: PodMetadata | None = None
    """Labels and annotations for the AnalysisRun."""


class RolloutAnalysisBackground(RolloutAnalysis):
    """An AnalysisRun that goes on while the steps do."""

    starting_step: Int32 | None = None
    """Index of the step at which it begins. Default 0."""


class TemplateService(Model):
    """A Service for the pods of an experiment's template."""

    name: str | None = None
    """Name of the Service. Default: the ReplicaSet's name."""


class RolloutExperimentTemplate(Model):
    """One ReplicaSet of an experiment, copied from the canary's or the stable's."""

    name: str
    """Name, unique within the experiment."""
    spec_ref: Literal["canary", "stable"]
    """Whose pod template is copied."""
    replicas: Int32 | None = None
    """Pods. Default 1."""
    metadata: PodMetadata | None = None
    """Labels and annotations for the pods."""
    selector: LabelSelector | None = None
    """Selector of the ReplicaSet. Default: the Rollout's."""
    weight: Int32 | None = None
    """Percent of the traffic (or parts of maxTrafficWeight) these pods get, taken from the stable's share; needs
    trafficRouting. Default: none."""
    service: TemplateService | None = None
    """Makes a Service for these pods. Default: none, unless a weight is given."""


class RolloutExperimentAnalysis(Model):
    """An AnalysisRun that goes on during an experiment."""

    name: str
    """Name, unique within the experiment."""
    template_name: str
    """Template the run is started from."""
    cluster_scope: Bool | None = None
    """True: a ClusterAnalysisTemplate. Default false."""
    args: Annotated[list[RolloutArgument], ListMap(key="name")] | None = None
    """Arguments handed to the run."""
    required_for_completion: Bool | None = None
    """True: the experiment waits for this run to finish. Default false."""


class RolloutExperimentStep(Model):
    """Starts an Experiment and waits for it. A failed one aborts the update, an inconclusive one pauses it."""

    templates: list[RolloutExperimentTemplate]
    """ReplicaSets to run side by side."""
    duration: str | None = None
    """How long they run once available, a duration such as `1h`. Unset: until the required analyses finish."""
    analyses: Annotated[list[RolloutExperimentAnalysis], ListMap(key="name")] | None = None
    """AnalysisRuns that go on meanwhile."""
    dry_run: Annotated[list[DryRun], ListMap(key="metricName")] | None = None
    """Metrics which are measured but never decide."""
    analysis_run_metadata: PodMetadata | None = None
    """Labels and annotations for the AnalysisRuns."""
    scale_down_delay_seconds: Int32 | None = None
    """Seconds the pods stay after the end. Default 30."""


class SetCanaryScale(Model):
    """Sizes the canary apart from its traffic; needs trafficRouting. Exactly one of the fields."""

    weight: Int32 | None = None
    """Percent of spec.replicas (parts of maxTrafficWeight, where that is set)."""
    replicas: Int32 | None = None
    """Pods."""
    match_traffic_weight: Bool | None = None
    """True: back to the size that matches the traffic."""


class StringMatch(Model):
    """Matches a text: exactly one of the fields."""

    exact: str | None = None
    """The text itself."""
    prefix: str | None = None
    """Its beginning."""
    regex: str | None = None
    """A regular expression for the whole."""


class HeaderMatch(Model):
    """Matches one request header."""

    header_name: str
    """Name of the header."""
    header_value: StringMatch
    """What its value must be."""


class SetHeaderRoute(Model):
    """Sends requests with certain headers to the canary, whatever the weight."""

    name: str | None = None
    """Name of the route, one of trafficRouting.managedRoutes."""
    match: list[HeaderMatch] | None = None
    """Headers, all of which must match. Unset: the route is removed."""


class RouteMatch(Model):
    """Matches requests; all fields given must hold."""

    method: StringMatch | None = None
    """HTTP method."""
    path: StringMatch | None = None
    """Path."""
    headers: dict[str, StringMatch] | None = None
    """Headers by name."""


class SetMirrorRoute(Model):
    """Copies matching requests to the canary; the answers are thrown away."""

    name: str
    """Name of the route, one of trafficRouting.managedRoutes."""
    match: list[RouteMatch] | None = None
    """Requests to copy. Unset: the route is removed."""
    percentage: Int32 | None = None
    """Percent of them to copy. Default 100."""


class PluginStep(Model):
    """Hands the step to a plugin."""

    name: str
    """Name of the plugin."""
    config: Annotated[dict[str, Any], Opaque()] | None = None
    """The plugin's own configuration."""


class CanaryStep(Model):
    """One step: exactly one key."""

    set_weight: Int32 | None = None
    """Percent of traffic for the canary, 0 to 100 (or maxTrafficWeight); without a router, of the pods."""
    pause: RolloutPause | None = None
    """Waits for a time, or for a person."""
    analysis: RolloutAnalysis | None = None
    """Runs an analysis and waits for its verdict."""
    experiment: RolloutExperimentStep | None = None
    """Runs an experiment and waits for its verdict."""
    set_canary_scale: SetCanaryScale | None = None
    """Sizes the canary apart from its traffic."""
    set_header_route: SetHeaderRoute | None = None
    """Sends requests with certain headers to the canary."""
    set_mirror_route: SetMirrorRoute | None = None
    """Copies requests to the canary."""
    plugin: PluginStep | None = None
    """Hands the step to a plugin."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Keys that are set, in the API's spelling; a valid step has exactly one."""
        fields = type(self).model_fields
        return tuple(str(field.alias) for name, field in fields.items() if getattr(self, name) is not None)

    @property
    def kind(self) -> str:
        """The key of a valid step, such as `setWeight`; empty for a step without any."""
        return next(iter(self.kinds), "")


def _exactly_one_key() -> Rule:
    kinds = [str(field.alias) for field in CanaryStep.model_fields.values()]
    return Rule(
        rule=" + ".join(f"(has(self.{kind}) ? 1 : 0)" for kind in kinds) + " == 1",
        message=f"a step has exactly one of {', '.join(kinds)}",
    )


CanaryStep.RULES = (_exactly_one_key(),)
