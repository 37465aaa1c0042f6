"""How much is kept of what is over: ReplicaSets by revisionHistoryLimit, AnalysisRuns by `spec.analysis`."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from deploy.local.prometheus import Prometheus
from rollouts.api import kinds
from tests.cluster.space import JSON, Space, rollout

pytestmark = pytest.mark.usefixtures("controller")
MEASURE = {"analysis": {"templates": [{"templateName": "check"}]}}


def metric(prometheus: Prometheus, value: int) -> JSON:
    """One that measures `value`, and wants 1."""
    provider = {"prometheus": {"address": prometheus.url, "query": f"vector({value})"}}
    return {"metrics": [{"name": "m", "successCondition": "result[0] == 1", "provider": provider}]}


def release(space: Space, number: int, phase: str) -> None:
    space.set_image(f"example/app:{number}")
    space.until(f"revision {number}", lambda: str(number) in space.sets())
    space.until_phase(phase)


def kept(space: Space) -> Counter[str]:
    """AnalysisRuns by phase."""
    return Counter(run["status"]["phase"] for run in space.runs())


def of_revisions(space: Space, phase: str) -> list[str]:
    found = [run for run in space.runs() if run["status"]["phase"] == phase]
    return sorted(run["metadata"]["annotations"]["rollout.argoproj.io/revision"] for run in found)


def until_revisions(space: Space, phase: str, wanted: list[str]) -> None:
    """Wait until runs of exactly these revisions are left of those that ended so."""

    def look() -> bool:
        assert of_revisions(space, phase) == wanted
        return True

    space.until(f"{phase} runs of {wanted}", look)


def measured(space: Space, prometheus: Prometheus, value: int, **spec: Any) -> None:
    api_version = kinds.ANALYSIS_TEMPLATE.api_version
    template = {"apiVersion": api_version, "kind": "AnalysisTemplate", "metadata": {"name": "check"}}
    space.create({**template, "spec": metric(prometheus, value)}, rollout(steps=[{"setWeight": 50}, MEASURE], **spec))
    space.until_phase("Healthy")


def test_runs_are_kept_to_their_limits(space: Space, prometheus: Prometheus) -> None:
    measured(space, prometheus, 1, analysis={"successfulRunHistoryLimit": 2, "unsuccessfulRunHistoryLimit": 1})
    for number in (2, 3, 4, 5):
        release(space, number, "Healthy")
    until_revisions(space, "Successful", ["4", "5"])
    space.patch(kinds.ANALYSIS_TEMPLATE, "check", {"spec": metric(prometheus, 0)})
    for number in (6, 7):
        release(space, number, "Degraded")
    until_revisions(space, "Failed", ["7"])
    assert kept(space)["Successful"] == 2


def test_runs_go_with_their_replica_set(space: Space, prometheus: Prometheus) -> None:
    measured(space, prometheus, 1, revisionHistoryLimit=1)
    for number in (2, 3, 4):
        release(space, number, "Healthy")
    space.until("two ReplicaSets are left", lambda: list(space.sizes()) == ["3", "4"])
    until_revisions(space, "Successful", ["3", "4"])


def test_without_limits_five_are_kept(space: Space, prometheus: Prometheus) -> None:
    measured(space, prometheus, 1)
    for number in range(2, 9):
        release(space, number, "Healthy")
    until_revisions(space, "Successful", ["4", "5", "6", "7", "8"])
