"""One data plane for all traffic tests: pods as processes, Traefik before them, Prometheus beside them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.local.errors import NamespacesRefusedError
from deploy.local.namespaces import find_namespace
from deploy.local.node.launcher import ProcessNode
from deploy.local.plane import Plane
from deploy.local.prometheus import Prometheus
from deploy.local.traffic.scrape import scrape_pods, scrape_traefik
from deploy.local.traffic.traefik import Traefik, http_route
from tests.local.nodes import until

HERE = Path(__file__).parent
Object = dict[str, Any]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs the control plane's programs."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("cluster")


@dataclass(frozen=True, kw_only=True)
class Shop:
    """The data plane, and how a test puts versions of the service on it."""

    plane: Plane
    traefik: Traefik
    prometheus: Prometheus

    def serve(self, version: str, *, replicas: int = 1, **environment: str) -> None:
        """A Deployment and a Service of that name, awaited."""
        env = [{"name": key, "value": value} for key, value in {"VERSION": version, **environment}.items()]
        client, labels = self.plane.client, {"app": "shop", "version": version}
        client.apply(_path("apps/v1", "deployments", version), _deployment(version, replicas, labels, env))
        ports = [{"port": 80, "targetPort": "http"}]
        client.apply(_path("v1", "services", version), {
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": version},
            "spec": {"selector": labels, "ports": ports},
        })  # fmt: skip
        self.plane.kubectl("rollout", "status", f"deployment/{version}", "--timeout=45s")

    def route(self, name: str, **weights: int) -> None:
        """An HTTPRoute for the host NAME.example with these weights, awaited."""
        backends = [{"name": service, "port": 80, "weight": weight} for service, weight in weights.items()]
        path = _path("gateway.networking.k8s.io/v1", "httproutes", name)
        self.plane.client.apply(path, http_route(name, backends=backends, host=f"{name}.example"))
        self.traefik.await_route(name)

    def load(self, name: str, *, count: int) -> Object:
        """The report of that many requests to the host NAME.example, sent from inside."""
        argv = [sys.executable, "-m", "deploy.local.traffic.load", self.traefik.inside_url]
        ran = self.plane.run_inside([*argv, f"--host={name}.example", f"--count={count}"], timeout=50)
        assert ran.stdout, ran.stderr
        report: Object = json.loads(ran.stdout)
        return report

    def await_split(self, name: str, wanted: Callable[[Object], bool]) -> None:
        """Until a few requests are answered as wanted: routes and endpoints take a moment to reach the proxy."""
        until(f"route {name} answers as it should", lambda: wanted(self.load(name, count=20)["versions"]))


@pytest.fixture(scope="session")
def shop() -> Iterator[Shop]:
    try:
        find_namespace()
    except NamespacesRefusedError as error:
        pytest.skip(str(error))
    with Plane(nodes=0, network=True) as plane, ProcessNode(plane=plane), Traefik(plane=plane) as traefik:
        configs = [scrape_pods(plane), scrape_traefik(traefik)]
        with Prometheus(plane=plane, scrape_configs=configs, interval=0.5) as prometheus:
            yield Shop(plane=plane, traefik=traefik, prometheus=prometheus)


def _deployment(version: str, replicas: int, labels: Object, env: list[Object]) -> Object:
    container = {
        "name": "shop", "image": f"shop:{version}", "command": ["python", "-m", "deploy.local.traffic.service"],
        "env": env, "ports": [{"name": "http", "containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1, "failureThreshold": 1},
    }  # fmt: skip
    metadata = {"labels": labels, "annotations": {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"}}
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": version},
        "spec": {"replicas": replicas, "selector": {"matchLabels": labels},
                 "template": {"metadata": metadata, "spec": {"containers": [container]}}},
    }  # fmt: skip


def _path(version: str, plural: str, name: str) -> str:
    root = "/api" if version == "v1" else "/apis"
    return f"{root}/{version}/namespaces/default/{plural}/{name}"
