"""Where request counts come from: one row per proxy, mesh or library, with the names and labels it gives its series.

A row says how requests to one version of a service are told from all others: by the Service they were sent to (proxies
count by backend), or by the pod that answered (meshes and applications count by pod).

Labels that a scrape overwrites (`namespace` and `service` of a proxy's own pod) are kept by Prometheus as `exported_…`,
unless `honorLabels` is set. Both spellings are asked for, as two `selectors`; at most one of them finds something.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Arg:
    """An argument of a template. `value` None: it must be given; `field`: taken from the object that starts the run."""

    name: str
    what: str
    value: str | None = None
    field: str = ""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One row. `buckets` empty: it has no histogram. `unit`: how many of its histogram's units make a second.

    `good` is the matcher of requests that did not fail. `needs` says what must be set up, for people.
    """

    name: str
    title: str
    needs: str
    args: tuple[Arg, ...]
    selectors: tuple[str, ...]
    requests: str
    good: str
    buckets: str = ""
    unit: int = 1


NAMESPACE = Arg(name="namespace", what="Namespace of the Rollout.", field="metadata.namespace")
ROLLOUT = Arg(name="rollout", what="Name of the Rollout.", field="metadata.name")
SERVICE = Arg(name="service", what="Name of the Service of the version to judge: the canary Service.")
HASH = Arg(
    name="canary-hash",
    what="Pod template hash of the version to judge (podTemplateHashValue: Latest). Default: all versions.",
    value="[a-z0-9]+",
)
ANY_HASH = Arg(name="canary-hash", what=HASH.what, value="")

POD_NAME = "{{args.rollout}}-{{args.canary-hash}}-[a-z0-9]+"
"""A ReplicaSet is named after its Rollout and hash, its pods after the ReplicaSet."""
PODS = f'namespace="{{{{args.namespace}}}}",pod=~"{POD_NAME}"'
POD_ARGS = (NAMESPACE, ROLLOUT, HASH)

_TRAEFIK = "(.+-svc-)?{{args.namespace}}-{{args.service}}(-http)?(-[0-9]+)?@kubernetes(gateway|crd)?"

SOURCES: tuple[Source, ...] = (
    Source(
        name="envoy-gateway",
        title="Envoy Gateway (Gateway API)",
        needs="Envoy Gateway names clusters after routes. It makes one cluster for each backend, and so counts them "
        "apart, only where a backendRef of the rule has a filter, such as a responseHeaderModifier. Without one, judge "
        "by what the application or mesh counts.",
        args=(
            NAMESPACE,
            Arg(name="route", what="Name of the HTTPRoute."),
            Arg(name="rule", what="Which of its rules, from 0. Default: any.", value="[0-9]+"),
            Arg(name="backend", what="Which of the rule's backendRefs is the canary, from 0.", value="1"),
        ),
        selectors=(
            'envoy_cluster_name=~"httproute/{{args.namespace}}/{{args.route}}/rule/{{args.rule}}'
            '/backend/{{args.backend}}"',
        ),
        requests="envoy_cluster_upstream_rq_xx",
        good='envoy_response_code_class!="5"',
        buckets="envoy_cluster_upstream_rq_time_bucket",
        unit=1000,
    ),
    Source(
        name="istio",
        title="Istio",
        needs="Counted by the proxy before the pod (reporter destination). With separate canary and stable Services "
        "give the canary Service; where both are subsets of one Service, give that and canary-hash.",
        args=(NAMESPACE, SERVICE, ANY_HASH),
        selectors=(
            'reporter="destination",destination_service_namespace="{{args.namespace}}",'
            'destination_service_name="{{args.service}}",pod=~".*{{args.canary-hash}}.*"',
        ),
        requests="istio_requests_total",
        good='response_code!~"0|5.."',
        buckets="istio_request_duration_milliseconds_bucket",
        unit=1000,
    ),
    Source(
        name="linkerd",
        title="Linkerd",
        needs="Counted by the proxy before the pod (direction inbound); series as Linkerd's own scrape "
        "configuration labels them.",
        args=POD_ARGS,
        selectors=(f'direction="inbound",{PODS}',),
        requests="response_total",
        good='classification="success"',
        buckets="response_latency_ms_bucket",
        unit=1000,
    ),
    Source(
        name="ingress-nginx",
        title="ingress-nginx",
        needs="Metrics are enabled in the controller (controller.metrics.enabled of its chart).",
        args=(NAMESPACE, SERVICE),
        selectors=(
            'exported_namespace="{{args.namespace}}",exported_service="{{args.service}}"',
            'namespace="{{args.namespace}}",service="{{args.service}}"',
        ),
        requests="nginx_ingress_controller_requests",
        good='status!~"5.."',
        buckets="nginx_ingress_controller_request_duration_seconds_bucket",
    ),
    Source(
        name="nginx-gateway-fabric",
        title="NGINX Gateway Fabric (Gateway API)",
        needs="NGINX Gateway Fabric 2 with NGINX Plus: open-source NGINX does not count by upstream. It has no "
        "histogram of response times: judge latency by what the application counts.",
        args=(NAMESPACE, SERVICE),
        selectors=('nginx_upstream_name=~"{{args.namespace}}_{{args.service}}_[0-9]+"',),
        requests="nginx_http_upstream_peer_responses_total",
        good='nginx_status_range!="5xx"',
    ),
    Source(
        name="traefik",
        title="Traefik (Gateway API, IngressRoute, Ingress)",
        needs="Traefik 3 with metrics.prometheus.addServicesLabels, its default. Backends of Gateway API routes, "
        "TraefikServices and Ingresses are told apart by their Service.",
        args=(NAMESPACE, SERVICE),
        selectors=(f'exported_service=~"{_TRAEFIK}"', f'service=~"{_TRAEFIK}"'),
        requests="traefik_service_requests_total",
        good='code!~"5.."',
        buckets="traefik_service_request_duration_seconds_bucket",
    ),
    Source(
        name="http-server-requests",
        title="http_server_requests (Spring Boot, Micrometer)",
        needs="Pods are scraped with the labels namespace and pod, as by a PodMonitor. Latency needs histograms: "
        "management.metrics.distribution.percentiles-histogram.http.server.requests=true.",
        args=POD_ARGS,
        selectors=(PODS,),
        requests="http_server_requests_seconds_count",
        good='status!~"5.."',
        buckets="http_server_requests_seconds_bucket",
    ),
    Source(
        name="opentelemetry",
        title="OpenTelemetry (http.server.request.duration)",
        needs="Pods are scraped, or push, with the labels namespace and pod (k8s.namespace.name and k8s.pod.name as "
        "the collector's Prometheus exporter names them: relabel if yours differ).",
        args=POD_ARGS,
        selectors=(PODS,),
        requests="http_server_request_duration_seconds_count",
        good='http_response_status_code!~"5.."',
        buckets="http_server_request_duration_seconds_bucket",
    ),
)
"""Every source of request counts; a new proxy is one row."""
