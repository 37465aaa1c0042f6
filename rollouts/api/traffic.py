"""`trafficRouting`: which router splits the traffic, and the objects through which it is told.

One model per router. Several routers may be used at once (an Ingress outside, a mesh inside).
"""

from __future__ import annotations

from typing import Annotated, Any

from analysis.spec.base import Bool, Int32, Int64, ListMap, Model, Opaque, StringMap
from rollouts.api import defaults


class TLSRoute(Model):
    """TLS routes of a VirtualService, picked by port or SNI host."""

    port: Int64 | None = None
    """Port of the route."""
    sni_hosts: list[str] | None = None
    """SNI hosts of the route."""


class TCPRoute(Model):
    """TCP routes of a VirtualService, picked by port."""

    port: Int64 | None = None
    """Port of the route."""


class IstioVirtualService(Model):
    """A VirtualService whose route weights are set."""

    name: str
    """Name; `name.namespace` for one of another namespace."""
    routes: list[str] | None = None
    """HTTP routes to edit. Default: the only one there is."""
    tls_routes: list[TLSRoute] | None = None
    """TLS routes to edit. Default: the only one there is."""
    tcp_routes: list[TCPRoute] | None = None
    """TCP routes to edit. Default: the only one there is."""


class IstioDestinationRule(Model):
    """A DestinationRule whose subsets are labelled with the pod hashes."""

    name: str
    """Name of the DestinationRule."""
    canary_subset_name: str
    """Subset of the canary pods."""
    stable_subset_name: str
    """Subset of the stable pods."""
    additional_subset_names: list[str] | None = None
    """Further subsets that keep their weights."""


class Istio(Model):
    """Istio: split by host or by subset."""

    virtual_service: IstioVirtualService | None = None
    """The VirtualService whose weights are set."""
    virtual_services: list[IstioVirtualService] | None = None
    """Several VirtualServices instead of one."""
    destination_rule: IstioDestinationRule | None = None
    """The DestinationRule for a split by subset."""


class Nginx(Model):
    """Ingress-nginx: a second Ingress with a canary weight, made and owned by the Rollout."""

    annotation_prefix: str | None = None
    """Prefix of the controller's annotations. Default `nginx.ingress.kubernetes.io`."""
    stable_ingress: str | None = None
    """Ingress that serves the stable Service."""
    stable_ingresses: list[str] | None = None
    """Several such Ingresses instead of one."""
    additional_ingress_annotations: StringMap | None = None
    """Annotations for the canary Ingress; the prefix is put before each key."""
    canary_ingress_annotations: StringMap | None = None
    """Annotations for the canary Ingress, taken literally; they win."""


class Stickiness(Model):
    """Stickiness of ALB target groups by a cookie."""

    enabled: Bool
    """True: clients stay with the target group they first met."""
    duration_seconds: Int64
    """Seconds they stay, 1 to 604800."""


class ALB(Model):
    """AWS Load Balancer Controller: weights in an annotation of the Ingress."""

    ingress: str | None = None
    """The Ingress."""
    ingresses: list[str] | None = None
    """Several Ingresses instead of one."""
    service_port: Int32
    """Port of the Services the action forwards to."""
    root_service: str | None = None
    """Service in the Ingress that stands for the action. Default: the stable Service."""
    annotation_prefix: str | None = None
    """Prefix of the controller's annotations. Default `alb.ingress.kubernetes.io`."""
    stickiness_config: Stickiness | None = None
    """Stickiness of the target groups. Default: none."""


class SMI(Model):
    """Service Mesh Interface: a TrafficSplit, made and owned by the Rollout."""

    root_service: str | None = None
    """Service that clients use. Default: the stable Service."""
    traffic_split_name: str | None = None
    """Name of the TrafficSplit. Default: the Rollout's name."""


class Ambassador(Model):
    """Emissary (Ambassador): a canary copy of each Mapping."""

    mappings: list[str]
    """Names of the Mappings that serve the stable Service."""


class AppMeshVirtualService(Model):
    """An App Mesh VirtualService whose router's weights are set."""

    name: str
    """Name of the VirtualService."""
    routes: list[str] | None = None
    """HTTP routes to edit. Default: the only one there is."""


class AppMeshVirtualNodeReference(Model):
    """An App Mesh VirtualNode."""

    name: str
    """Name of the VirtualNode."""


class AppMeshVirtualNodeGroup(Model):
    """The VirtualNodes of both sides; their pod selectors get the pod hashes."""

    canary_virtual_node_ref: AppMeshVirtualNodeReference
    """VirtualNode of the canary pods."""
    stable_virtual_node_ref: AppMeshVirtualNodeReference
    """VirtualNode of the stable pods."""


class AppMesh(Model):
    """AWS App Mesh."""

    virtual_service: AppMeshVirtualService | None = None
    """The VirtualService whose router's weights are set."""
    virtual_node_group: AppMeshVirtualNodeGroup | None = None
    """The VirtualNodes of both sides."""


class Traefik(Model):
    """Traefik: weights of a TraefikService."""

    weighted_traefik_service_name: str
    """Name of the TraefikService with the weights."""


class ApisixRoute(Model):
    """An ApisixRoute whose backends' weights are set."""

    name: str
    """Name of the ApisixRoute."""
    rules: list[str] | None = None
    """HTTP rules to edit. Default: the only one there is."""


class Apisix(Model):
    """Apache APISIX."""

    route: ApisixRoute | None = None
    """The ApisixRoute whose backends' weights are set."""


class ManagedRoute(Model):
    """A route that steps may create."""

    name: str
    """Name that setHeaderRoute and setMirrorRoute refer to."""


class TrafficRouting(Model):
    """Splits traffic by a router instead of by the number of pods."""

    istio: Istio | None = None
    """Istio."""
    nginx: Nginx | None = None
    """Ingress-nginx."""
    alb: ALB | None = None
    """AWS Load Balancer Controller."""
    smi: SMI | None = None
    """Service Mesh Interface."""
    ambassador: Ambassador | None = None
    """Emissary (Ambassador)."""
    app_mesh: AppMesh | None = None
    """AWS App Mesh."""
    traefik: Traefik | None = None
    """Traefik."""
    apisix: Apisix | None = None
    """Apache APISIX."""
    managed_routes: Annotated[list[ManagedRoute], ListMap(key="name")] | None = None
    """Routes that steps may create, most important first; the router gets them in this order before its own."""
    plugins: Annotated[dict[str, Any], Opaque()] | None = None
    """Router plugins by name, each with its own configuration."""
    max_traffic_weight: Int32 | None = None
    """Weight that means all traffic, for nginx and plugins. Default 100."""

    @property
    def effective_max_traffic_weight(self) -> int:
        """The weight that means all traffic."""
        return defaults.MAX_TRAFFIC_WEIGHT if self.max_traffic_weight is None else self.max_traffic_weight

    @property
    def routers(self) -> tuple[str, ...]:
        """Keys of the routers that are set, in the API's spelling; a plugin is `plugins`."""
        names = ROUTER_FIELDS
        return tuple(str(type(self).model_fields[name].alias) for name in names if getattr(self, name) is not None)


ROUTER_FIELDS = ("istio", "nginx", "alb", "smi", "ambassador", "app_mesh", "traefik", "apisix", "plugins")
