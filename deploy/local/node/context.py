"""What the parts of one pod share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from deploy.local.node.client import Client, Object
from deploy.local.node.environment import Facts
from deploy.local.node.events import Recorder
from deploy.local.node.processes import MARK
from deploy.local.node.settings import Settings
from deploy.local.processes import REPOSITORY


@dataclass(frozen=True, kw_only=True)
class PodContext:
    """One pod on this node; `changed` is called when its status may be another."""

    pod: Object
    address: str
    settings: Settings
    client: Client
    recorder: Recorder
    http: aiohttp.ClientSession
    changed: Callable[[], None]

    @property
    def directory(self) -> Path:
        """The pod's folder: logs by container, and the working folder of processes that ask for none."""
        return pod_directory(self.settings, self.pod)

    @property
    def facts(self) -> Facts:
        """The pod as its containers may see it."""
        return Facts(pod=self.pod, address=self.address, host=self.settings.address)

    def tell(self, reason: str, message: str) -> None:
        """Record an event about the pod."""
        self.recorder.tell(self.pod, reason, message)

    def base_environment(self, container: str) -> dict[str, str]:
        """What a container's processes get: this interpreter first on the path, this repository importable, POD_IP."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return {
            "PATH": path, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1", "LANG": "C.UTF-8",
            "HOME": str(self.directory), "HOSTNAME": self.pod["metadata"]["name"], "POD_IP": self.address,
            MARK: str(self.directory / container),
        }  # fmt: skip


def pod_directory(settings: Settings, pod: Object) -> Path:
    """As a kubelet names it: namespace, name and uid."""
    meta = pod["metadata"]
    return settings.directory / "pods" / f"{meta['namespace']}_{meta['name']}_{meta['uid']}"


def log_file(directory: Path, container: str, start: int) -> Path:
    """The log of a container's n-th start, from 0."""
    return directory / container / f"{start}.log"
