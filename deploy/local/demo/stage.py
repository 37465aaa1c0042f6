"""The stage the demo plays on: control plane, process node, Traefik, Prometheus, controller, Git sync, and users.

Everything runs in the plane's own network and ends with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.local.demo import gateway
from deploy.local.demo.repository import Repository
from deploy.local.errors import LocalError
from deploy.local.node.launcher import ProcessNode
from deploy.local.plane import Plane
from deploy.local.prometheus import Prometheus

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
PROGRAMS = Path(sys.executable).parent
PLUGIN = (str(PROGRAMS / "kubectl-rollouts"),)
API = "/apis/argoproj.io/v1alpha1/namespaces/default"
RATE = 40.0


class LiveStage:
    """Start it with `with`. `say` is told each thing that is being set up."""

    def __init__(self, *, say: Callable[[str], None]) -> None:
        self._say = say
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> LiveStage:
        try:
            self._start()
        except BaseException:
            self._cleanup.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._cleanup.close()

    @property
    def kubeconfig(self) -> Path:
        """For kubectl outside."""
        return self._plane.kubeconfig

    def check(self) -> None:
        """Raise when a part died."""
        self._plane.check()

    def rollout(self) -> dict[str, Any]:
        """The Rollout; empty while there is none."""
        return self._plane.client.get(f"{API}/rollouts/web") or {}

    def runs(self) -> list[dict[str, Any]]:
        """Its AnalysisRuns, oldest first."""
        found = (self._plane.client.get(f"{API}/analysisruns") or {}).get("items", [])
        return sorted(found, key=lambda run: str(run["metadata"]["creationTimestamp"]))

    def plugin(self, *arguments: str) -> None:
        """`kubectl rollouts …`, shown as a person would type it."""
        self._say(f"$ kubectl rollouts {' '.join(arguments)}")
        subprocess.run([*PLUGIN, *arguments], env={**os.environ, "KUBECONFIG": str(self.kubeconfig)}, check=True)

    def served(self) -> dict[str, int]:
        """Requests answered so far, by `version status`."""
        with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
            return dict(json.loads(self._counts.read_text()))
        return {}

    def _start(self) -> None:
        self._say("control plane: etcd, kube-apiserver, kube-controller-manager, kube-scheduler")
        self._plane = self._cleanup.enter_context(Plane(nodes=0, network=True))
        self._counts = self._plane.directory / "load.json"
        self._say("process node: runs each pod's command as a process with an address of its own")
        self._cleanup.enter_context(ProcessNode(plane=self._plane))
        self._say("CRDs, Gateway API, Traefik, Prometheus")
        self._plane.kubectl("apply", "--server-side", "-f", str(REPOSITORY / "crds"))
        gateway.start(self._plane)
        self._door = self._plane.expose(host=gateway.ADDRESS, port=gateway.PORT)
        prometheus = self._prometheus()
        self._say("controller, and the sync of a Git repository")
        self._controller()
        self.repository = Repository(directory=self._plane.directory / "git", prometheus=prometheus.inside_url)
        self.repository.create()
        self._sync()

    def _prometheus(self) -> Prometheus:
        plane = self._plane
        plane.kubectl("apply", "-f", str(HERE / "cluster" / "prometheus.yaml"))
        token = plane.directory / "prometheus.token"
        token.write_text(plane.kubectl("create", "token", "prometheus", "--duration=24h"))
        config = {
            "job_name": "pods",
            "kubernetes_sd_configs": [
                {
                    "role": "pod",
                    "api_server": "https://10.244.0.1:6443",
                    "authorization": {"credentials_file": str(token)},
                    "tls_config": {"ca_file": str(plane.directory / "pki" / "ca.crt")},
                }
            ],
            "relabel_configs": [
                _keep("__meta_kubernetes_pod_annotation_prometheus_io_scrape", "true"),
                _keep("__meta_kubernetes_pod_container_port_name", "http"),
                _copy("__meta_kubernetes_pod_name", "pod"),
                _copy("__meta_kubernetes_pod_label_rollouts_pod_template_hash", "pod_template_hash"),
            ],
        }
        return self._cleanup.enter_context(Prometheus(plane=plane, scrape_configs=[config], interval=1.0))

    def _controller(self) -> None:
        arguments = ["controller", "--metricsPort", "-1", "--healthzPort", "-1", "--no-leader-elect"]
        environment = {**os.environ, "KUBECONFIG": str(self._plane.inside_kubeconfig)}
        self._plane.run("controller", [str(PROGRAMS / "rollouts"), *arguments], env=environment)

    def _sync(self) -> None:
        arguments = ["sync", "--repo", self.repository.bare.as_uri(), "--branch", "main"]
        arguments += ["--namespace", "default", "--interval", "1s", "--allow-local"]
        environment = {**os.environ, "KUBECONFIG": str(self._plane.inside_kubeconfig)}
        self._plane.run("sync", [str(PROGRAMS / "rollouts"), *arguments], env=environment)

    def open(self) -> None:
        """Let the users in, once the route leads to the service."""
        self._await("the HTTPRoute serves no requests; see traefik.log", self._serves)
        argv = [sys.executable, str(HERE / "load.py"), gateway.URL, str(self._counts), str(RATE)]
        self._plane.run("users", argv)
        self._await("no request got an answer; see users.log", self.served)

    def _serves(self) -> bool:
        url = f"http://127.0.0.1:{self._door}/"
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=2) as answer:
            return bool(answer.headers.get("X-Version"))
        return False

    def _await(self, complaint: str, probe: Callable[[], object]) -> None:
        deadline = time.monotonic() + 30
        while not probe():
            if time.monotonic() > deadline:
                raise LocalError(f"{complaint} in {self._plane.directory}")
            self.check()
            time.sleep(0.1)


def _keep(label: str, value: str) -> dict[str, Any]:
    return {"source_labels": [label], "regex": value, "action": "keep"}


def _copy(label: str, to: str) -> dict[str, Any]:
    return {"source_labels": [label], "target_label": to}
