"""The stage the demo plays on: control plane, process node, Traefik, Prometheus, controller, Git sync, and users.

Everything runs in the plane's own network and ends with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from deploy.local.demo.repository import Repository
from deploy.local.node.launcher import ProcessNode
from deploy.local.plane import Plane
from deploy.local.prometheus import Prometheus
from deploy.local.traffic.scrape import scrape_pods
from deploy.local.traffic.traefik import Traefik

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
PROGRAMS = Path(sys.executable).parent
PLUGIN = (str(PROGRAMS / "kubectl-rollouts"),)
API = "/apis/argoproj.io/v1alpha1/namespaces/default"
USERS, RATE, LONGEST_SECONDS = "users", 40.0, 900.0


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
        log = self._plane.directory / f"{USERS}.log"
        lines = log.read_text().splitlines() if log.exists() else []
        counts: dict[str, dict[str, int]] = next(
            (json.loads(line)["versions"] for line in reversed(lines) if line.startswith("{")), {}
        )
        return {f"{version} {status}": n for version, found in counts.items() for status, n in found.items()}

    def _start(self) -> None:
        self._say("control plane: etcd, kube-apiserver, kube-controller-manager, kube-scheduler")
        self._plane = self._cleanup.enter_context(Plane(nodes=0, network=True))
        self._say("process node: runs each pod's command as a process with an address of its own")
        self._cleanup.enter_context(ProcessNode(plane=self._plane))
        self._say("CRDs, Gateway API, Traefik, Prometheus")
        self._plane.kubectl("apply", "--server-side", "-f", str(REPOSITORY / "crds"))
        self._traefik = self._cleanup.enter_context(Traefik(plane=self._plane))
        pods = scrape_pods(self._plane)
        prometheus = self._cleanup.enter_context(Prometheus(plane=self._plane, scrape_configs=[pods], interval=1.0))
        self._say("controller, and the sync of a Git repository")
        self._controller()
        self.repository = Repository(directory=self._plane.directory / "git", prometheus=prometheus.inside_url)
        self.repository.create()
        self._sync()

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
        self._traefik.await_route("web")
        argv = [sys.executable, "-m", "deploy.local.traffic.load", self._traefik.inside_url, "--every=0.5"]
        self._plane.run(USERS, [*argv, f"--rate={RATE:g}", f"--seconds={LONGEST_SECONDS:g}"], cwd=REPOSITORY)
        self._plane.processes.wait_for(what="an answer to a user", probe=self.served, seconds=30.0)
