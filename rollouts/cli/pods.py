"""What a pod is doing, in the word `kubectl get pods` uses, and whether that is good."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rollouts.cli import world
from rollouts.cli.text import BAD, BUSY, GOOD, State, state
from rollouts.cli.world import JSON

_BAD_WORDS = ("BackOff", "Err", "Invalid", "Failed", "OOMKilled", "Evicted", "Error", "NodeLost", "Unschedulable")


def pod_state(pod: JSON) -> State:
    """The pod's state: a word such as Running, ContainerCreating, CrashLoopBackOff, Init:0/1, Terminating."""
    word = _word(pod)
    return state(word, _look(word, pod))


def ready_counts(pod: JSON) -> tuple[int, int]:
    """(ready containers, containers)."""
    total = len(world.spec(pod).get("containers") or ())
    statuses = world.status(pod).get("containerStatuses")
    if statuses is None:
        return (total if is_ready(pod) else 0), total
    return sum(bool(item.get("ready")) for item in statuses), total


def is_ready(pod: JSON) -> bool:
    """Whether the pod's Ready condition is True."""
    return world.condition(pod, "Ready").get("status") == "True"


def restarts(pod: JSON) -> int:
    """Restarts of all containers together."""
    return sum(int(item.get("restartCount") or 0) for item in world.status(pod).get("containerStatuses") or ())


def trouble(pod: JSON) -> str:
    """What keeps the pod from running, as far as it says: a waiting container's message, or why it isn't scheduled."""
    status = world.status(pod)
    for item in [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]:
        waiting = (item.get("state") or {}).get("waiting") or {}
        if waiting.get("message"):
            return str(waiting["message"])
    scheduled = world.condition(pod, "PodScheduled")
    return str(scheduled.get("message") or "") if scheduled.get("status") == "False" else ""


def _word(pod: JSON) -> str:
    if world.metadata(pod).get("deletionTimestamp"):
        return "Terminating"
    status = world.status(pod)
    phase = str(status.get("reason") or status.get("phase") or "Unknown")
    return _initialising(pod) or _of_containers(status) or phase


def _initialising(pod: JSON) -> str:
    done, total = 0, len(world.spec(pod).get("initContainers") or ())
    for item in world.status(pod).get("initContainerStatuses") or ():
        current = item.get("state") or {}
        if item.get("started") or (current.get("terminated") or {}).get("exitCode") == 0:
            done += 1
            continue
        word = _reason(current, ignore=("PodInitializing",))
        return f"Init:{word}" if word else f"Init:{done}/{total}"
    return ""


def _of_containers(status: JSON) -> str:
    words = [_reason(item.get("state") or {}) for item in status.get("containerStatuses") or ()]
    return next((word for word in words if word and word != "Completed"), next(filter(None, words), ""))


def _reason(current: Mapping[str, Any], *, ignore: tuple[str, ...] = ()) -> str:
    """Why a container isn't running; empty when it is."""
    waiting, ended = current.get("waiting") or {}, current.get("terminated") or {}
    if waiting.get("reason") in ignore:
        return ""
    if ended:
        return str(ended.get("reason") or f"ExitCode:{ended.get('exitCode')}")
    return str(waiting.get("reason") or "")


def _look(word: str, pod: JSON) -> str:
    if any(part in word for part in _BAD_WORDS):
        return BAD
    done = word in ("Succeeded", "Completed") or (word == "Running" and is_ready(pod))
    return GOOD if done else BUSY
