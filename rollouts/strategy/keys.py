"""Labels and annotations shared with Argo Rollouts, spelled exactly as it does."""

from __future__ import annotations

from typing import Final

POD_HASH: Final = "rollouts-pod-template-hash"
REVISION: Final = "rollout.argoproj.io/revision"
REVISION_HISTORY: Final = "rollout.argoproj.io/revision-history"
DESIRED_REPLICAS: Final = "rollout.argoproj.io/desired-replicas"
WORKLOAD_GENERATION: Final = "rollout.argoproj.io/workload-generation"
SCALED_DOWN_FROM: Final = "rollout.argoproj.io/scaled-down-from"
SCALE_DOWN_DEADLINE: Final = "scale-down-deadline"
MANAGED_BY: Final = "argo-rollouts.argoproj.io/managed-by-rollouts"
EPHEMERAL_METADATA: Final = "rollout.argoproj.io/ephemeral-metadata"
STALE_METADATA: Final = "rollouts.dev/stale-pod-metadata"
OBSERVED_GENERATION: Final = "rollouts.dev/observed-generation"
INSTANCE_ID: Final = "argo-rollouts.argoproj.io/controller-instance-id"
ROLLOUT_TYPE: Final = "rollout-type"
STEP_INDEX: Final = "step-index"
EXPERIMENT_NAME: Final = "experiment.argoproj.io/name"
EXPERIMENT_TEMPLATE: Final = "experiment.argoproj.io/template-name"

NOT_COPIED_TO_REPLICA_SETS: Final = frozenset(
    {
        "kubectl.kubernetes.io/last-applied-configuration",
        "notified.notifications.argoproj.io",
        REVISION,
        REVISION_HISTORY,
        DESIRED_REPLICAS,
        OBSERVED_GENERATION,
    }
)
