"""`strategy.canary`: the new version gets a growing share, step by step."""

from __future__ import annotations

from typing import Annotated, Literal

from analysis.spec.base import Bool, Int32, IntOrString, MaxItems, Model
from rollouts.api import defaults
from rollouts.api.meta import PodMetadata
from rollouts.api.steps import CanaryStep, RolloutAnalysisBackground
from rollouts.api.traffic import TrafficRouting

MOST_STEPS = 1000


class PreferredAntiAffinity(Model):
    """Anti-affinity as a wish."""

    weight: Int32
    """How strong the wish is, 1 to 100."""


class RequiredAntiAffinity(Model):
    """Anti-affinity as a must."""


class AntiAffinity(Model):
    """Keeps pods of the new version away from nodes that run the stable one: exactly one of the fields."""

    preferred_during_scheduling_ignored_during_execution: PreferredAntiAffinity | None = None
    """As a wish to the scheduler."""
    required_during_scheduling_ignored_during_execution: RequiredAntiAffinity | None = None
    """As a must."""


class PingPong(Model):
    """Two Services that take turns in being the stable one."""

    ping_service: str
    """One Service."""
    pong_service: str
    """The other Service."""


class ReplicaProgressThreshold(Model):
    """How much of the canary must be available before a step counts as done."""

    type: Literal["Percent", "Pods"]
    """Unit of `value`."""
    value: Int32
    """Percent of the canary's pods, or a number of pods."""


class CanaryStrategy(Model):
    """Shifts pods or traffic to the new version step by step."""

    canary_service: str | None = None
    """Service that is pointed at the canary pods. Needed by most routers."""
    stable_service: str | None = None
    """Service that is pointed at the stable pods. Needed by most routers."""
    steps: Annotated[list[CanaryStep], MaxItems(count=MOST_STEPS)] | None = None
    """What to do, in order. Default: replace all pods at once, within maxSurge and maxUnavailable."""
    traffic_routing: TrafficRouting | None = None
    """Splits traffic by a router. Default: by the number of pods."""
    max_surge: IntOrString | None = None
    """Pods above spec.replicas during an update: a number, or a percentage rounded up. Default 25%."""
    max_unavailable: IntOrString | None = None
    """Pods below spec.replicas during an update: a number, or a percentage rounded down. Default 25%."""
    analysis: RolloutAnalysisBackground | None = None
    """An analysis that goes on while the steps do; when it fails the update is aborted."""
    anti_affinity: AntiAffinity | None = None
    """Keeps canary pods away from nodes that run stable ones. Default: does not."""
    canary_metadata: PodMetadata | None = None
    """Labels and annotations for pods while they are canary."""
    stable_metadata: PodMetadata | None = None
    """Labels and annotations for pods while they are stable."""
    scale_down_delay_seconds: Int32 | None = None
    """Seconds the old pods stay after a promotion; only with trafficRouting. Default 30."""
    scale_down_delay_revision_limit: Int32 | None = None
    """Old ReplicaSets that may wait so at once. Default: any number."""
    abort_scale_down_delay_seconds: Int32 | None = None
    """Seconds the canary pods stay after an abort; only with trafficRouting. 0: for ever. Default 30."""
    dynamic_stable_scale: Bool | None = None
    """True: the stable shrinks as the canary grows; needs trafficRouting. Default false."""
    ping_pong: PingPong | None = None
    """Two Services that take turns, instead of canaryService and stableService."""
    min_pods_per_replica_set: Int32 | None = None
    """Least pods of a ReplicaSet that has any; only with trafficRouting. Default: none, at most spec.replicas."""
    replica_progress_threshold: ReplicaProgressThreshold | None = None
    """How much of the canary must be available before a step counts as done. Default: all."""

    @property
    def effective_max_surge(self) -> int | str:
        """maxSurge with its default."""
        return defaults.MAX_SURGE if self.max_surge is None else self.max_surge

    @property
    def effective_max_unavailable(self) -> int | str:
        """maxUnavailable with its default."""
        return defaults.MAX_UNAVAILABLE if self.max_unavailable is None else self.max_unavailable

    @property
    def effective_max_traffic_weight(self) -> int:
        """The weight that means all traffic."""
        return (
            defaults.MAX_TRAFFIC_WEIGHT
            if self.traffic_routing is None
            else self.traffic_routing.effective_max_traffic_weight
        )


__all__ = ["AntiAffinity", "CanaryStrategy", "PingPong", "ReplicaProgressThreshold"]
