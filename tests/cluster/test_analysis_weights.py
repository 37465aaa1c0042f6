"""`weight: Current`: background analysis holds the requests against the weight the Rollout has in force by then."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.local.prometheus import Prometheus
from rollouts.api import kinds
from tests.cluster.space import JSON, Space
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


@pytest.mark.timeout(120)
def test_a_router_that_stays_behind_stops_the_release(space: Space, prometheus: Prometheus) -> None:
    space.create(guard(prometheus))
    deployed(space, routed(STEPS, analysis={"templates": [{"templateName": "guard"}]}))
    space.set_image("example/app:2")
    space.until_paused(at=1)

    def last() -> dict[str, Any]:
        (run,) = space.runs()
        (result,) = run["status"]["metricResults"]
        measurement: dict[str, Any] = result["measurements"][-1]
        return measurement["metadata"]

    space.until("20 % is found right", lambda: last().get("share") == "20 % of requests, weight 20 %")
    assert last()["verdict"] == "no worse"
    space.promote()
    space.until("told 50 %", lambda: weights(space) == {"canary": 50, "stable": 50})
    space.until("found wrong", lambda: last()["verdict"] == "weight not applied", seconds=60)
    assert last()["share"] == "20 % of requests, weight 50 %"
    space.until(
        "the Rollout knows",
        lambda: space.status()["canary"]["currentBackgroundAnalysisRunStatus"]["status"] == "Inconclusive",
    )
    assert (space.status()["currentStepIndex"], space.status()["controllerPause"]) == (3, True)
    (run,) = space.runs()
    assert "where 50 % was asked for; nothing is said against the canary" in run["status"]["message"]
