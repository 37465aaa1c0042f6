"""Series as each proxy, mesh and library writes them, for a good, a bad and an idle version of one application.

Labels are those of real scrapes (Traefik's were recorded), not made from the catalog's own table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.analysis.history import Series, counter, gauge

NAMESPACE = "shop"
VERSIONS = ("good", "bad", "idle")
#: requests a second, share of errors, seconds every request takes
TRAFFIC = {"good": (10.0, 0.0005, 0.1), "bad": (10.0, 0.2, 3.0), "idle": (0.0, 0.0, 0.0)}
BOUNDS = (0.05, 0.2, 0.4, 1.0, 5.0)
#: pods and hashes of the Rollout `app`
HASHES = {"good": "5f5db89b74", "bad": "65757c859c", "idle": "7c6b8d9f55", "recovered": "86d9c7b5f4"}


def pod(version: str) -> str:
    return f"app-{HASHES[version]}-x2x7k"


def _requests(version: str, name: str, labels: str, good: str, bad: str) -> Iterator[Series]:
    rate, errors, _ = TRAFFIC[version]
    yield counter(f"{name}{{{labels},{good}}}", rate * (1 - errors))
    if errors:
        yield counter(f"{name}{{{labels},{bad}}}", rate * errors)


def _buckets(version: str, name: str, labels: str, *, unit: float = 1.0) -> Iterator[Series]:
    rate, _, seconds = TRAFFIC[version]
    for bound in BOUNDS:
        yield counter(f'{name}{{{labels},le="{bound * unit:g}"}}', rate if seconds <= bound else 0.0)
    yield counter(f'{name}{{{labels},le="+Inf"}}', rate)


def envoy_gateway(version: str) -> Iterator[Series]:
    labels = f'envoy_cluster_name="httproute/{NAMESPACE}/app/rule/0/backend/{VERSIONS.index(version)}"'
    codes = ('envoy_response_code_class="2"', 'envoy_response_code_class="5"')
    yield from _requests(version, "envoy_cluster_upstream_rq_xx", labels, *codes)
    yield from _buckets(version, "envoy_cluster_upstream_rq_time_bucket", labels, unit=1000)


def istio(version: str) -> Iterator[Series]:
    common = (
        f'destination_service_namespace="{NAMESPACE}",destination_service_name="app-{version}",request_protocol="http"'
    )
    for reporter in ("source", "destination"):
        labels = f'reporter="{reporter}",{common},pod="{pod(version) if reporter == "destination" else "gateway-1"}"'
        yield from _requests(version, "istio_requests_total", labels, 'response_code="200"', 'response_code="503"')
        yield from _buckets(version, "istio_request_duration_milliseconds_bucket", labels, unit=1000)


def linkerd(version: str) -> Iterator[Series]:
    labels = f'direction="inbound",namespace="{NAMESPACE}",pod="{pod(version)}",tls="true"'
    codes = ('classification="success",status_code="200"', 'classification="failure",status_code="500"')
    yield from _requests(version, "response_total", labels, *codes)
    yield from _buckets(version, "response_latency_ms_bucket", labels, unit=1000)


def ingress_nginx(version: str) -> Iterator[Series]:
    """As scraped without honorLabels: the controller's own namespace and service win."""
    labels = f'exported_namespace="{NAMESPACE}",exported_service="app-{version}",namespace="ingress-nginx",'
    labels += 'service="ingress-nginx-controller-metrics",ingress="app",host="app.example",method="GET"'
    yield from _requests(version, "nginx_ingress_controller_requests", labels, 'status="200"', 'status="502"')
    yield from _buckets(version, "nginx_ingress_controller_request_duration_seconds_bucket", labels)


def nginx_gateway_fabric(version: str) -> Iterator[Series]:
    labels = f'nginx_upstream_name="{NAMESPACE}_app-{version}_80",nginx_peer_address="10.1.2.3:8080"'
    codes = ('nginx_status_range="2xx"', 'nginx_status_range="5xx"')
    yield from _requests(version, "nginx_http_upstream_peer_responses_total", labels, *codes)


