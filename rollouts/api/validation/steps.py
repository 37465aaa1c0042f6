"""The steps of a canary, one function per kind of step in a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from rollouts.api.canary import CanaryStrategy
from rollouts.api.durations import seconds
from rollouts.api.errors import FieldError, Path
from rollouts.api.steps import (
    CanaryStep,
    PluginStep,
    RolloutExperimentStep,
    RolloutExperimentTemplate,
    RolloutPause,
    SetCanaryScale,
    SetHeaderRoute,
    SetMirrorRoute,
    StringMatch,
)
from rollouts.api.validation import analysis, common, tried, words

WEIGHT_ROUTERS = frozenset(("smi", "alb", "istio", "plugins"))
HEADER_ROUTERS = frozenset(("istio", "alb", "apisix", "plugins"))
MIRROR_ROUTERS = frozenset(("istio", "plugins"))
_MANAGED_ROUTES = "spec.strategy.canary.trafficRouting.managedRoutes"


def errors(step: CanaryStep, strategy: CanaryStrategy, path: Path) -> Iterator[FieldError]:
    """All errors of one step."""
    yield from common.exactly_one(step, path, words=words.STEP)
    for name, field in CanaryStep.model_fields.items():
        value = getattr(step, name)
        if value is not None:
            yield from KINDS[name](value, strategy, path / str(field.alias))


def _weight(value: int, strategy: CanaryStrategy, path: Path) -> Iterator[FieldError]:
    most = strategy.effective_max_traffic_weight
    yield from common.between(0, most, value, path, words=words.WEIGHT.format(most))


def _pause(value: RolloutPause, strategy: CanaryStrategy, path: Path) -> Iterator[FieldError]:
    if value.duration is None:
        return
    try:
        seconds(value.duration)
    except ValueError as error:
        yield (path / "duration").error(f"{words.DURATION}: {error}")


def _analysis(value: Any, strategy: CanaryStrategy, path: Path) -> Iterator[FieldError]:
    yield from analysis.rollout_errors(value, path)


def _scale(value: SetCanaryScale, strategy: CanaryStrategy, path: Path) -> Iterator[FieldError]:
    if strategy.traffic_routing is None:
        yield path.error(
            f"{words.SCALE}: it can only be used with trafficRouting; without a router the weight sets the pods"
        )
    yield from common.between(0, strategy.effective_max_traffic_weight, value.weight, path / "weight")
    yield from common.at_least(0, value.replicas, path / "replicas")


def _header(value: SetHeaderRoute, strategy: CanaryStrategy, path: Path) -> Iterator[FieldError]:
    yield from _route_errors(value.name, strategy, HEADER_ROUTERS, path, known=words.HEADER_ROUTERS)
    exact_only = strategy.traffic_routing is not None and strategy.traffic_routing.alb is not None
    for index, match in enumerate(value.match or ()):
        place = path / "match" / index / "headerValue"
        yield from _match_errors(match.header_value, place)
        if exact_only and (match.header_value.prefix or match.header_value.regex):
            yield place.error(f"{words.EXACT_HEADERS}: it must be exact")


def _mirror(value: SetMirrorRoute, strategy: CanaryStrategy, path: Path) -> Iterator[FieldError]:
    yield from _route_errors(value.name, strategy, MIRROR_ROUTERS, path, known=words.MIRROR_ROUTERS)
    yield from common.between(0, 100, value.percentage, path / "percentage")
    for index, match in enumerate(value.match or ()):
        place = path / "match" / index
        parts = [(place / "method", match.method), (place / "path", match.path)]
        parts += [(place / "headers" / name, header) for name, header in (match.headers or {}).items()]
        for part, text in parts:
            if text is not None:
                yield from _match_errors(text, part)


def _router_errors(strategy: CanaryStrategy, able: frozenset[str], path: Path, *, known: str) -> Iterator[FieldError]:
    """The step needs one of the routers that can do it. `known`: what the error begins with."""
    routers = strategy.traffic_routing.routers if strategy.traffic_routing else ()
    if not able.intersection(routers):
        yield path.error(f"{known}: it needs trafficRouting by one of {', '.join(sorted(able))}")


def _route_errors(
    name: str | None, strategy: CanaryStrategy, able: frozenset[str], path: Path, *, known: str
) -> Iterator[FieldError]:
    """A route that a step makes must be declared, so that it can be taken away again and has its rank."""
    unable = list(_router_errors(strategy, able, path, known=known))
    yield from unable
    routing = strategy.traffic_routing
    declared = {route.name for route in (routing.managed_routes if routing else None) or ()}
    if not unable and name not in declared:
        what = words.MANAGED_ROUTES if declared else words.MISSING.format(_MANAGED_ROUTES)
        yield (path / "name").error(f'{what}: "{name or ""}" is not in trafficRouting.managedRoutes; declare it there')


def _match_errors(match: StringMatch, path: Path) -> Iterator[FieldError]:
    given = [value for value in match.model_dump().values() if value is not None]
    yield from common.exactly_one(match, path, words=words.MATCHES if given else words.NO_MATCH)


def _experiment(value: RolloutExperimentStep, strategy: CanaryStrategy, path: Path) -> Iterator[FieldError]:
    if not value.templates:
        yield (path / "templates").error("at least one template is required")
    yield from tried.duration_errors(value.duration, path / "duration")
    yield from common.at_least(0, value.scale_down_delay_seconds, path / "scaleDownDelaySeconds")
    yield from common.no_duplicates([template.name for template in value.templates], path / "templates", "name")
    for index, template in enumerate(value.templates):
        yield from _template_errors(template, strategy, path / "templates" / index)
    runs = value.analyses or []
    yield from common.no_duplicates([run.name for run in runs], path / "analyses", "name")
    for index, run in enumerate(runs):
        yield from analysis.argument_errors(run.args or (), path / "analyses" / index / "args")
        if not run.template_name:
            yield (path / "analyses" / index / "templateName").error("is required")


def _template_errors(template: RolloutExperimentTemplate, strategy: CanaryStrategy, path: Path) -> Iterator[FieldError]:
    yield from common.dns_label(template.name, path / "name")
    yield from common.at_least(0, template.replicas, path / "replicas")
    yield from common.between(0, strategy.effective_max_traffic_weight, template.weight, path / "weight")
    if template.selector:
        yield from common.selector(template.selector, path / "selector")
    if template.weight is not None:
        known = words.WEIGHT_ROUTERS if strategy.traffic_routing else words.EXPERIMENT_WEIGHT
        yield from _router_errors(strategy, WEIGHT_ROUTERS, path / "weight", known=known)


def _plugin(value: PluginStep, strategy: CanaryStrategy, path: Path) -> Iterator[FieldError]:
    if not value.name:
        yield (path / "name").error("is required")


KINDS: dict[str, Callable[[Any, CanaryStrategy, Path], Iterator[FieldError]]] = {
    "set_weight": _weight,
    "pause": _pause,
    "analysis": _analysis,
    "experiment": _experiment,
    "set_canary_scale": _scale,
    "set_header_route": _header,
    "set_mirror_route": _mirror,
    "plugin": _plugin,
}
