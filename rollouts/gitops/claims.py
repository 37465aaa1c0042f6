"""Which fields belong to somebody else while they move: read from the Rollouts and autoscalers that are there.

Users configure nothing. A Rollout names its Services and routes, an autoscaler its workload, and that is all it takes
to know that a weight, a selector or a replica count is steered by a controller and only *started* by Git.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rollouts.gitops.objects import JSON, Ref, group_of, ref_of

_SERVICE_FIELDS = {
    "canary": ("stableService", "canaryService"),
    "blueGreen": ("activeService", "previewService"),
}
_GATEWAY = "gateway.networking.k8s.io"
_PLUGIN_ROUTES = {"httpRoute": "HTTPRoute", "grpcRoute": "GRPCRoute", "tcpRoute": "TCPRoute", "tlsRoute": "TLSRoute"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What a Rollout does to a route: shifts weight between `services` (or subsets), adds rules named in `managed`,
    writes whole `annotations`. `rules`: the only rules in which it shifts weight; empty: all of them."""

    services: frozenset[str] = frozenset()
    managed: frozenset[str] = frozenset()
    annotations: frozenset[str] = frozenset()
    rules: frozenset[str] = frozenset()

    def steers(self, rule: JSON) -> bool:
        """Whether weight is shifted in this rule."""
        return not self.rules or rule.get("name") in self.rules

    def __or__(self, other: Route) -> Route:
        return Route(
            services=self.services | other.services,
            managed=self.managed | other.managed,
            annotations=self.annotations | other.annotations,
            rules=self.rules | other.rules if self.rules and other.rules else frozenset(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """Fields that are steered: replica counts, Service selectors, DestinationRule subsets, routes."""

    replicas: frozenset[Ref] = frozenset()
    scalers: Mapping[Ref, str] = field(default_factory=dict)
    """For those of `replicas` that an autoscaler sets: which one, for people."""
    services: frozenset[Ref] = frozenset()
    subsets: frozenset[Ref] = frozenset()
    routes: Mapping[tuple[str, str, str], Route] = field(default_factory=dict)
    """By kind, namespace and name; the group is left out, meshes keep moving theirs."""

    def route(self, ref: Ref) -> Route | None:
        """The claim on a route, None when no Rollout steers it."""
        return self.routes.get((ref.kind, ref.namespace, ref.name))


def claims(neighbours: Iterable[JSON]) -> Claims:
    """What the given objects (live and wanted) steer. Kinds that steer nothing are ignored."""
    bodies = list(neighbours)
    scalers = [body for body in bodies if body.get("kind") in {"HorizontalPodAutoscaler", "ScaledObject"}]
    rollouts = [body for body in bodies if body.get("kind") == "Rollout"]
    routes: dict[tuple[str, str, str], Route] = {}
    for rollout in rollouts:
        for key, route in _routes(rollout):
            routes[key] = routes[key] | route if key in routes else route
    scaled = {ref: ref_of(body).label for body in scalers for ref in _scaled(body)}
    return Claims(
        replicas=frozenset([*scaled, *(ref for body in rollouts for ref in _sized(body))]),
        scalers=scaled,
        services=frozenset(ref for body in rollouts for ref in _services(body)),
        subsets=frozenset(ref for body in rollouts for ref in _subsets(body)),
        routes=routes,
    )


def _scaled(scaler: JSON) -> Iterator[Ref]:
    target = dig(scaler, "spec", "scaleTargetRef")
    if target.get("name"):
        # KEDA's default: an apps/v1 Deployment.
        group = group_of(target.get("apiVersion") or "apps/v1")
        yield _ref(scaler, group=group, kind=target.get("kind") or "Deployment", name=target["name"])


def _sized(rollout: JSON) -> Iterator[Ref]:
    workload = dig(rollout, "spec", "workloadRef")
    if workload.get("name") and workload.get("scaleDown", "never") != "never":
        group = group_of(str(workload.get("apiVersion", "")))
        yield _ref(rollout, group=group, kind=str(workload.get("kind")), name=workload["name"])


def _names(rollout: JSON) -> frozenset[str]:
    strategy = dig(rollout, "spec", "strategy")
    names = [dig(strategy, way).get(key) for way, keys in _SERVICE_FIELDS.items() for key in keys]
    ping_pong = dig(strategy, "canary", "pingPong")
    return frozenset(str(name) for name in (*names, *ping_pong.values()) if name)


def _services(rollout: JSON) -> Iterator[Ref]:
    for name in _names(rollout):
        yield _ref(rollout, group="", kind="Service", name=name)


def _subsets(rollout: JSON) -> Iterator[Ref]:
    rule = dig(rollout, "spec", "strategy", "canary", "trafficRouting", "istio", "destinationRule")
    if rule.get("name"):
        yield _ref(rollout, group="networking.istio.io", kind="DestinationRule", name=rule["name"])


def _routes(rollout: JSON) -> Iterator[tuple[tuple[str, str, str], Route]]:
    routing = dig(rollout, "spec", "strategy", "canary", "trafficRouting")
    managed = frozenset(str(row["name"]) for row in routing.get("managedRoutes") or () if row.get("name"))
    rule = dig(routing, "istio", "destinationRule")
    subsets = frozenset(str(rule[key]) for key in ("canarySubsetName", "stableSubsetName") if rule.get(key))
    route = Route(services=_names(rollout) | subsets, managed=managed, annotations=_actions(rollout))
    home = str(rollout["metadata"].get("namespace") or "")
    for key, find in _ROUTERS.items():
        for kind, name, namespace, rules in find(dig(routing, key)):
            yield (kind, namespace or home, name), replace(route, rules=rules)


def _actions(rollout: JSON) -> frozenset[str]:
    """The annotation in which an ALB Ingress keeps the weights."""
    canary = dig(rollout, "spec", "strategy", "canary")
    alb = dig(canary, "trafficRouting", "alb")
    service = alb.get("rootService") or canary.get("stableService")
    prefix = alb.get("annotationPrefix") or "alb.ingress.kubernetes.io"
    return frozenset({f"{prefix}/actions.{service}"}) if alb and service else frozenset()


Target = tuple[str, str, str | None, frozenset[str]]
"""Kind, name, namespace if it isn't the Rollout's, and rules if it isn't all of them."""
_ALL: frozenset[str] = frozenset()


def _istio(spec: JSON) -> Iterator[Target]:
    for service in (spec.get("virtualService") or {}, *(spec.get("virtualServices") or ())):
        if service.get("name"):
            name, _, namespace = str(service["name"]).partition(".")
            yield "VirtualService", name, namespace or None, frozenset(map(str, service.get("routes") or ()))


def _plugins(spec: JSON) -> Iterator[Target]:
    for config in spec.values():
        if not isinstance(config, Mapping):
            continue
        for key, kind in _PLUGIN_ROUTES.items():
            names = [config.get(key), *(row.get("name") for row in config.get(f"{key}s") or ())]
            yield from ((kind, str(name), config.get("namespace"), _ALL) for name in names if name)


def _alb(spec: JSON) -> Iterator[Target]:
    for name in (spec.get("ingress"), *(spec.get("ingresses") or ())):
        if name:
            yield "Ingress", str(name), None, _ALL


def _single(kind: str, key: str) -> Callable[[JSON], Iterator[Target]]:
    def find(spec: JSON) -> Iterator[Target]:
        if spec.get(key):
            yield kind, str(spec[key]), None, _ALL

    return find


_ROUTERS: Mapping[str, Callable[[JSON], Iterator[Target]]] = {
    "istio": _istio,
    "alb": _alb,
    "plugins": _plugins,
    "traefik": _single("TraefikService", "weightedTraefikServiceName"),
    "smi": _single("TrafficSplit", "trafficSplitName"),
}


def dig(body: JSON, *path: str) -> Mapping[str, Any]:
    """The mapping at a path, an empty one where anything on the way is missing or of another shape."""
    at: Any = body
    for key in path:
        at = at.get(key) if isinstance(at, Mapping) else None
    return at if isinstance(at, Mapping) else {}


def _ref(beside: JSON, *, group: str, kind: str, name: Any) -> Ref:
    return Ref(group=group, kind=kind, namespace=ref_of(beside).namespace, name=str(name))
