"""Planes of these tests' own: what happens when parts die, come back, or when the owner goes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from deploy.local import namespaces
from deploy.local.errors import LocalError, NamespacesRefusedError, ProcessDiedError
from deploy.local.namespaces import find_namespace
from deploy.local.plane import Plane
from deploy.local.processes import REPOSITORY
from deploy.local.prometheus import Prometheus
from deploy.local.tools import ensure_tool

pytestmark = pytest.mark.cluster

SERVE = "import http.server; http.server.HTTPServer(({!r}, 8000), http.server.SimpleHTTPRequestHandler).serve_forever()"


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _configmap(plane: Plane, name: str) -> str:
    path = f"/api/v1/namespaces/default/configmaps/{name}"
    plane.client.apply(path, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}})
    return path


@pytest.fixture(scope="module")
def networked() -> Iterator[Plane]:
    try:
        find_namespace()
    except NamespacesRefusedError as error:
        pytest.skip(str(error))
    with Plane(nodes=1, network=True) as plane:
        yield plane


def test_state_outlives_a_restart_of_the_api_server_and_of_the_plane(tmp_path: Path) -> None:
    with Plane(nodes=0, directory=tmp_path / "plane") as plane:
        path, server = _configmap(plane, "kept"), plane.server
        plane.stop_apiserver()
        with pytest.raises(OSError, match="refused"):
            plane.client.get(path)
        plane.check()
        plane.start_apiserver()
        assert plane.client.get(path)
        assert plane.server == server
    with Plane(nodes=0, directory=tmp_path / "plane") as again:
        assert again.client.get(path)
        # tokens are signed with this plane's key, so the controllers' own must work anew
        assert again.kubectl("create", "token", "default").count(".") == 2


def test_a_folder_is_used_by_one_plane_at_a_time(tmp_path: Path) -> None:
    with Plane(nodes=0, directory=tmp_path), pytest.raises(LocalError, match="another plane is running in"):
        Plane(nodes=0, directory=tmp_path).start()


def test_a_killed_etcd_is_reported_and_the_rest_goes() -> None:
    with Plane(nodes=0) as plane:
        os.kill(plane.processes.pids()["etcd"], signal.SIGKILL)
        with pytest.raises(ProcessDiedError, match="etcd ended with signal 9; the end of its log"):
            plane.processes.wait_for(what="never", probe=lambda: False)
        directory = plane.directory
    assert not directory.exists()


def test_a_part_that_does_not_start_is_reported_with_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    etcd = tmp_path / "etcd"
    etcd.write_text("#!/bin/sh\necho wrong architecture >&2\nexit 2\n")
    etcd.chmod(0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    with pytest.raises(ProcessDiedError, match=r"(?s)etcd ended with exit code 2.*wrong architecture"):
        Plane(nodes=0).start()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_cluster_command_leaves_nothing_however_it_ends(number: signal.Signals) -> None:
    argv = [sys.executable, "-m", "deploy.local", "cluster", "--nodes", "0"]
    with subprocess.Popen(argv, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as command:
        assert command.stdout
        kubeconfig = next(line for line in command.stdout if "KUBECONFIG=" in line).split("=")[1].strip()
        directory = Path(kubeconfig).parent
        assert _users_of(directory)
        command.send_signal(number)
    assert command.returncode == (0 if number is not signal.SIGKILL else -signal.SIGKILL)
    _until(lambda: not _users_of(directory) and not directory.exists())


def test_rbac_limits_a_user_and_a_role_lets_it(networked: Plane) -> None:
    limited = networked.credentials_for("limited", user="limited")

    def pods() -> int:
        argv = [str(ensure_tool("kubectl")), "--kubeconfig", str(limited), "get", "pods"]
        return subprocess.run(argv, capture_output=True).returncode

    assert pods() != 0
    networked.kubectl("create", "clusterrolebinding", "limited", "--clusterrole=view", "--user=limited")
    _until(lambda: pods() == 0)


def test_any_address_of_the_pod_network_is_real_inside_and_can_be_let_out(networked: Plane) -> None:
    networked.run("web", [sys.executable, "-c", SERVE.format("10.244.77.3")], cwd=networked.directory / "pki")
    outside = networked.expose(host="10.244.77.3", port=8000)

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{outside}/", timeout=5) as response:
                return b"ca.crt" in response.read()
        except (OSError, urllib.error.URLError):
            return False

    _until(answers)
    networked.check()
    networked.processes.stop("web")


def test_a_service_has_the_addresses_of_its_pods(networked: Plane) -> None:
    networked.kubectl("create", "deployment", "web", "--image=nginx", "--replicas=2", "--port=80")
    networked.kubectl("expose", "deployment", "web")
    networked.kubectl("wait", "--for=condition=Available", "deployment/web", "--timeout=30s")

    def addresses() -> set[str]:
        slices = json.loads(networked.kubectl("get", "endpointslices", "-l=app=web", "--output=json"))["items"]
        return {a for s in slices for e in s["endpoints"] or [] if e["conditions"]["ready"] for a in e["addresses"]}

    _until(lambda: len(addresses()) == 2)
    assert all(address.startswith("10.244.") for address in addresses())


def test_a_client_inside_reaches_the_api_server_by_its_pod_network_address(networked: Plane) -> None:
    ran = networked.run_inside(
        [str(ensure_tool("kubectl")), "--kubeconfig", str(networked.inside_kubeconfig), "cluster-info"]
    )
    assert "https://10.244.0.1:6443" in ran.stdout


def test_prometheus_runs_in_the_namespace(networked: Plane) -> None:
    with Prometheus(plane=networked) as prometheus, urllib.request.urlopen(f"{prometheus.url}/-/ready") as response:
        assert response.status == 200
    networked.check()


def test_a_prometheus_that_refuses_its_configuration_is_reported() -> None:
    with pytest.raises(ProcessDiedError, match=r"(?s)prometheus ended with exit code.*no_such_field"):
        Prometheus(scrape_configs=[{"job_name": "web", "no_such_field": 1}]).start()


def test_refused_namespaces_are_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("nsenter", "setpriv"):
        (tmp_path / name).symlink_to("/bin/true")
    unshare = tmp_path / "unshare"
    unshare.write_text("#!/bin/sh\necho unshare failed: Operation not permitted >&2\nexit 1\n")
    unshare.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NamespacesRefusedError, match=r"Operation not permitted.*sysctl.*kind create cluster"):
        namespaces.find_namespace()


def _users_of(directory: Path) -> list[str]:
    """The processes whose command line names this folder, or that work in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(directory) in (process / "cmdline").read_text() or directory == (process / "cwd").readlink():
                found.append(process.name)
        except OSError:
            continue
    return found
