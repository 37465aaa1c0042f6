"""The spec of a Rollout with defaults applied, as the deciders read it. The stored object is never defaulted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rollouts.strategy.replicas import Limits, max_surge, max_unavailable

JSON = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wants:
    """What the user wants. Seconds and counts are plain integers; `steps` and `background` are as written."""

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
    deadline: int
    deadline_aborts: bool
    successful_runs: int
    unsuccessful_runs: int
    restart_at: str | None


def wants(rollout: JSON) -> Wants:
    """Read a valid Rollout with a canary strategy."""
    metadata, spec = rollout["metadata"], rollout["spec"]
    canary = spec["strategy"]["canary"] or {}
    replicas = _or(spec.get("replicas"), 1)
    surge = max_surge(canary.get("maxSurge"), replicas)
    history = spec.get("analysis") or {}
    return Wants(
        name=metadata["name"],
        namespace=metadata["namespace"],
        template=spec["template"],
        selector=spec["selector"],
        steps=tuple(canary.get("steps") or ()),
        background=canary.get("analysis"),
        limits=Limits(
            replicas=replicas,
            surge=surge,
            unavailable=max_unavailable(canary.get("maxUnavailable"), replicas, surge),
        ),
        paused=bool(spec.get("paused")),
        min_ready_seconds=_or(spec.get("minReadySeconds"), 0),
        history_limit=_or(spec.get("revisionHistoryLimit"), 10),
        deadline=_or(spec.get("progressDeadlineSeconds"), 600),
        deadline_aborts=bool(spec.get("progressDeadlineAbort")),
        successful_runs=_or(history.get("successfulRunHistoryLimit"), 5),
        unsuccessful_runs=_or(history.get("unsuccessfulRunHistoryLimit"), 5),
        restart_at=spec.get("restartAt"),
    )


def selector_text(selector: JSON) -> str:
    """The selector as `kubectl -l` takes it: `app=web,tier in (a,b),!gone`."""
    labels = [f"{key}={value}" for key, value in sorted((selector.get("matchLabels") or {}).items())]
    return ",".join(labels + [_expression(e) for e in selector.get("matchExpressions") or ()])


def _expression(expression: JSON) -> str:
    key, operator = str(expression.get("key", "")), expression.get("operator", "")
    values = ",".join(sorted(expression.get("values") or ()))
    words = {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key, "DoesNotExist": f"!{key}"}
    return words.get(operator, "")


def _or(value: Any, default: int) -> int:
    return default if value is None else int(value)