def traefik(version: str) -> Iterator[Series]:
    service = f"httproute-{NAMESPACE}-app-gw-traffic-web-ep-web-0-79ba7d89f6be42c0ee2d-svc-{NAMESPACE}-app-{version}-1"
    labels = f'method="GET",protocol="http",service="{service}@kubernetesgateway"'
    yield from _requests(version, "traefik_service_requests_total", labels, 'code="200"', 'code="500"')
    yield from _buckets(version, "traefik_service_request_duration_seconds_bucket", f'{labels},code="200"')


def http_server_requests(version: str) -> Iterator[Series]:
    labels = f'namespace="{NAMESPACE}",pod="{pod(version)}",method="GET",uri="/cart"'
    codes = ('status="200",outcome="SUCCESS"', 'status="500",outcome="SERVER_ERROR"')
    yield from _requests(version, "http_server_requests_seconds_count", labels, *codes)
    yield from _buckets(version, "http_server_requests_seconds_bucket", f"{labels},{codes[0]}")


def opentelemetry(version: str) -> Iterator[Series]:
    labels = f'namespace="{NAMESPACE}",pod="{pod(version)}",http_request_method="GET",http_route="/cart"'
    codes = ('http_response_status_code="200"', 'http_response_status_code="500"')
    yield from _requests(version, "http_server_request_duration_seconds_count", labels, *codes)
    yield from _buckets(version, "http_server_request_duration_seconds_bucket", f"{labels},{codes[0]}")


def pods(version: str) -> Iterator[Series]:
    """cAdvisor and kube-state-metrics; nothing at all is known of the idle version."""
    if version == "idle":
        return
    labels = f'namespace="{NAMESPACE}",pod="{pod(version)}",container="app"'
    bad = version == "bad"
    yield counter(f"container_cpu_usage_seconds_total{{{labels}}}", 0.49 if bad else 0.1)
    yield gauge(f"container_memory_working_set_bytes{{{labels}}}", 250e6 if bad else 50e6)
    for of in ("limits", "requests"):
        yield gauge(f'kube_pod_container_resource_{of}{{{labels},resource="cpu",unit="core"}}', 0.5)
        yield gauge(f'kube_pod_container_resource_{of}{{{labels},resource="memory",unit="byte"}}', 256e6)
    yield counter(f"kube_pod_container_status_restarts_total{{{labels}}}", 1 / 60 if bad else 0.0)
    if bad:
        yield gauge(f'kube_pod_container_status_waiting_reason{{{labels},reason="CrashLoopBackOff"}}', 1)


WRITERS: dict[str, Callable[[str], Iterator[Series]]] = {
    "envoy-gateway": envoy_gateway,
    "istio": istio,
    "linkerd": linkerd,
    "ingress-nginx": ingress_nginx,
    "nginx-gateway-fabric": nginx_gateway_fabric,
    "traefik": traefik,
    "http-server-requests": http_server_requests,
    "opentelemetry": opentelemetry,
    "pods": pods,
}


def everything() -> list[Series]:
    return [series for write in WRITERS.values() for version in VERSIONS for series in write(version)]


def recovered() -> list[Series]:
    """Istio's counts of a version that failed every tenth request for most of an hour, and none in its last minutes."""
    labels = f'reporter="destination",destination_service_namespace="{NAMESPACE}",'
    labels += f'destination_service_name="app-recovered",pod="{pod("recovered")}"'
    failed = Series(
        name=f'istio_requests_total{{{labels},response_code="500"}}', value=lambda seconds: min(seconds, 2700.0)
    )
    return [counter(f'istio_requests_total{{{labels},response_code="200"}}', 9.0), failed]


def honoured() -> list[Series]:
    """ingress-nginx scraped with honorLabels: its labels as it writes them."""
    labels = f'namespace="{NAMESPACE}",service="app-honoured",ingress="app"'
    requests = _requests("good", "nginx_ingress_controller_requests", labels, 'status="200"', 'status="502"')
    return [*requests, *_buckets("good", "nginx_ingress_controller_request_duration_seconds_bucket", labels)]
