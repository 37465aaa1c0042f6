"""How Prometheus finds what it scrapes: pods by their annotations, Traefik by its address.

    annotations: {prometheus.io/scrape: "true", prometheus.io/port: "8080", prometheus.io/path: /metrics}

Port and path are optional: a pod's declared ports are tried, and `/metrics`. Series carry `namespace`, `pod`, the
`rollouts_pod_template_hash` of the revision, and `app` of the pod's label of that name.
"""

from __future__ import annotations

from typing import Any

from deploy.local.plane import INSIDE_PORT, POD_NETWORK_ADDRESS, Plane
from deploy.local.prometheus import ScrapeConfig
from deploy.local.traffic.accounts import ensure_account, rule
from deploy.local.traffic.traefik import Traefik

NAME = "prometheus-pods"
META = "__meta_kubernetes_pod"
ANNOTATION = f"{META}_annotation_prometheus_io"

#: Discovered label -> label of the series.
COPIED = {
    "__meta_kubernetes_namespace": "namespace",
    f"{META}_name": "pod",
    f"{META}_label_app": "app",
    f"{META}_label_rollouts_pod_template_hash": "rollouts_pod_template_hash",
}


def scrape_pods(plane: Plane) -> ScrapeConfig:
    """Discovery by the API server, with a service account that may look at pods and no more."""
    token = ensure_account(plane, NAME, rules=[rule("", "pods")])
    discovery = {
        "role": "pod", "api_server": f"https://{POD_NETWORK_ADDRESS}:{INSIDE_PORT}",
        "authorization": {"credentials_file": str(token)},
        "tls_config": {"ca_file": str(plane.directory / "pki" / "ca.crt")},
    }  # fmt: skip
    return {"job_name": "pods", "kubernetes_sd_configs": [discovery], "relabel_configs": relabelling()}


def scrape_traefik(traefik: Traefik) -> ScrapeConfig:
    """Traefik's own counters, such as `traefik_service_requests_total{service,code}`."""
    return {"job_name": "traefik", "static_configs": [{"targets": [traefik.metrics_target]}]}


def relabelling() -> list[dict[str, Any]]:
    """Of all pods those that run and ask for it, at the port and path they name."""
    address = ["__address__", f"{ANNOTATION}_port"]
    return [
        {"action": "keep", "source_labels": [f"{ANNOTATION}_scrape"], "regex": "true"},
        {"action": "drop", "source_labels": [f"{META}_phase"], "regex": "Pending|Succeeded|Failed"},
        # without a named port each declared one is a target; of a pod with a named port all become the same one
        {"source_labels": address, "regex": r"([^:;]+)(?::\d+)?;(\d+)", "replacement": "$1:$2",
         "target_label": "__address__"},
        {"source_labels": [f"{ANNOTATION}_path"], "regex": "(.+)", "target_label": "__metrics_path__"},
        *({"source_labels": [label], "target_label": target} for label, target in COPIED.items()),
    ]  # fmt: skip
