"""A pod in a word, the one `kubectl get pods` uses."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.cli.pods import pod_state, ready_counts, restarts

READY = {"conditions": [{"type": "Ready", "status": "True"}]}


def container(ready: bool = False, restarts: int = 0, **state: Any) -> dict[str, Any]:
    return {"name": "app", "ready": ready, "restartCount": restarts, "state": state}


def waiting(reason: str) -> dict[str, Any]:
    return container(waiting={"reason": reason})


def ended(code: int, reason: str = "") -> dict[str, Any]:
    return container(terminated={"exitCode": code, **({"reason": reason} if reason else {})})


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        ({}, "◌ Unknown"),
        ({"phase": "Pending"}, "◌ Pending"),
        ({"phase": "Running", "containerStatuses": [container(running={})]}, "◌ Running"),
        ({"phase": "Running", "containerStatuses": [container(ready=True, running={})], **READY}, "✔ Running"),
        ({"phase": "Pending", "containerStatuses": [waiting("ContainerCreating")]}, "◌ ContainerCreating"),
        ({"phase": "Pending", "containerStatuses": [waiting("ImagePullBackOff")]}, "✖ ImagePullBackOff"),
        ({"phase": "Pending", "containerStatuses": [waiting("ErrImagePull")]}, "✖ ErrImagePull"),
        ({"phase": "Running", "containerStatuses": [waiting("CrashLoopBackOff")]}, "✖ CrashLoopBackOff"),
        ({"phase": "Running", "containerStatuses": [ended(137, "OOMKilled")]}, "✖ OOMKilled"),
        ({"phase": "Running", "containerStatuses": [ended(3)]}, "◌ ExitCode:3"),
        ({"phase": "Succeeded", "containerStatuses": [ended(0, "Completed")]}, "✔ Completed"),
        ({"phase": "Failed", "reason": "Evicted"}, "✖ Evicted"),
        ({"phase": "Pending", "initContainerStatuses": [container(running={})]}, "◌ Init:0/2"),
        (
            {"phase": "Pending", "initContainerStatuses": [ended(0), waiting("CrashLoopBackOff")]},
            "✖ Init:CrashLoopBackOff",
        ),
        ({"phase": "Pending", "initContainerStatuses": [ended(0), waiting("PodInitializing")]}, "◌ Init:1/2"),
    ],
)
def test_state(status: dict[str, Any], shown: str) -> None:
    spec = {"containers": [{"name": "app"}], "initContainers": [{}, {}] if "initContainerStatuses" in status else []}
    assert str(pod_state({"metadata": {}, "spec": spec, "status": status})) == shown


def test_a_pod_that_goes_is_terminating() -> None:
    pod = {"metadata": {"deletionTimestamp": "2026-11-21T06:21:33Z"}, "status": {"phase": "Running", **READY}}
    assert str(pod_state(pod)) == "◌ Terminating"


def test_counts() -> None:
    status = {"containerStatuses": [container(ready=True, restarts=2), container(restarts=1)]}
    pod = {"spec": {"containers": [{}, {}]}, "status": status}
    assert (ready_counts(pod), restarts(pod)) == ((1, 2), 3)
    assert ready_counts({"spec": {"containers": [{}]}, "status": READY}) == (1, 1)
