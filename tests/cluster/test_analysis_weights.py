"""`weight: Current`: background analysis holds the requests against the weight the Rollout has in force by then, and
without a router against the ready pods."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.local.prometheus import Prometheus
from rollouts.api import kinds
from tests.cluster.space import JSON, Space, rollout
from tests.cluster.test_rollout_routed import controller, deployed, routed, weights  # noqa: F401  # a fixture

STEPS = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]


def guard(prometheus: Prometheus) -> JSON:
    """A router that gives the canary a fifth of 1000 requests a look, whatever it is told."""
    sides = {"canary": (2, 200), "stable": (8, 800)}
    compare = {side: {"errors": f"vector({bad})", "total": f"vector({all_})"} for side, (bad, all_) in sides.items()}
    metric = {"name": "share", "interval": "1s", "compare": {**compare, "weight": "Current"}}
    return {
        "apiVersion": kinds.ROLLOUT.api_version,
        "kind": "AnalysisTemplate",
        "metadata": {"name": "guard"},
        "spec": {"metrics": [{**metric, "provider": {"prometheus": {"address": prometheus.url}}}]},
    }


def last(space: Space) -> dict[str, Any]:
    """What the newest measurement says beside its value."""
    (run,) = space.runs()
    (result,) = run["status"]["metricResults"]
    measurement: dict[str, Any] = result["measurements"][-1]
    return measurement["metadata"]


def background_status(space: Space) -> str:
    return str(space.status()["canary"]["currentBackgroundAnalysisRunStatus"]["status"])


@pytest.mark.timeout(120)
def test_a_router_that_stays_behind_stops_the_release(space: Space, prometheus: Prometheus) -> None:
    space.create(guard(prometheus))
    deployed(space, routed(STEPS, analysis={"templates": [{"templateName": "guard"}]}))
    space.set_image("example/app:2")
    space.until_paused(at=1)

    space.until("20 % is found right", lambda: last(space).get("share") == "20 % of requests, weight 20 %")
    assert last(space)["verdict"] == "no worse"
    space.promote()
    space.until("told 50 %", lambda: weights(space) == {"canary": 50, "stable": 50})
    space.until("found wrong", lambda: last(space)["verdict"] == "weight not applied", seconds=60)
    assert last(space)["share"] == "20 % of requests, weight 50 %"
    space.until("the Rollout knows", lambda: background_status(space) == "Inconclusive")
    assert (space.status()["currentStepIndex"], space.status()["controllerPause"]) == (3, True)
    (run,) = space.runs()
    assert "where 50 % was asked for; nothing is said against the canary" in run["status"]["message"]


@pytest.mark.timeout(120)
def test_without_a_router_requests_are_held_against_the_ready_pods(space: Space, prometheus: Prometheus) -> None:
    """A fifth of the requests is right for one pod of four, and wrong for three of them."""
    space.create(guard(prometheus))
    steps = [{"setWeight": 25}, {"pause": {}}, {"setWeight": 75}, {"pause": {}}]
    background = {"analysis": {"templates": [{"templateName": "guard"}]}}
    space.create(rollout(replicas=4, steps=steps, canary=background))
    space.until_phase("Healthy")
    space.set_image("example/app:2")
    space.until_paused(at=1)
    space.until("25 % is right", lambda: last(space).get("share") == "20 % of requests, 25 % of ready pods")
    assert last(space)["verdict"] == "no worse"
    space.promote()
    space.until("75 % is wrong", lambda: last(space)["verdict"] == "weight not applied", seconds=60)
    space.until("the Rollout knows", lambda: background_status(space) == "Inconclusive")
    (run,) = space.runs()
    assert "requests do not follow the pods: the canary got 20 % of" in run["status"]["message"]
    assert "where 75 % of the ready pods are its own" in run["status"]["message"]
