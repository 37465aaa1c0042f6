"""Unmodified Traefik as Gateway API controller, outside the cluster but inside its network.

    with Plane(nodes=0, network=True) as plane, ProcessNode(plane=plane), Traefik(plane=plane) as traefik:
        …apply a Service and an HTTPRoute whose parent is Gateway `web` of namespace `traffic`…
        traefik.await_route("shop")
        urllib.request.urlopen(traefik.url)             # from outside; `inside_url` from within the plane

It follows Gateways, HTTPRoutes and EndpointSlices by itself and sends requests straight to ready pods.
"""

from __future__ import annotations

import contextlib
import http.client
import shutil
import sys
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deploy.local.errors import LocalError
from deploy.local.plane import INSIDE_PORT, POD_NETWORK_ADDRESS, Plane
from deploy.local.traffic.accounts import NAMESPACE, READ, Rule, ensure_account, rule
from deploy.local.traffic.gateway_api import ensure_crds

ADDRESS, PORT, METRICS_PORT = "10.244.0.2", 8000, 8082
NAME, GATEWAY = "traefik", "web"
GROUP = "gateway.networking.k8s.io"
API = f"/apis/{GROUP}/v1"
CONTROLLER = "traefik.io/gateway-controller"
READY_SECONDS = 60.0

#: Kinds that Traefik's provider follows; each has a status that is its to write.
KINDS = ("gatewayclasses", "gateways", "httproutes", "grpcroutes", "tlsroutes", "backendtlspolicies", "listenersets")
RULES: list[Rule] = [
    rule("", "namespaces", "nodes", "services", "secrets", "configmaps"),
    rule("discovery.k8s.io", "endpointslices"),
    rule(GROUP, *KINDS, "referencegrants", verbs=READ),
    rule(GROUP, *(f"{kind}/status" for kind in KINDS), verbs=["update", "patch"]),
]


