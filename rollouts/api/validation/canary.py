"""The canary strategy: limits, Services, and what needs a router. Steps and routers have files of their own."""

from __future__ import annotations

from collections.abc import Iterator

from rollouts.api.canary import CanaryStrategy, ReplicaProgressThreshold
from rollouts.api.errors import FieldError, Path
from rollouts.api.percentages import percentage
from rollouts.api.rollout import RolloutSpec
from rollouts.api.validation import analysis, common, steps, traffic, tried, words
from rollouts.api.validation.bluegreen import anti_affinity_errors

_NON_NEGATIVE = (
    "scale_down_delay_seconds",
    "scale_down_delay_revision_limit",
    "abort_scale_down_delay_seconds",
    "min_pods_per_replica_set",
)
_ROUTED_ONLY = ("scale_down_delay_seconds", "dynamic_stable_scale")


def errors(spec: RolloutSpec, strategy: CanaryStrategy, path: Path) -> Iterator[FieldError]:
    """All errors of a canary strategy."""
    yield from _limit_errors(strategy, path)
    yield from _service_errors(strategy, path)
    yield from _routed_only_errors(strategy, path)
    yield from anti_affinity_errors(strategy.anti_affinity, path / "antiAffinity")
    yield from _threshold_errors(strategy.replica_progress_threshold, path / "replicaProgressThreshold")
    yield from traffic.errors(strategy, path / "trafficRouting")
    yield from _background_errors(strategy, path / "analysis")
    for index, step in enumerate(strategy.steps or ()):
        yield from steps.errors(step, strategy, path / "steps" / index)
    yield from tried.errors(spec, strategy, path / "steps")


def _limit_errors(strategy: CanaryStrategy, path: Path) -> Iterator[FieldError]:
    for name in _NON_NEGATIVE:
        yield from common.at_least(0, getattr(strategy, name), path / str(type(strategy).model_fields[name].alias))
    yield from common.number_or_share(strategy.max_surge, path / "maxSurge", most=None)
    yield from common.number_or_share(strategy.max_unavailable, path / "maxUnavailable")
    if _is_zero(strategy.effective_max_surge) and _is_zero(strategy.effective_max_unavailable):
        yield (path / "maxSurge").error(
            f"{words.SURGE}: it must not be 0 when maxUnavailable is 0: no pod could ever be replaced"
        )


def _is_zero(value: int | str) -> bool:
    if isinstance(value, int):
        return value == 0
    try:
        return percentage(value) == 0
    except ValueError:
        return False


def _service_errors(strategy: CanaryStrategy, path: Path) -> Iterator[FieldError]:
    if strategy.canary_service and strategy.canary_service == strategy.stable_service:
        yield (path / "stableService").error(
            f"{words.SAME_SERVICES.format('stable', 'canary')} It must be another Service than canaryService"
        )
    turns = strategy.ping_pong
    if turns is None:
        return
    for name, service in (("pingService", turns.ping_service), ("pongService", turns.pong_service)):
        if not service:
            yield (path / "pingPong" / name).error(f"{words.PING_AND_PONG}: it is required")
    if turns.ping_service and turns.ping_service == turns.pong_service:
        yield (path / "pingPong" / "pongService").error(
            f"{words.SAME_SERVICES.format('ping', 'pong')} It must be another Service than pingService: they take turns"
        )


def _routed_only_errors(strategy: CanaryStrategy, path: Path) -> Iterator[FieldError]:
    """Fields that mean nothing without a router, and the pair that excludes each other."""
    given = [name for name in _ROUTED_ONLY if _is_given(getattr(strategy, name))]
    places = {name: path / str(type(strategy).model_fields[name].alias) for name in given}
    if strategy.traffic_routing is None:
        for place in places.values():
            yield place.error(f"{words.ROUTED_ONLY.format(place.parts[-1])}; it can only be used with trafficRouting")
    if len(places) == len(_ROUTED_ONLY):
        yield places["scale_down_delay_seconds"].error(
            f"{words.DYNAMIC}; it can't be used with dynamicStableScale, which scales the old pods down along the way"
        )


def _is_given(value: int | bool | None) -> bool:
    return value is not None and value is not False


def _threshold_errors(threshold: ReplicaProgressThreshold | None, path: Path) -> Iterator[FieldError]:
    if threshold is None:
        return
    if threshold.type == "Percent":
        yield from common.between(1, 100, threshold.value, path / "value")
    else:
        yield from common.at_least(1, threshold.value, path / "value")


def _background_errors(strategy: CanaryStrategy, path: Path) -> Iterator[FieldError]:
    background = strategy.analysis
    yield from analysis.rollout_errors(background, path)
    if background is not None:
        yield from common.at_least(0, background.starting_step, path / "startingStep")
