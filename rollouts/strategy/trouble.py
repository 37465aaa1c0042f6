"""Trouble: what keeps the pods of a ReplicaSet from coming up, in the words of whoever found out.

A progress deadline is ten minutes by default; that an image can't be pulled is known after ten seconds. The kubelet
says so in `status.containerStatuses[].state.waiting`, the scheduler in the condition `PodScheduled`, the ReplicaSet
controller (quota, admission) in the ReplicaSet's condition `ReplicaFailure`. All three become a `Trouble`:

    found by              shown                                                              hopeless
    kubelet, waiting      container web: ImagePullBackOff: Back-off pulling image "web:2"    see WAITING
    kubelet, exits        container web: CrashLoopBackOff: exit code 1 (Error): no database  from the 2nd restart
    scheduler             Unschedulable: 0/3 nodes are available: …                          never: nodes may come
    ReplicaSet            FailedCreate: exceeded quota …                                     never: quotas change

`hopeless` is what does not get better by waiting; with `progressDeadlineAbort` it aborts at once instead of at the
deadline. What changes from look to look (back-off times, names of pods, counts) is left out of the words: a status that
says the same is not written again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

JSON = Mapping[str, Any]

CRASHING: Final = "CrashLoopBackOff"
UNSCHEDULABLE: Final = "Unschedulable"
FAILED_CREATE: Final = "ReplicaFailure"

WAITING: Final[Mapping[str, bool]] = {
    "ErrImagePull": False,
    "ImagePullBackOff": True,
    "ImageInspectError": True,
    "ErrImageNeverPull": True,
    "InvalidImageName": True,
    "CreateContainerConfigError": True,
    "CreateContainerError": True,
    "RunContainerError": True,
}
"""Reasons a kubelet gives for a container that does not start, and whether they are hopeless. The first failed pull may
be a hiccup of the registry; the back-off comes after a second."""
CRASHES: Final = 2
"""Restarts from which a container that ends by itself is hopeless: the first may have come before its database."""
_LONGEST: Final = 300
_MOST: Final = 3
_GENERATED: Final = re.compile(r'^pods "[^"]*" (?=is forbidden)')
"""Each attempt to create a pod is refused under another name."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Trouble:
    """One thing that is wrong. `container` is empty when it is about a whole pod, or about pods that don't exist."""

    reason: str
    container: str = ""
    message: str = ""
    hopeless: bool = False

    def __str__(self) -> str:
        where = f"container {self.container}: " if self.container else ""
        return f"{where}{self.reason}" + (f": {self.message}" if self.message else "")


def troubles(pods: Iterable[JSON]) -> tuple[Trouble, ...]:
    """What is wrong with these pods, the hopeless first, each once however many pods have it. Pods that are being
    deleted don't count."""
    found = {trouble for pod in pods if not _mapping(pod, "metadata").get("deletionTimestamp") for trouble in _of(pod)}
    return tuple(sorted(found, key=lambda trouble: (not trouble.hopeless, trouble)))


def failures(replica_set: JSON) -> tuple[Trouble, ...]:
    """What the ReplicaSet controller complains of: it can't create (or delete) pods."""
    condition = replica_failure(replica_set)
    if condition is None:
        return ()
    reason, message = str(condition.get("reason") or FAILED_CREATE), _line(condition.get("message"))
    return (Trouble(reason=reason, message=_GENERATED.sub("a pod ", message)),)


def replica_failure(replica_set: JSON) -> JSON | None:
    """A ReplicaSet's condition `ReplicaFailure`, when it is true."""
    conditions = _mapping(replica_set, "status").get("conditions")
    mine = (c for c in _mappings(conditions) if c.get("type") == FAILED_CREATE and c.get("status") == "True")
    return next(mine, None)


def summary(found: Sequence[Trouble]) -> str:
    """All of it in one line; empty when nothing is wrong."""
    shown = "; ".join(map(str, found[:_MOST]))
    return shown + (f"; and {len(found) - _MOST} more" if len(found) > _MOST else "")


def fatal(found: Sequence[Trouble]) -> str | None:
    """The hopeless part in one line; None when waiting may help."""
    return summary([trouble for trouble in found if trouble.hopeless]) or None


def crashing(found: Iterable[Trouble]) -> bool:
    """Whether containers start and end again: then a pod that becomes ready is no progress."""
    return any(trouble.reason == CRASHING for trouble in found)


def short(replica_set: JSON) -> bool:
    """Whether a ReplicaSet has fewer ready pods than it should have: only then is anything to be found."""
    wanted = _mapping(replica_set, "spec").get("replicas", 1)
    return _integer(wanted) > _integer(_mapping(replica_set, "status").get("readyReplicas"))


def _of(pod: JSON) -> Iterator[Trouble]:
    status = _mapping(pod, "status")
    for key in ("initContainerStatuses", "containerStatuses"):
        for container in _mappings(status.get(key)):
            trouble = _container(container)
            if trouble is not None:
                yield trouble
    for condition in _mappings(status.get("conditions")):
        if condition.get("type") == "PodScheduled" and condition.get("reason") == UNSCHEDULABLE:
            yield Trouble(reason=UNSCHEDULABLE, message=_line(condition.get("message")))


def _container(status: JSON) -> Trouble | None:
    name = str(status.get("name") or "")
    waiting = _mapping(_mapping(status, "state"), "waiting")
    reason = str(waiting.get("reason") or "")
    if reason in WAITING:
        message = _line(waiting.get("message"))
        return Trouble(container=name, reason=reason, message=message, hopeless=WAITING[reason])
    exited = _mapping(_mapping(status, "state"), "terminated") or _mapping(_mapping(status, "lastState"), "terminated")
    restarts = _integer(status.get("restartCount"))
    ended = reason == CRASHING or (not status.get("ready") and restarts >= CRASHES and _integer(exited.get("exitCode")))
    if not ended:
        return None
    return Trouble(container=name, reason=CRASHING, message=_exit(exited), hopeless=restarts >= CRASHES)


def _exit(terminated: JSON) -> str:
    """`exit code 1 (Error): last words`; empty when nothing is known."""
    if "exitCode" not in terminated:
        return ""
    reason = f" ({terminated['reason']})" if terminated.get("reason") else ""
    words = _line(terminated.get("message"))
    return f"exit code {terminated['exitCode']}{reason}" + (f": {words}" if words else "")


def _line(text: object) -> str:
    """The last line that says something, of bounded length."""
    lines = [line.strip() for line in str(text or "").splitlines() if line.strip()]
    return lines[-1][:_LONGEST] if lines else ""


def _mapping(obj: JSON, key: str) -> JSON:
    value = obj.get(key)
    return value if isinstance(value, Mapping) else {}


def _mappings(value: object) -> list[JSON]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []


def _integer(value: object) -> int:
    return value if isinstance(value, int) else 0
