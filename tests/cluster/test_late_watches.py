"""A Rollout seen before what it refers to: `kubectl apply` makes all in one instant, each kind has its own watch."""

from __future__ import annotations

from typing import Any

from rollouts.api import kinds
from rollouts.api.kinds import Kind
from tests.cluster.controllers import OwnController
from tests.cluster.space import JSON, Space, rollout, service

CHECK: JSON = {"name": "errors", "provider": {"prometheus": {"address": "http://127.0.0.1:9", "query": "up"}}}


def test_what_a_watch_has_not_brought_yet_is_asked_for(space: Space, controller: OwnController) -> None:
    silence(controller, kinds.SERVICE, kinds.ANALYSIS_TEMPLATE)
    template = {"apiVersion": kinds.ROLLOUT.api_version, "kind": "AnalysisTemplate", "metadata": {"name": "check"}}
    measure = {"templates": [{"templateName": "check"}]}
    canary = {"canaryService": "canary", "stableService": "stable", "analysis": measure}
    space.create(service("canary"), service("stable"), {**template, "spec": {"metrics": [CHECK]}})
    space.create(rollout(canary=canary))
    space.until_phase("Healthy")
    space.until("all is told", lambda: "RolloutCompleted" in space.events.reasons())
    assert "InvalidSpec" not in space.events.reasons()
    assert (space.selected("stable"), space.selected("canary")) == ("1", "1")
    made = controller.counts()
    assert (made["POST replicasets"], made["PATCH services"]) == (1, 2)


def silence(controller: OwnController, *those: Kind) -> None:
    """From now on these watches bring nothing."""
    observe = controller.app.observe

    def heard(kind: Kind, event_type: str | None, obj: Any) -> None:
        if kind not in those:
            observe(kind, event_type, obj)

    controller.app.observe = heard  # type: ignore[method-assign]