class Traefik:
    """A Traefik with one Gateway, open to HTTPRoutes of all namespaces; start it with `with`, or `start` and `stop`.

    `metrics_target` is where Prometheus scrapes it, as `host:port` inside.
    """

    metrics_target = f"{ADDRESS}:{METRICS_PORT}"
    inside_url = f"http://{ADDRESS}:{PORT}"

    def __init__(self, *, plane: Plane) -> None:
        self._plane = plane

    def __enter__(self) -> Traefik:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Traefik:
        """Install the Gateway API, start Traefik and wait until the Gateway is programmed; returns itself."""
        if not self._plane.network:
            raise LocalError("Traefik needs pods with addresses: start the plane with network=True")
        program = find_traefik()
        self._install()
        self._launch(program)
        try:
            self._await_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Stop it; what it served is out of reach. May be called again, once started."""
        self._plane.processes.stop(NAME)

    def await_route(self, name: str, *, namespace: str = "default", seconds: float = 30.0) -> None:
        """Wait until an HTTPRoute is accepted and all that it refers to is there; LocalError with the reason if not."""
        path = f"{API}/namespaces/{namespace}/httproutes/{name}"
        try:
            self._wait(f"HTTPRoute {namespace}/{name}", partial(self._route_is_ready, path), seconds=seconds)
        except LocalError as error:
            raise LocalError(f"{error}; Traefik says: {self._route_conditions(path) or 'nothing yet'}") from error

    def _install(self) -> None:
        kubectl, crds = self._plane.kubectl, str(ensure_crds())
        kubectl("apply", "--server-side", "--filename", crds)
        kubectl("wait", "--for=condition=Established", "--timeout=30s", "--filename", crds)
        self._token = ensure_account(self._plane, NAME, rules=RULES)
        for path, obj in _objects():
            self._plane.client.apply(path, obj)

    def _launch(self, program: Path) -> None:
        provider = {
            "endpoint": f"https://{POD_NETWORK_ADDRESS}:{INSIDE_PORT}", "token": str(self._token),
            "certauthfilepath": str(self._plane.directory / "pki" / "ca.crt"), "statusaddress.ip": ADDRESS,
        }  # fmt: skip
        self._plane.run(NAME, [str(program), *FLAGS, *_flags("providers.kubernetesgateway", provider)])

    def _await_ready(self) -> None:
        self.url = f"http://127.0.0.1:{self._plane.expose(host=ADDRESS, port=PORT)}"
        ping = f"http://127.0.0.1:{self._plane.expose(host=ADDRESS, port=METRICS_PORT)}/ping"
        self._wait("Traefik", partial(_answers, ping))
        self._wait("a programmed Gateway", self._gateway_is_programmed)

    def _wait(self, what: str, probe: Any, *, seconds: float = READY_SECONDS) -> None:
        self._plane.processes.wait_for(what=what, probe=probe, seconds=seconds)

    def _gateway_is_programmed(self) -> bool:
        gateway = self._plane.client.get(f"{API}/namespaces/{NAMESPACE}/gateways/{GATEWAY}") or {}
        return _true(gateway.get("status", {}).get("conditions", []), "Programmed")

    def _route_is_ready(self, path: str) -> bool:
        conditions = self._route_conditions(path)
        return _true(conditions, "Accepted") and _true(conditions, "ResolvedRefs")

    def _route_conditions(self, path: str) -> list[dict[str, Any]]:
        parents = (self._plane.client.get(path) or {}).get("status", {}).get("parents", [])
        ours = [parent for parent in parents if parent["controllerName"] == CONTROLLER]
        return [condition for parent in ours for condition in parent.get("conditions", [])]


#: Traefik gathers changes for 2 s unless told otherwise; a changed weight should count at once.
FLAGS = (
    f"--entrypoints.web.address={ADDRESS}:{PORT}", f"--entrypoints.metrics.address={ADDRESS}:{METRICS_PORT}",
    "--entrypoints.web.transport.lifecycle.gracetimeout=1s",
    "--entrypoints.metrics.transport.lifecycle.gracetimeout=0s",
    "--providers.providersthrottleduration=100ms", "--providers.kubernetesgateway",
    "--metrics.prometheus.entrypoint=metrics", "--metrics.prometheus.addserviceslabels", "--ping.entrypoint=metrics",
    "--global.checknewversion=false", "--global.sendanonymoususage=false", "--log.level=INFO",
)  # fmt: skip


def find_traefik() -> Path:
    """Traefik from this Python environment, else from PATH; LocalError if it is in neither."""
    beside = Path(sys.executable).parent / "traefik"
    found = beside if beside.exists() else shutil.which("traefik")
    if not found:
        raise LocalError(
            f"there is no traefik beside {sys.executable}, nor on PATH: run `make venv`, which installs it"
        )
    return Path(found)


def http_route(
    name: str, *, backends: list[dict[str, Any]], namespace: str = "default", host: str = ""
) -> dict[str, Any]:
    """An HTTPRoute of everything (for `host`, if given) to `backends`: `{"name": service, "port": 80, "weight": 1}`."""
    parent = {"name": GATEWAY, "namespace": NAMESPACE}
    spec = {"parentRefs": [parent], "rules": [{"backendRefs": backends}]}
    return {
        "apiVersion": f"{GROUP}/v1", "kind": "HTTPRoute", "metadata": {"name": name, "namespace": namespace},
        "spec": {**spec, **({"hostnames": [host]} if host else {})},
    }  # fmt: skip


def _objects() -> list[tuple[str, dict[str, Any]]]:
    listener = {"name": "web", "protocol": "HTTP", "port": PORT, "allowedRoutes": {"namespaces": {"from": "All"}}}
    gateway = {"gatewayClassName": NAME, "listeners": [listener]}
    version = f"{GROUP}/v1"
    return [
        (f"{API}/gatewayclasses/{NAME}",
         {"apiVersion": version, "kind": "GatewayClass", "metadata": {"name": NAME},
          "spec": {"controllerName": CONTROLLER}}),
        (f"{API}/namespaces/{NAMESPACE}/gateways/{GATEWAY}",
         {"apiVersion": version, "kind": "Gateway", "metadata": {"name": GATEWAY, "namespace": NAMESPACE},
          "spec": gateway}),
    ]  # fmt: skip


def _flags(prefix: str, values: dict[str, str]) -> list[str]:
    return [f"--{prefix}.{key}={value}" for key, value in values.items()]


def _true(conditions: list[dict[str, Any]], kind: str) -> bool:
    return any(condition["type"] == kind and condition["status"] == "True" for condition in conditions)


def _answers(url: str) -> bool:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=5.0)
    with contextlib.closing(connection):
        try:
            connection.request("GET", parts.path)
            return connection.getresponse().status == 200
        except http.client.HTTPException:
            return False
