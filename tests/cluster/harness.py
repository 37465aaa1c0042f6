"""What cluster tests are run against, and the helpers they share."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.local.errors import LocalError, ProcessDiedError
from deploy.local.plane import Plane

CRDS = Path(__file__).parents[2] / "crds"
WATCH_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class Kubectl:
    """kubectl against the cluster under test, in one namespace; returns what it printed."""

    program: Path
    kubeconfig: Path
    namespace: str = "default"

    def __call__(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        argv = [str(self.program), "--kubeconfig", str(self.kubeconfig), "--namespace", self.namespace, *arguments]
        ran = subprocess.run(argv, capture_output=True, text=True, input=stdin, timeout=60)
        if check and ran.returncode:
            raise AssertionError(f"kubectl {' '.join(arguments)} ended with {ran.returncode}: {ran.stderr.strip()}")
        return ran.stdout if ran.returncode == 0 else ran.stdout + ran.stderr

    def json(self, *arguments: str) -> Any:
        """The same, with `--output=json`, parsed."""
        return json.loads(self(*arguments, "--output=json"))

    def apply(self, *objects: dict[str, Any]) -> str:
        """Server-side apply of objects."""
        items = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        return self("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=json.dumps(items))


@dataclass(frozen=True, kw_only=True)
class ExternalCluster:
    """A cluster that isn't ours; it has what tests need of a Plane, as far as it can."""

    kubeconfig: Path
    network: bool = False

    def check(self) -> None:
        """Nothing to look at from here."""

    def stop_apiserver(self) -> None:
        pytest.skip("the API server of a cluster that isn't ours can't be stopped; unset ROLLOUTS_TEST_KUBECONFIG")

    restart_apiserver = start_apiserver = stop_apiserver


Cluster = Plane | ExternalCluster


def cluster_under_test() -> AbstractContextManager[Cluster]:
    """The cluster that the environment asks for; the local plane if it asks for none."""
    if path := os.environ.get("ROLLOUTS_TEST_KUBECONFIG"):
        return contextlib.nullcontext(ExternalCluster(kubeconfig=Path(path).expanduser()))
    wanted = os.environ.get("ROLLOUTS_TEST_CLUSTER", "local")
    if wanted not in CLUSTERS:
        pytest.exit(f"ROLLOUTS_TEST_CLUSTER={wanted} is not known: use one of {', '.join(CLUSTERS)}", returncode=4)
    return CLUSTERS[wanted]()


def install_crds(kubectl: Kubectl) -> None:
    """Our CRDs, established; nothing if they aren't generated yet."""
    if list(CRDS.glob("*.yaml")):
        kubectl("apply", "--server-side", "--force-conflicts", "-f", str(CRDS))
        kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(CRDS))


@contextlib.contextmanager
def watched(cluster: Cluster) -> Iterator[None]:
    """While this lasts, a part of the plane that dies ends the whole run, whatever test is waiting for it just then.

    A thread looks; it can't end the run itself, so it has the main thread do that, by a signal.
    """

    def look() -> None:
        while not over.wait(WATCH_SECONDS):
            try:
                cluster.check()
            except ProcessDiedError as error:
                died.append(error)
                os.kill(os.getpid(), signal.SIGUSR1)
                return

    def end(*_: object) -> None:
        pytest.exit(f"the control plane died: {died[0]}", returncode=3)

    died: list[ProcessDiedError] = []
    over = threading.Event()
    before = signal.signal(signal.SIGUSR1, end)
    thread = threading.Thread(target=look, name="plane-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        signal.signal(signal.SIGUSR1, before)


@contextlib.contextmanager
def _local() -> Iterator[Cluster]:
    plane = Plane(nodes=1)
    try:
        plane.start()
    except LocalError as error:
        pytest.exit(f"the local control plane did not start: {error}", returncode=3)
    with plane:
        yield plane


@contextlib.contextmanager
def _kind() -> Iterator[Cluster]:
    if missing := [tool for tool in ("kind", "docker") if not shutil.which(tool)]:
        pytest.skip(f"ROLLOUTS_TEST_CLUSTER=kind needs {' and '.join(missing)} on PATH")
    if subprocess.run(["docker", "info"], capture_output=True).returncode:
        pytest.skip("ROLLOUTS_TEST_CLUSTER=kind needs a running Docker: `docker info` fails")
    name = f"rollouts-{os.getpid()}"
    kubeconfig = Path(os.environ.get("TMPDIR", "/tmp")) / f"{name}.kubeconfig"
    try:
        _kind_command("create", "cluster", "--name", name, "--kubeconfig", str(kubeconfig), "--wait", "5m")
        yield ExternalCluster(kubeconfig=kubeconfig)
    finally:
        _kind_command("delete", "cluster", "--name", name)
        kubeconfig.unlink(missing_ok=True)


def _kind_command(*arguments: str) -> None:
    subprocess.run(["kind", *arguments], check=True)


CLUSTERS: dict[str, Callable[[], AbstractContextManager[Cluster]]] = {"local": _local, "kind": _kind}
