"""`strategy.blueGreen`: the new version runs beside the old one, then a Service is switched over."""

from __future__ import annotations

from analysis.spec.base import Bool, Int32, IntOrString, Model
from rollouts.api.canary import AntiAffinity
from rollouts.api.meta import PodMetadata
from rollouts.api.steps import RolloutAnalysis


class BlueGreenStrategy(Model):
    """Switches a Service from the old version to the new one when the new one is ready."""

    active_service: str
    """Service that gets the users' traffic; it is switched over."""
    preview_service: str | None = None
    """Service that is pointed at the new version before the switch."""
    preview_replica_count: Int32 | None = None
    """Pods of the new version before the switch. Default: spec.replicas."""
    auto_promotion_enabled: Bool | None = None
    """False: the switch waits for a person. Default true."""
    auto_promotion_seconds: Int32 | None = None
    """Seconds between the new version being ready and the switch. Default 0."""
    max_unavailable: IntOrString | None = None
    """Pods that may be missing during a restart: a number or a percentage. Default 25%."""
    scale_down_delay_seconds: Int32 | None = None
    """Seconds the old pods stay after the switch. Default 30."""
    scale_down_delay_revision_limit: Int32 | None = None
    """Old ReplicaSets that may wait so at once. Default: any number."""
    abort_scale_down_delay_seconds: Int32 | None = None
    """Seconds the preview pods stay after an abort. 0: for ever. Default 30."""
    pre_promotion_analysis: RolloutAnalysis | None = None
    """Analysis that must succeed before the switch."""
    post_promotion_analysis: RolloutAnalysis | None = None
    """Analysis after the switch; when it fails the Service is switched back."""
    anti_affinity: AntiAffinity | None = None
    """Keeps new pods away from nodes that run old ones. Default: does not."""
    preview_metadata: PodMetadata | None = None
    """Labels and annotations for pods while they are preview."""
    active_metadata: PodMetadata | None = None
    """Labels and annotations for pods while they are active."""
