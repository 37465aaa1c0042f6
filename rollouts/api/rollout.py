"""The Rollout: what runs, how much of it, and how a new version takes over."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from analysis.spec.base import Bool, Int32, KubernetesType, Model, Rule, Time
from rollouts.api import defaults
from rollouts.api.bluegreen import BlueGreenStrategy
from rollouts.api.canary import CanaryStrategy
from rollouts.api.meta import LabelSelector, ObjectMeta
from rollouts.api.status import RolloutStatus

PodTemplate = Annotated[dict[str, Any], KubernetesType(name="PodTemplateSpec")]
"""A pod template, kept as a plain mapping: it is hashed, copied and compared, never interpreted field by field."""


SELECTOR_IS_IMMUTABLE = Rule(rule="self == oldSelf", message="selector is immutable")


class WorkloadRef(Model):
    """A workload whose pod template and selector the Rollout uses instead of its own."""

    api_version: str | None = None
    """`apps/v1` for Deployment and ReplicaSet, `v1` for PodTemplate."""
    kind: str | None = None
    """Deployment, ReplicaSet or PodTemplate."""
    name: str | None = None
    """Name of the workload, in the same namespace."""
    scale_down: Literal["never", "onsuccess", "progressively"] | None = None
    """Whether a referenced Deployment is scaled down during the first release. Default never."""


class RollbackWindow(Model):
    """How far back a rollback may go and skip the steps."""

    revisions: Int32 | None = None
    """Revisions back; a rollback within them is made at once."""


class AnalysisHistory(Model):
    """How many finished AnalysisRuns and Experiments are kept."""

    successful_run_history_limit: Int32 | None = None
    """Successful ones. Default 5."""
    unsuccessful_run_history_limit: Int32 | None = None
    """Failed, inconclusive and erroneous ones. Default 5."""


class Strategy(Model):
    """How a new version takes over: exactly one key."""

    RULES = (Rule(rule="has(self.canary) != has(self.blueGreen)", message="set exactly one of canary and blueGreen"),)

    canary: CanaryStrategy | None = None
    """Step by step."""
    blue_green: BlueGreenStrategy | None = None
    """By a switch."""


class RolloutSpec(Model):
    """What is wanted."""

    replicas: Int32 | None = None
    """Pods. Default 1."""
    selector: Annotated[LabelSelector, SELECTOR_IS_IMMUTABLE] | None = None
    """Picks the Rollout's pods; must match the template's labels and can't be changed. Left out with a workloadRef."""
    template: PodTemplate | None = None
    """The pods. Left out with a workloadRef."""
    workload_ref: WorkloadRef | None = None
    """A workload to take template and selector from."""
    min_ready_seconds: Int32 | None = None
    """Seconds a pod must be ready before it counts as available. Default 0."""
    revision_history_limit: Int32 | None = None
    """Old ReplicaSets kept for rollbacks. Default 10."""
    rollback_window: RollbackWindow | None = None
    """How far back a rollback may go and skip the steps. Default: none does."""
    strategy: Strategy | None = None
    """How a new version takes over."""
    paused: Bool | None = None
    """True: a person stopped the update where it is. Default false."""
    progress_deadline_seconds: Int32 | None = None
    """Seconds without progress after which the update counts as failed; more than minReadySeconds. Default 600."""
    progress_deadline_abort: Bool | None = None
    """True: an update that failed so is aborted. Default false."""
    restart_at: Time | None = None
    """Pods older than this time are replaced one after another."""
    analysis: AnalysisHistory | None = None
    """How many finished AnalysisRuns and Experiments are kept."""

    @property
    def effective_revision_history_limit(self) -> int:
        """Old ReplicaSets kept."""
        limit = self.revision_history_limit
        return defaults.REVISION_HISTORY_LIMIT if limit is None else limit

    @property
    def effective_progress_deadline_seconds(self) -> int:
        """Seconds without progress after which the update counts as failed."""
        deadline = self.progress_deadline_seconds
        return defaults.PROGRESS_DEADLINE_SECONDS if deadline is None else deadline

    @property
    def effective_min_ready_seconds(self) -> int:
        """Seconds a pod must be ready before it counts as available."""
        return self.min_ready_seconds or 0

    @property
    def canary(self) -> CanaryStrategy | None:
        """The canary strategy, if that is the one."""
        return self.strategy.canary if self.strategy else None

    @property
    def blue_green(self) -> BlueGreenStrategy | None:
        """The blue/green strategy, if that is the one."""
        return self.strategy.blue_green if self.strategy else None


class Rollout(Model):
    """Runs pods and releases new versions of them progressively."""

    api_version: str | None = None
    """`argoproj.io/v1alpha1`."""
    kind: str | None = None
    """`Rollout`."""
    metadata: ObjectMeta = ObjectMeta()
    """Name, labels and bookkeeping."""
    spec: RolloutSpec
    """What is wanted."""
    status: RolloutStatus = RolloutStatus()
    """What is remembered."""
