"""In which order objects are applied; pruning goes the other way round.

A stage ends before the next begins: what later objects need (their namespace, their kind, the accounts they run as)
must be there, and a webhook must not judge objects before its own Deployment runs. Inside a stage the row counts, then
the name, so that a pass over the same commit always does the same things in the same order.
"""

from __future__ import annotations

from rollouts.gitops.objects import Ref

FOUNDATION = (
    "Namespace",
    "CustomResourceDefinition",
    "StorageClass",
    "PriorityClass",
    "RuntimeClass",
    "IngressClass",
    "GatewayClass",
    "ClusterRole",
    "ClusterRoleBinding",
)
CONFIGURATION = (
    "ResourceQuota",
    "LimitRange",
    "NetworkPolicy",
    "ServiceAccount",
    "Role",
    "RoleBinding",
    "PodDisruptionBudget",
    "Secret",
    "ConfigMap",
    "PersistentVolume",
    "PersistentVolumeClaim",
)
WORKLOADS = (
    "ClusterAnalysisTemplate",
    "AnalysisTemplate",
    "Service",
    "Gateway",
    "HTTPRoute",
    "Ingress",
    "",  # every kind that is not named
    "DaemonSet",
    "StatefulSet",
    "Deployment",
    "Rollout",
    "HorizontalPodAutoscaler",
    "CronJob",
    "Job",
)
ADMISSION = (
    "APIService",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "MutatingWebhookConfiguration",
    "ValidatingWebhookConfiguration",
)
STAGES = (FOUNDATION, CONFIGURATION, WORKLOADS, ADMISSION)

_ANY = (2, WORKLOADS.index(""))
_PLACES = {kind: (stage, row) for stage, kinds in enumerate(STAGES) for row, kind in enumerate(kinds) if kind}


def place(ref: Ref) -> tuple[int, int]:
    """Stage and row of an object, both from 0. Other classes of Kubernetes' own groups (VolumeSnapshotClass, …) go with
    the named ones; those of an operator wait for it like anything else."""
    known = _PLACES.get(ref.kind)
    if known is None and ref.kind.endswith("Class") and ref.group.endswith(".k8s.io") and not ref.namespace:
        return _PLACES["StorageClass"]
    return known or _ANY


def key(ref: Ref) -> tuple[tuple[int, int], Ref]:
    """The sort key of an object."""
    return place(ref), ref
