"""Start a process node beside a plane.

    with Plane(nodes=0, network=True) as plane, ProcessNode(plane=plane) as node:
        plane.kubectl("create", "deployment", "web", "--image=any", "--", "python", "-m", "http.server", …)

It has a real node's rights (`system:node:NAME`), so what it may not do, a kubelet may not either.
"""

from __future__ import annotations

import sys
from pathlib import Path

from deploy.local.errors import LocalError
from deploy.local.node.settings import NODE_ADDRESS, POD_CIDR
from deploy.local.plane import Plane
from deploy.local.processes import REPOSITORY

READY_SECONDS = 60.0


class ProcessNode:
    """A node; start it with `with`, or with `start` and `stop`.

    The plane must have a network of its own. Nodes of one plane need different names, addresses and `pod_cidr`s.
    `back_off` and `back_off_limit` are seconds before a crashed container is started a second and a last time;
    `api_timeout` is how many seconds without an API server end the node, and with it its pods' processes.
    """

    def __init__(
        self, *, plane: Plane, name: str = "process-0", address: str = NODE_ADDRESS, pod_cidr: str = POD_CIDR,
        back_off: float = 1.0, back_off_limit: float = 30.0, api_timeout: float = 300.0,
    ) -> None:  # fmt: skip
        self.name = name
        self._plane = plane
        self._flags = {
            "name": name, "address": address, "pod-cidr": pod_cidr, "back-off": back_off,
            "back-off-limit": back_off_limit, "api-timeout": api_timeout,
        }  # fmt: skip

    def __enter__(self) -> ProcessNode:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def directory(self) -> Path:
        """Its folder in that of the plane; logs are in `pods/NAMESPACE_POD_UID/CONTAINER/N.log`."""
        return self._plane.directory / "nodes" / self.name

    @property
    def process(self) -> str:
        """What the plane's processes call it: `plane.processes.pids()[node.process]`."""
        return f"node-{self.name}"

    def start(self) -> ProcessNode:
        """Start it and wait until pods can be scheduled to it; returns itself."""
        if not self._plane.network:
            raise LocalError("a process node needs addresses for its pods: start the plane with network=True")
        self._launch()
        try:
            self._plane.processes.wait_for(what=f"node {self.name}", probe=self._is_ready, seconds=READY_SECONDS)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End it and the processes of its pods; the pods stay in the API. May be called again, once started."""
        self._plane.processes.stop(self.process)

    def _launch(self) -> None:
        user = f"system:node:{self.name}"
        kubeconfig = self._plane.credentials_for(self.process, user=user, groups=("system:nodes",), inside=True)
        flags = {**self._flags, "kubeconfig": kubeconfig, "directory": self.directory}
        argv = [sys.executable, "-m", "deploy.local.node", *(f"--{key}={value}" for key, value in flags.items())]
        self._plane.run(self.process, argv, cwd=REPOSITORY)

    def _is_ready(self) -> bool:
        node = self._plane.client.get(f"/api/v1/nodes/{self.name}") or {}
        conditions = node.get("status", {}).get("conditions", [])
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
        return ready and not node["spec"].get("taints")
