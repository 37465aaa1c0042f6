"""The blue/green strategy, and the anti-affinity it shares with canary."""

from __future__ import annotations

from collections.abc import Iterator

from rollouts.api.bluegreen import BlueGreenStrategy
from rollouts.api.canary import AntiAffinity
from rollouts.api.errors import FieldError, Path
from rollouts.api.rollout import RolloutSpec
from rollouts.api.validation import analysis, common, words

_NON_NEGATIVE = (
    "preview_replica_count",
    "auto_promotion_seconds",
    "scale_down_delay_seconds",
    "scale_down_delay_revision_limit",
    "abort_scale_down_delay_seconds",
)


def errors(spec: RolloutSpec, strategy: BlueGreenStrategy, path: Path) -> Iterator[FieldError]:
    """All errors of a blue/green strategy."""
    yield from _service_errors(strategy, path)
    for name in _NON_NEGATIVE:
        yield from common.at_least(0, getattr(strategy, name), path / str(type(strategy).model_fields[name].alias))
    yield from common.number_or_share(strategy.max_unavailable, path / "maxUnavailable")
    yield from _history_errors(spec, strategy, path)
    yield from anti_affinity_errors(strategy.anti_affinity, path / "antiAffinity")
    yield from analysis.rollout_errors(strategy.pre_promotion_analysis, path / "prePromotionAnalysis")
    yield from analysis.rollout_errors(strategy.post_promotion_analysis, path / "postPromotionAnalysis")


def _service_errors(strategy: BlueGreenStrategy, path: Path) -> Iterator[FieldError]:
    if not strategy.active_service:
        yield (path / "activeService").error(
            f"{words.MISSING.format('.spec.strategy.blueGreen.activeService')}; it is required"
        )
    elif strategy.active_service == strategy.preview_service:
        yield (path / "previewService").error(
            f"{words.SAME_SERVICES.format('active', 'preview')} It must be another Service than activeService"
        )


def _history_errors(spec: RolloutSpec, strategy: BlueGreenStrategy, path: Path) -> Iterator[FieldError]:
    """ReplicaSets that wait to be scaled down must still be in the history."""
    waiting, kept = strategy.scale_down_delay_revision_limit, spec.effective_revision_history_limit
    if waiting is not None and waiting > kept:
        yield (path / "scaleDownDelayRevisionLimit").error(
            f"{words.HISTORY}; it must not be more than the revision history limit ({kept}), not {waiting}"
        )


def anti_affinity_errors(affinity: AntiAffinity | None, path: Path) -> Iterator[FieldError]:
    """Exactly one sort, and a wish with a weight of 1 to 100."""
    if affinity is None:
        return
    yield from common.exactly_one(affinity, path, words=words.ANTI_AFFINITY)
    preferred = affinity.preferred_during_scheduling_ignored_during_execution
    if preferred:
        place = path / "preferredDuringSchedulingIgnoredDuringExecution" / "weight"
        known = f"{words.AFFINITY_WEIGHT}: it must be between 1 and 100"
        yield from common.between(1, 100, preferred.weight, place, words=known)
