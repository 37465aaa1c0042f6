"""Traffic routers: what each needs from the strategy around it."""

from __future__ import annotations

from collections.abc import Iterator

from rollouts.api.canary import CanaryStrategy
from rollouts.api.errors import FieldError, Path
from rollouts.api.traffic import ALB, Istio, Nginx, TrafficRouting
from rollouts.api.validation import common, words

# Routers that split between two Services; Istio too, unless it splits by subset.
_NEED_SERVICES = frozenset(("alb", "nginx", "smi", "apisix", "ambassador", "appMesh", "traefik"))
_PING_PONG = frozenset(("alb", "istio", "plugins"))
_MAX_WEIGHT = frozenset(("nginx", "plugins"))
_LONGEST_STICKINESS = 604_800


def errors(strategy: CanaryStrategy, path: Path) -> Iterator[FieldError]:
    """All errors of `trafficRouting`, at `path`, within its strategy."""
    routing = strategy.traffic_routing
    if routing is None:
        yield from _needless_errors(strategy, path)
        return
    yield from _services_needed(strategy, routing, path.up())
    yield from _ping_pong_errors(strategy, routing, path)
    yield from _weight_errors(routing, path / "maxTrafficWeight")
    yield from common.no_duplicates([r.name for r in routing.managed_routes or ()], path / "managedRoutes", "name")
    yield from _istio_errors(routing.istio, path / "istio")
    yield from _nginx_errors(routing.nginx, path / "nginx")
    yield from _alb_errors(routing.alb, path / "alb")
    if routing.ambassador and not routing.ambassador.mappings:
        yield (path / "ambassador" / "mappings").error("at least one Mapping is required")


def _needless_errors(strategy: CanaryStrategy, path: Path) -> Iterator[FieldError]:
    if strategy.ping_pong is not None:
        yield (path.up() / "pingPong").error("can only be used with trafficRouting")


def _services_needed(strategy: CanaryStrategy, routing: TrafficRouting, path: Path) -> Iterator[FieldError]:
    if strategy.ping_pong is not None:
        return
    by_host = routing.istio is not None and routing.istio.destination_rule is None
    wanting = [router for router in routing.routers if router in _NEED_SERVICES or (router == "istio" and by_host)]
    if not wanting:
        return
    for name, service in (("canaryService", strategy.canary_service), ("stableService", strategy.stable_service)):
        if not service:
            needed = f"it is required with trafficRouting by {', '.join(wanting)}"
            yield (path / name).error(f"{words.TWO_SERVICES}: {needed}")


def _ping_pong_errors(strategy: CanaryStrategy, routing: TrafficRouting, path: Path) -> Iterator[FieldError]:
    if strategy.ping_pong is None:
        return
    if not _PING_PONG.intersection(routing.routers):
        needed = f"it needs trafficRouting by one of {', '.join(sorted(_PING_PONG))}"
        yield (path.up() / "pingPong").error(f"{words.PING_PONG_ROUTERS}: {needed}")
    if routing.alb is not None and not routing.alb.root_service:
        yield (path / "alb" / "rootService").error(f"{words.ROOT_SERVICE}: it is required with pingPong")


def _weight_errors(routing: TrafficRouting, path: Path) -> Iterator[FieldError]:
    if routing.max_traffic_weight is None:
        return
    yield from common.at_least(1, routing.max_traffic_weight, path)
    if not _MAX_WEIGHT.intersection(routing.routers):
        able = " or ".join(sorted(_MAX_WEIGHT))
        yield path.error(f"{words.MAX_WEIGHT}: it can only be used with {able}; other routers count to 100")


def _istio_errors(istio: Istio | None, path: Path) -> Iterator[FieldError]:
    if istio is None:
        return
    if istio.virtual_service is not None and istio.virtual_services:
        yield path.error("set only one of virtualService, virtualServices")
    if istio.virtual_service is None and not istio.virtual_services:
        yield path.error("set one of virtualService, virtualServices")
    names = [service.name for service in istio.virtual_services or ()]
    yield from common.no_duplicates(names, path / "virtualServices", "name")
    rule = istio.destination_rule
    if rule is not None and rule.canary_subset_name == rule.stable_subset_name:
        yield (path / "destinationRule" / "stableSubsetName").error("must differ from canarySubsetName")


def _nginx_errors(nginx: Nginx | None, path: Path) -> Iterator[FieldError]:
    if nginx is not None:
        yield from _one_or_many(
            nginx.stable_ingress, nginx.stable_ingresses, path, ("stableIngress", "stableIngresses")
        )


def _alb_errors(alb: ALB | None, path: Path) -> Iterator[FieldError]:
    if alb is None:
        return
    yield from _one_or_many(alb.ingress, alb.ingresses, path, ("ingress", "ingresses"))
    yield from common.between(1, 65535, alb.service_port, path / "servicePort")
    sticky = alb.stickiness_config
    if sticky is not None and sticky.enabled:
        place = path / "stickinessConfig" / "durationSeconds"
        yield from common.between(1, _LONGEST_STICKINESS, sticky.duration_seconds, place)


def _one_or_many(one: str | None, many: list[str] | None, path: Path, names: tuple[str, str]) -> Iterator[FieldError]:
    if one and many:
        yield path.error(f"set only one of {', '.join(names)}")
    if not one and not many:
        yield path.error(f"set one of {', '.join(names)}")
