"""What the API server is told of a pod: pure functions of its containers' statuses.

Conditions are patched by type (strategic merge), so those of readiness gates, which are others' to write, stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from deploy.local.node.client import Object

FINISHED = ("Succeeded", "Failed")


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A pod condition that is ours to write; `reason` and `message` only when it isn't true."""

    type: str
    holds: bool
    reason: str = ""
    message: str = ""


def pod_status(
    *, pod: Object, address: str, host: str, started_at: str, containers: Sequence[Object], inits: Sequence[Object],
    initialized: bool, over: bool, now: str,
) -> Object:  # fmt: skip
    """The pod's status; `over` says that no container will run again, `now` is the time in the API's form."""
    phase = pod_phase(containers=containers, initialized=initialized, over=over)
    shown = containers if initialized else [_initializing(status) for status in containers]
    conditions = pod_conditions(pod=pod, containers=shown, initialized=initialized, phase=phase)
    before = {condition["type"]: condition for condition in pod.get("status", {}).get("conditions", [])}
    return {
        "phase": phase, "hostIP": host, "hostIPs": [{"ip": host}], "podIP": address, "podIPs": [{"ip": address}],
        "startTime": started_at, "containerStatuses": list(shown),
        **({"initContainerStatuses": list(inits)} if inits else {}),
        "conditions": [_written(condition, before=before.get(condition.type, {}), now=now) for condition in conditions],
    }  # fmt: skip


def pod_phase(*, containers: Sequence[Object], initialized: bool, over: bool) -> str:
    """Pending until each container has been started once; Succeeded or Failed when all have ended for good."""
    if over:
        codes = [status["state"].get("terminated", {}).get("exitCode", 1) for status in containers]
        return "Failed" if any(codes) or not initialized else "Succeeded"
    begun = all(status["state"].keys() - {"waiting"} or status["lastState"] for status in containers)
    return "Running" if initialized and begun else "Pending"


def pod_conditions(*, pod: Object, containers: Sequence[Object], initialized: bool, phase: str) -> list[Condition]:
    """Ready is ContainersReady and every readiness gate."""
    containers_ready = _containers_ready(containers, phase=phase)
    return [
        Condition(type="PodScheduled", holds=True),
        Condition(type="PodReadyToStartContainers", holds=phase not in FINISHED),
        Condition(type="Initialized", holds=initialized, reason="" if initialized else "ContainersNotInitialized"),
        containers_ready,
        _ready(pod, containers_ready),
    ]


def _containers_ready(containers: Sequence[Object], *, phase: str) -> Condition:
    if phase in FINISHED:
        return Condition(
            type="ContainersReady", holds=False, reason="PodCompleted" if phase == "Succeeded" else "PodFailed"
        )
    unready = " ".join(status["name"] for status in containers if not status["ready"])
    if not unready:
        return Condition(type="ContainersReady", holds=True)
    message = f"containers with unready status: [{unready}]"
    return Condition(type="ContainersReady", holds=False, reason="ContainersNotReady", message=message)


def _ready(pod: Object, containers_ready: Condition) -> Condition:
    if not containers_ready.holds:
        return Condition(type="Ready", holds=False, reason=containers_ready.reason, message=containers_ready.message)
    gates = [gate["conditionType"] for gate in pod["spec"].get("readinessGates", [])]
    status = {condition["type"]: condition["status"] for condition in pod.get("status", {}).get("conditions", [])}
    for gate in gates:
        if status.get(gate) != "True":
            missing = "does not exist" if gate not in status else 'has status of "False"'
            message = f'corresponding condition of pod readiness gate "{gate}" {missing}.'
            return Condition(type="Ready", holds=False, reason="ReadinessGatesNotReady", message=message)
    return Condition(type="Ready", holds=True)


def _initializing(status: Object) -> Object:
    waiting = {"waiting": {"reason": "PodInitializing"}}
    return (
        status
        if status["state"].get("waiting", {}).get("reason") != "ContainerCreating"
        else {**status, "state": waiting}
    )


def _written(condition: Condition, *, before: Object, now: str) -> dict[str, Any]:
    """Its transition time is when its status became another; null takes away what an earlier one had."""
    status = "True" if condition.holds else "False"
    since = before.get("lastTransitionTime") if before.get("status") == status else None
    return {
        "type": condition.type, "status": status, "lastTransitionTime": since or now, "lastProbeTime": None,
        "reason": condition.reason or None, "message": condition.message or None,
    }  # fmt: skip
