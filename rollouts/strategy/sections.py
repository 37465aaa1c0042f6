"""Parts of a status: pod counts, and the sections `canary` and `blueGreen`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rollouts.strategy import keys, patching, runs, services
from rollouts.strategy.canary import pointing
from rollouts.strategy.decision import Decision
from rollouts.strategy.snapshot import ReplicaSet
from rollouts.strategy.wants import selector_text
from rollouts.traffic import Destination

JSON = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pods:
    """Pod counts: `total` of all ReplicaSets, `updated` of the new one. The rest is what serves users: of all
    ReplicaSets of a canary, of the active one of a blue/green Rollout."""

    total: int
    updated: int
    ready: int
    available: int
    scalable: int


def pods_of(decision: Decision) -> Pods:
    every, active = decision.revisions.all, _active(decision)
    serving = every if active is None else (active,)
    return Pods(
        total=sum(rs.current for rs in every),
        updated=decision.revisions.new.current if decision.revisions.new else 0,
        ready=sum(rs.ready for rs in serving),
        available=sum(rs.available for rs in serving),
        scalable=sum(rs.current for rs in serving),
    )


def counts(pods: Pods) -> dict[str, Any]:
    return {
        "HPAReplicas": pods.scalable or None,
        "replicas": pods.total or None,
        "updatedReplicas": pods.updated or None,
        "readyReplicas": pods.ready or None,
        "availableReplicas": pods.available or None,
    }


def selector(decision: Decision) -> str:
    """What a HorizontalPodAutoscaler counts: of a blue/green Rollout only the pods that serve users."""
    text, wanted = selector_text(decision.wants.selector), decision.wants.blue_green
    active = _selects(decision, wanted.active_service) if wanted else ""
    known = {decision.revisions.hash, *(rs.hash for rs in decision.revisions.all)}
    return f"{text},{keys.POD_HASH}={active}" if active in known else text


def canary(decision: Decision) -> dict[str, Any]:
    section: dict[str, Any] = {
        kind.status_key: _run_status(decision, kind) for kind in runs.KINDS if kind.section == "canary"
    }
    canary = decision.wants.canary
    turns = canary is not None and canary.ping_pong is not None
    pong = turns and pointing.pong_is_stable(decision.at, promote=decision.promote is not None)
    return {
        **section,
        "currentExperiment": decision.trial.name if decision.trial else None,
        "weights": _weights(decision),
        "stepPluginStatuses": list(decision.at.plugins) or None,
        "pausedStepIndex": _paused_step(decision),
        "stablePingPong": ("pong" if pong else "ping") if turns else None,
    }


def _paused_step(decision: Decision) -> int | None:
    """The step a pause belongs to, remembered from its begin on (ours, the peer has no such field)."""
    kept = decision.intent.resumed_meanwhile
    if decision.wants.canary is None or not decision.course.controller_pause or not (decision.course.pauses or kept):
        return None
    if kept or (decision.recorded.pauses and not decision.course.completed):
        before: int | None = (decision.recorded.raw.get("canary") or {}).get("pausedStepIndex")
        return before
    return decision.course.index


def _weights(decision: Decision) -> dict[str, Any] | None:
    """What the routers were told: now, or last time when they can't be told anything now."""
    before = (decision.recorded.raw.get("canary") or {}).get("weights") or {}
    if decision.wants.routed is None:
        return None
    traffic = decision.target.traffic
    if traffic is None:
        return before or None
    split = traffic.split
    told = {
        "canary": _destination(split.canary),
        "stable": _destination(split.stable),
        "additional": [_destination(part) for part in split.additional] or None,
        "verified": traffic.verified,
    }
    return patching.replaced(before, {key: value for key, value in told.items() if value is not None})


def _destination(part: Destination) -> dict[str, Any]:
    service = {"serviceName": part.service} if part.service else {}
    return {"weight": part.weight, **service, "podTemplateHash": part.hash}


def blue_green(decision: Decision) -> dict[str, Any]:
    section: dict[str, Any] = {
        kind.status_key: _run_status(decision, kind) for kind in runs.KINDS if kind.section == "blueGreen"
    }
    wanted = decision.wants.blue_green
    if wanted is None:
        return {**section, "activeSelector": None, "previewSelector": None, "scaleUpPreviewCheckPoint": None}
    return {
        **section,
        "activeSelector": _selects(decision, wanted.active_service) or None,
        "previewSelector": _selects(decision, wanted.preview_service) or None,
        "scaleUpPreviewCheckPoint": True if decision.course.checkpoint and decision.in_progress else None,
    }


def _selects(decision: Decision, service: str | None) -> str:
    return services.after(decision.at.snapshot.services, decision.target.switches, service)


def _active(decision: Decision) -> ReplicaSet | None:
    """Blue/green: the ReplicaSet that serves users."""
    wanted = decision.wants.blue_green
    return decision.at.labelled(_selects(decision, wanted.active_service)) if wanted else None


def cut_over(decision: Decision) -> bool:
    """Whether users reach the new version. As long as no pods are wanted, a Service not taken over yet is no
    obstacle: it is taken over when the first pods are there."""
    wanted = decision.wants.blue_green
    selects = _selects(decision, wanted.active_service) if wanted else ""
    return selects == decision.revisions.hash or (not selects and decision.wants.limits.replicas == 0)


def _run_status(decision: Decision, kind: runs.RunKind) -> dict[str, Any] | None:
    current = next((run for run in decision.current_runs if run.kind is kind), None)
    if current is None:
        return None
    phase_now = current.run.phase if current.run else ""
    message = current.run.message if current.run else ""
    return {"name": current.name, "status": phase_now, "message": message or None}
