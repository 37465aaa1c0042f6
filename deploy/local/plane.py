"""A whole control plane that comes up in seconds and goes without a trace.

    with Plane(nodes=1) as plane:
        subprocess.run(["kubectl", "--kubeconfig", plane.kubeconfig, "get", "nodes"])

With `network=True` it lives in a network namespace of its own, where each pod can have a real address (10.244.0.0/16).
What is to reach pods runs in there too (`run`, `popen`, `run_inside`); what is outside reaches in by `expose`, as
kubectl does through `kubeconfig`. Without it everything is on 127.0.0.1.

The processes hang off a supervisor (`supervisor.py`), so they end with the owner, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TextIO

from deploy.local.components import COMPONENTS, GUEST_RANK, Layout
from deploy.local.credentials import Credentials
from deploy.local.doors import Door, hold_port, listen, open_door, port_of
from deploy.local.errors import LocalError
from deploy.local.namespaces import find_namespace
from deploy.local.processes import REPOSITORY, Processes
from deploy.local.tools import ensure_tools

POD_NETWORK_ADDRESS, POD_NETWORK_PREFIX, INSIDE_PORT = "10.244.0.1", 16, 6443
READY_SECONDS = 90.0
#: Long watches keep it from ending by itself.
APISERVER_GRACE_SECONDS = 1.0


class Plane:
    """A control plane; start it with `with`, or with `start` and `stop`.

    `directory` holds state, logs and kubeconfigs, and is kept; without one a temporary folder is used and removed.
    `nodes` is how many simulated nodes there are: with 0, kwok is neither built nor started.
    Raises LocalError (see `errors.py`) where a tool can't be had, a namespace is refused or a part does not come up.
    """

    def __init__(self, *, directory: Path | None = None, nodes: int = 1, network: bool = False) -> None:
        self.nodes = nodes
        self.network = network
        self._wanted = directory
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> Plane:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Plane:
        """Bring everything up and wait until pods could be created; returns itself."""
        self._tools = ensure_tools(name for name in COMPONENTS if name != "kwok" or self.nodes)
        try:
            self._prepare()
            self._start_components()
            self._await_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop everything, the API server before etcd; may be called again."""
        self._cleanup.close()

    @property
    def pid(self) -> int:
        """The supervisor's process, which is in the plane's namespace if it has one."""
        return self.processes.pid

    def check(self) -> None:
        """Raise ProcessDiedError, with the end of its log, if a part died."""
        self.processes.check()

    def stop_apiserver(self) -> None:
        """Take the API server away; its port stays ours."""
        self.processes.stop("kube-apiserver", grace=APISERVER_GRACE_SECONDS)

    def start_apiserver(self) -> None:
        """Bring the API server back on the same port and wait until it is ready."""
        self._start_component("kube-apiserver")
        self._await_apiserver()

    def restart_apiserver(self) -> None:
        """Gone and back again."""
        self.stop_apiserver()
        self.start_apiserver()

    def credentials_for(self, name: str, *, user: str, groups: tuple[str, ...] = (), inside: bool = False) -> Path:
        """A kubeconfig for that user; what it may do is up to RBAC. `inside`: for processes in the namespace."""
        return self._credentials.write(name, user=user, groups=groups, inside=inside and self.network)

    def run(
        self, name: str, argv: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: Path | None = None
    ) -> int:
        """Start a server beside the plane, in its namespace; returns its pid.

        It logs to `directory/NAME.log`, `check` reports its death, and it is stopped before the plane.
        """
        return self.processes.start(name=name, argv=argv, rank=GUEST_RANK, env=env, cwd=cwd)

    def popen(self, argv: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        """`subprocess.Popen` in the plane's namespace; it is killed when the calling *thread* ends."""
        return subprocess.Popen(self._inside(argv), **{"cwd": REPOSITORY, **options})

    def run_inside(self, argv: Sequence[str], **options: Any) -> subprocess.CompletedProcess[str]:
        """`subprocess.run` in the plane's namespace, with text output captured."""
        defaults = {"cwd": REPOSITORY, "capture_output": True, "text": True}
        return subprocess.run(self._inside(argv), **{**defaults, **options})

    def expose(self, *, host: str, port: int) -> int:
        """Let connections from outside reach `host:port` inside; returns the port of 127.0.0.1 to connect to."""
        return self._open_door(host=host, port=port) if self.network else port

    def kubectl(self, *arguments: str, **options: Any) -> str:
        """Run kubectl as admin; returns its output, raises LocalError with its complaint."""
        argv = [str(ensure_tools(["kubectl"])["kubectl"]), "--kubeconfig", str(self.kubeconfig), *arguments]
        ran = subprocess.run(argv, capture_output=True, text=True, **options)
        if ran.returncode:
            raise LocalError(f"kubectl {' '.join(arguments)} failed: {ran.stderr.strip()}")
        return str(ran.stdout)

    def _prepare(self) -> None:
        namespace = find_namespace() if self.network else None
        self.directory = self._directory()
        scratch = None if self._wanted else self.directory
        address = f"{POD_NETWORK_ADDRESS}/{POD_NETWORK_PREFIX}" if self.network else ""
        self.processes = Processes(directory=self.directory, namespace=namespace, address=address, scratch=scratch)
        self._cleanup.callback(self.processes.close)
        self._layout = self._networked() if self.network else self._loopback()
        inside = f"https://{self._layout.advertise}:{self._layout.port}"
        self._credentials = Credentials(layout=self._layout, inside=inside, outside=self.server)
        self.client = self._credentials.client()
        self.kubeconfig = self._credentials.write("kubectl", user="kubernetes-admin", groups=("system:masters",))
        self.inside_kubeconfig = Path(self._layout.kubeconfig("admin"))

    def _directory(self) -> Path:
        if not self._wanted:
            return Path(tempfile.mkdtemp(prefix="rollouts-plane-"))
        directory = self._wanted.resolve()
        directory.mkdir(parents=True, exist_ok=True)
        lock = self._cleanup.enter_context((directory / "lock").open("w"))
        _lock(lock, directory=directory)
        return directory

    def _networked(self) -> Layout:
        self.server = f"https://127.0.0.1:{self._open_door(host=POD_NETWORK_ADDRESS, port=INSIDE_PORT)}"
        return Layout(
            directory=self.directory, bind="0.0.0.0", advertise=POD_NETWORK_ADDRESS, port=INSIDE_PORT, network=True
        )

    def _loopback(self) -> Layout:
        held = self._cleanup.enter_context(hold_port())
        self.server = f"https://127.0.0.1:{port_of(held)}"
        return Layout(
            directory=self.directory, bind="127.0.0.1", advertise="127.0.0.1", port=port_of(held), network=False
        )

    def _open_door(self, *, host: str, port: int) -> int:
        door: Door = open_door(listener=listen(), host=host, port=port, popen=self.popen)
        self._cleanup.callback(door.close)
        return door.port

    def _inside(self, argv: Sequence[str]) -> list[str]:
        namespace = self.processes.namespace
        command = [str(part) for part in argv]
        return namespace.wrap_enter(command, pid=self.pid) if namespace else command

    def _start_components(self) -> None:
        for name in ("etcd", "kube-apiserver"):
            self._start_component(name)
        self._await_apiserver()
        for name in self._tools.keys() - {"etcd", "kube-apiserver"}:
            self._start_component(name)

    def _start_component(self, name: str) -> None:
        component = COMPONENTS[name]
        argv = [str(self._tools[name]), *component.flags(self._layout)]
        self.processes.start(name=name, argv=argv, rank=component.rank)

    def _await_apiserver(self) -> None:
        self.processes.wait_for(what="a ready API server", probe=self.client.ready, seconds=READY_SECONDS)

    def _await_ready(self) -> None:
        """Pods can be created when the controller manager has made the service account that they run as."""
        for name in self._node_names():
            self.client.apply(f"/api/v1/nodes/{name}", _simulated_node(name))
        account = "/api/v1/namespaces/default/serviceaccounts/default"
        self._await(what="the default service account", probe=partial(self.client.get, account))
        for name in self._node_names():
            self._await(what=f"node {name}", probe=partial(self._node_is_ready, name))

    def _await(self, *, what: str, probe: Any) -> None:
        self.processes.wait_for(what=what, probe=probe, seconds=READY_SECONDS)

    def _node_names(self) -> Iterator[str]:
        return (f"kwok-{number}" for number in range(self.nodes))

    def _node_is_ready(self, name: str) -> bool:
        node = self.client.get(f"/api/v1/nodes/{name}") or {}
        conditions = node.get("status", {}).get("conditions", [])
        ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
        return ready and not node["spec"].get("taints")


def _simulated_node(name: str) -> dict[str, Any]:
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "type": "kwok"}
    metadata = {"name": name, "labels": labels, "annotations": {"kwok.x-k8s.io/node": "fake"}}
    return {"apiVersion": "v1", "kind": "Node", "metadata": metadata}


def _lock(lock: TextIO, *, directory: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise LocalError(f"another plane is running in {directory}: stop it, or give another folder") from error
