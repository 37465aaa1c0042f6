"""What tests of the process node share: pods of shell scripts, and a look at the processes that run for them."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.local.errors import LocalError
from deploy.local.node.launcher import ProcessNode
from deploy.local.node.processes import MARK
from deploy.local.plane import Plane

Object = dict[str, Any]
NUMBERS = itertools.count(1)
#: Runs until it is told to stop, and stops at once.
SLEEP = "exec sleep 1000"


def until(what: str, probe: Callable[[], Any], *, seconds: float = 30.0) -> Any:
    """What the probe returns, once it is true; LookupError, KeyError and LocalError count as 'not yet'."""
    deadline, seen = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        try:
            if seen := probe():
                return seen
        except (LookupError, LocalError) as error:
            seen = error
        time.sleep(0.05)
    raise AssertionError(f"{what}: not so after {seconds:g} s (last seen: {seen!r})")


def shell(script: str, *, name: str = "main", **fields: Any) -> Object:
    """A container that runs a script."""
    return {"name": name, "image": "any", "command": ["sh", "-c", script], **fields}


class Pods:
    """Pods in namespace `default`, on one node."""

    def __init__(self, *, plane: Plane, node: ProcessNode) -> None:
        self.plane = plane
        self.node = node

    def create(self, *containers: Object, grace: int = 5, **spec: Any) -> str:
        """A pod on the node; returns its name."""
        name = f"pod-{next(NUMBERS)}"
        whole = {"containers": list(containers), "terminationGracePeriodSeconds": grace,
                 "nodeSelector": {"kubernetes.io/hostname": self.node.name}, **spec}  # fmt: skip
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"pod": name}}, "spec": whole}
        self.plane.client.apply(_path(name), pod)
        return name

    def delete(self, name: str, *, grace: int | None = None) -> None:
        """Ask for its deletion; returns at once."""
        query = "" if grace is None else f"?gracePeriodSeconds={grace}"
        assert self.plane.client.request("DELETE", _path(name) + query)[0] == 200

    def get(self, name: str) -> Object:
        """The pod; LookupError if it is gone."""
        found: Object | None = self.plane.client.get(_path(name))
        if found is None:
            raise LookupError(f"pod {name} is gone")
        return found

    def is_gone(self, name: str) -> bool:
        return self.plane.client.get(_path(name)) is None

    def container(self, name: str, container: str = "main") -> Object:
        """A container's status; LookupError while there is none."""
        status = self.get(name).get("status", {})
        every = [*status.get("containerStatuses", []), *status.get("initContainerStatuses", [])]
        return next(iter([found for found in every if found["name"] == container])) if every else _nothing(container)

    def condition(self, name: str, kind: str) -> str:
        """`True`, `False`, or empty while there is no such condition."""
        conditions = self.get(name).get("status", {}).get("conditions", [])
        return next((str(condition["status"]) for condition in conditions if condition["type"] == kind), "")

    def is_ready(self, name: str) -> bool:
        return self.condition(name, "Ready") == "True"

    def phase(self, name: str) -> str:
        return str(self.get(name)["status"]["phase"])

    def await_ready(self, name: str) -> Object:
        """The pod, once it is ready."""
        until(f"{name} is ready", lambda: self.is_ready(name))
        return self.get(name)

    def await_waiting(self, name: str, reason: str, container: str = "main") -> str:
        """The message, once a container waits for that reason."""

        def waits() -> Object:
            waiting: Object = self.container(name, container)["state"]["waiting"]
            return waiting if waiting["reason"] == reason else {}

        return str(until(f"{name} waits for {reason}", waits).get("message", ""))

    def processes(self, name: str) -> list[int]:
        """The pids of everything that runs for a pod."""
        return [pid for pid in self.all_processes() if f"HOSTNAME={name}".encode() in environment(pid)]

    def all_processes(self) -> list[int]:
        """The pids of everything that runs for any pod of this node."""
        return marked(self.node.directory)

    def events(self, name: str) -> list[tuple[str, str]]:
        """Reason and message of the events about a pod."""
        items = self.plane.client.get("/api/v1/namespaces/default/events")["items"]
        return [(e["reason"], e["message"]) for e in items if e["involvedObject"]["name"] == name]


def marked(folder: Path) -> list[int]:
    """The pids of everything that runs for the pods of the node with this folder."""
    mark = f"{MARK}={folder}/".encode()
    running = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in running if any(value.startswith(mark) for value in environment(pid))]


def environment(pid: int) -> list[bytes]:
    """Of a process; empty if it is gone."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def kill(pids: list[int], number: int) -> None:
    """Signal each of them."""
    for pid in pids:
        os.kill(pid, number)


def _path(name: str) -> str:
    return f"/api/v1/namespaces/default/pods/{name}"


def _nothing(container: str) -> Object:
    raise LookupError(f"no status of container {container} yet")
