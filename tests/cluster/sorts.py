"""Rollouts of every sort, each with what it needs, kept apart from others of the namespace by an instance id.

All of them go to the end by themselves within seconds.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.cluster.space import JSON, rollout, service

LABEL = "argo-rollouts.argoproj.io/controller-instance-id"
STEPS = [{"setWeight": 50}, {"pause": {"duration": 1}}, {"setWeight": 100}]


def canary(name: str) -> tuple[JSON, ...]:
    """By pods alone."""
    return (rollout(name, steps=STEPS, replicas=2, labels={LABEL: name}),)


def behind_a_router(name: str) -> tuple[JSON, ...]:
    """With Services, a router, and pods that stay for a second."""
    strategy = {
        "canaryService": f"{name}-canary",
        "stableService": f"{name}-stable",
        "scaleDownDelaySeconds": 1,
        "abortScaleDownDelaySeconds": 1,
        "trafficRouting": {"plugins": {"test/router": {"configMap": name}}},
        "canaryMetadata": {"labels": {"role": "canary"}},
        "stableMetadata": {"labels": {"role": "stable"}},
    }
    made = rollout(name, steps=STEPS, replicas=2, labels={LABEL: name})
    made["spec"]["strategy"]["canary"] = {"steps": STEPS, **strategy}
    routes = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
    return (service(f"{name}-canary", name), service(f"{name}-stable", name), routes, made)


def blue_green(name: str) -> tuple[JSON, ...]:
    """With a small preview, a pause, and pods that stay for a second."""
    strategy = {
        "activeService": f"{name}-active",
        "previewService": f"{name}-preview",
        "previewReplicaCount": 1,
        "autoPromotionSeconds": 1,
        "scaleDownDelaySeconds": 1,
        "abortScaleDownDelaySeconds": 1,
    }
    made = rollout(name, replicas=2, labels={LABEL: name})
    made["spec"]["strategy"] = {"blueGreen": strategy}
    return (service(f"{name}-active", name), service(f"{name}-preview", name), made)


def with_an_experiment(name: str) -> tuple[JSON, ...]:
    """With an `experiment` step, whose ReplicaSet has a label of its own."""
    labels = {"app": "tried"}
    tried = {"name": "a", "specRef": "canary", "metadata": {"labels": labels}, "selector": {"matchLabels": labels}}
    step = {"experiment": {"duration": "1s", "scaleDownDelaySeconds": 0, "templates": [tried]}}
    return (rollout(name, steps=[step, *STEPS], replicas=2, labels={LABEL: name}),)


Sort = Callable[[str], tuple[JSON, ...]]
SORTS: tuple[Sort, ...] = (canary, with_an_experiment, behind_a_router, blue_green)
