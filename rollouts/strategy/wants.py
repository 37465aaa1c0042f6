"""The spec of a Rollout with defaults applied, as the deciders read it. The stored object is never defaulted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rollouts.api import defaults
from rollouts.api.loose import listed, mapping
from rollouts.strategy.replicas import Limits, max_surge, max_unavailable

JSON = Mapping[str, Any]

UNLIMITED: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """How long pods that serve nobody any more stay, in seconds.

    `after`: behind a promotion; `revisions`: how many ReplicaSets may wait so at once; `aborted`: pods of an aborted
    update, None for ever; `aborted_given`: the user said so, it is not the default.
    """

    after: int
    revisions: int
    aborted: int | None
    aborted_given: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """`strategy.canary`. `routing` is `trafficRouting` as written, None without a router."""

    canary_service: str | None
    stable_service: str | None
    ping_pong: tuple[str, str] | None
    routing: JSON | None
    full: int
    dynamic_stable: bool
    min_pods: int
    threshold: tuple[str, int] | None
    delays: Delays


@dataclass(frozen=True, slots=True, kw_only=True)
class BlueGreen:
    """`strategy.blueGreen`. `auto_seconds` None: only a person promotes, whatever autoPromotionSeconds says; 0: at
    once. `pre` and `post` are the analysis blocks as written."""

    active_service: str
    preview_service: str | None
    preview_replicas: int | None
    auto_seconds: int | None
    pre: JSON | None
    post: JSON | None
    delays: Delays


@dataclass(frozen=True, slots=True, kw_only=True)
class Wants:
    """What the user wants. Seconds and counts are plain integers; `steps`, `background`, `anti_affinity` and the
    metadata of the two roles are as written. Exactly one of `canary` and `blue_green` is set."""

    name: str
    namespace: str
    template: JSON
    selector: JSON
    steps: tuple[JSON, ...]
    background: JSON | None
    limits: Limits
    paused: bool
    min_ready_seconds: int
    history_limit: int
    rollback_window: int
    deadline: int
    deadline_aborts: bool
    successful_runs: int
    unsuccessful_runs: int
    restart_at: str | None
    anti_affinity: JSON | None
    new_metadata: JSON | None
    stable_metadata: JSON | None
    canary: Canary | None
    blue_green: BlueGreen | None

    @property
    def routed(self) -> Canary | None:
        """The canary strategy when a router splits its traffic."""
        return self.canary if self.canary and self.canary.routing is not None else None

    @property
    def delays(self) -> Delays:
        """The delays of the strategy in use."""
        return (self.canary or self.blue_green).delays  # type: ignore[union-attr]


def wants(rollout: JSON) -> Wants:
    """Read a valid Rollout."""
    metadata, spec = rollout["metadata"], rollout["spec"]
    canary, blue_green = _strategies(spec["strategy"])
    chosen: JSON = blue_green if canary is None else canary
    roles = ("previewMetadata", "activeMetadata") if canary is None else ("canaryMetadata", "stableMetadata")
    replicas = _or(spec.get("replicas"), defaults.REPLICAS)
    surge = max_surge(chosen.get("maxSurge"), replicas)
    history = spec.get("analysis") or {}
    return Wants(
        name=metadata["name"],
        namespace=metadata["namespace"],
        template=spec["template"],
        selector=spec["selector"],
        steps=tuple(chosen.get("steps") or ()),
        background=chosen.get("analysis"),
        limits=Limits(
            replicas=replicas,
            surge=surge,
            unavailable=max_unavailable(chosen.get("maxUnavailable"), replicas, surge),
        ),
        paused=bool(spec.get("paused")),
        min_ready_seconds=_or(spec.get("minReadySeconds"), 0),
        history_limit=_or(spec.get("revisionHistoryLimit"), defaults.REVISION_HISTORY_LIMIT),
        rollback_window=_or((spec.get("rollbackWindow") or {}).get("revisions"), 0),
        deadline=_or(spec.get("progressDeadlineSeconds"), defaults.PROGRESS_DEADLINE_SECONDS),
        deadline_aborts=bool(spec.get("progressDeadlineAbort")),
        successful_runs=_or(history.get("successfulRunHistoryLimit"), defaults.RUN_HISTORY_LIMIT),
        unsuccessful_runs=_or(history.get("unsuccessfulRunHistoryLimit"), defaults.RUN_HISTORY_LIMIT),
        restart_at=spec.get("restartAt"),
        anti_affinity=chosen.get("antiAffinity"),
        new_metadata=chosen.get(roles[0]),
        stable_metadata=chosen.get(roles[1]),
        canary=None if canary is None else _canary(canary),
        blue_green=None if canary is not None else _blue_green(chosen),
    )


def _strategies(strategy: JSON) -> tuple[JSON | None, JSON]:
    """The canary block (None when it is blue/green), and the blue/green block. An empty canary is one, too."""
    if strategy.get("blueGreen") is not None:
        return None, strategy["blueGreen"]
    return strategy.get("canary") or {}, {}


def _canary(block: JSON) -> Canary:
    routing, turns, threshold = (
        block.get("trafficRouting"),
        block.get("pingPong"),
        block.get("replicaProgressThreshold"),
    )
    return Canary(
        canary_service=block.get("canaryService"),
        stable_service=block.get("stableService"),
        ping_pong=(turns["pingService"], turns["pongService"]) if turns else None,
        routing=routing,
        full=_or((routing or {}).get("maxTrafficWeight"), defaults.MAX_TRAFFIC_WEIGHT),
        dynamic_stable=bool(block.get("dynamicStableScale")) and routing is not None,
        min_pods=_or(block.get("minPodsPerReplicaSet"), defaults.MIN_PODS_PER_REPLICA_SET)
        if routing is not None
        else 1,
        threshold=(threshold["type"], threshold["value"]) if threshold else None,
        delays=_delays(block) if routing is not None else NO_DELAYS,
    )


def _blue_green(block: JSON) -> BlueGreen:
    by_itself = block.get("autoPromotionEnabled") is not False
    return BlueGreen(
        active_service=block["activeService"],
        preview_service=block.get("previewService"),
        preview_replicas=block.get("previewReplicaCount"),
        auto_seconds=_or(block.get("autoPromotionSeconds"), 0) if by_itself else None,
        pre=block.get("prePromotionAnalysis"),
        post=block.get("postPromotionAnalysis"),
        delays=_delays(block),
    )


def _delays(block: JSON) -> Delays:
    aborted = block.get("abortScaleDownDelaySeconds")
    return Delays(
        after=_or(block.get("scaleDownDelaySeconds"), defaults.SCALE_DOWN_DELAY_SECONDS),
        revisions=_or(block.get("scaleDownDelayRevisionLimit"), UNLIMITED),
        aborted=defaults.ABORT_SCALE_DOWN_DELAY_SECONDS if aborted is None else aborted or None,
        aborted_given=aborted is not None,
    )


NO_DELAYS: Final = Delays(after=0, revisions=0, aborted=0, aborted_given=False)


def selector_text(selector: JSON) -> str:
    """The selector as `kubectl -l` takes it: `app=web,tier in (a,b),!gone`."""
    labels = [f"{key}={value}" for key, value in sorted(mapping(selector.get("matchLabels")).items())]
    return ",".join(labels + [_expression(mapping(e)) for e in listed(selector.get("matchExpressions"))])


def _expression(expression: JSON) -> str:
    key, operator = str(expression.get("key", "")), expression.get("operator", "")
    values = ",".join(sorted(map(str, listed(expression.get("values")))))
    words = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key, "DoesNotExist": f"!{key}"}
    return words.get(operator, "")


def _or(value: Any, default: int) -> int:
    return default if value is None else int(value)
