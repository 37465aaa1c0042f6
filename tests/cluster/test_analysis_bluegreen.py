"""Measuring before and after a blue/green switch with a real Prometheus: what it says decides whom users reach."""

from __future__ import annotations

import pytest

from deploy.local.prometheus import Prometheus
from rollouts.api import kinds
from tests.cluster.space import JSON, Space, blue_green, service

pytestmark = pytest.mark.usefixtures("controller")
GOOD, BAD, NEITHER = "vector(1)", "vector(0)", "vector(0.5)"


@pytest.fixture
def template(prometheus: Prometheus, space: Space) -> Template:
    return Template(prometheus, space)


class Template:
    """AnalysisTemplates with one metric: good from 0.9, bad below 0.1, in between inconclusive."""

    def __init__(self, prometheus: Prometheus, space: Space) -> None:
        self._address, self._space = prometheus.url, space

    def body(self, name: str, query: str) -> JSON:
        metric = {
            "name": "rate",
            "successCondition": "result[0] >= 0.9",
            "failureCondition": "result[0] < 0.1",
            "provider": {"prometheus": {"address": self._address, "query": query}},
        }
        head = {"apiVersion": kinds.ROLLOUT.api_version, "kind": "AnalysisTemplate", "metadata": {"name": name}}
        return {**head, "spec": {"metrics": [metric]}}

    def create(self, **queries: str) -> None:
        self._space.create(*(self.body(name, query) for name, query in queries.items()))

    def change(self, name: str, query: str) -> None:
        self._space.patch(kinds.ANALYSIS_TEMPLATE, name, self.body(name, query))


def analysis(name: str) -> JSON:
    return {"templates": [{"templateName": name}]}


def aborted(space: Space, which: str) -> None:
    """Wait until it is aborted by one of its analyses, and users reach what they had."""
    why = f"Blue/green {which} analysis phase error/failed: "
    why += 'Metric "rate" assessed Failed due to failed (1) > failureLimit (0)'
    space.until_phase("Degraded", message=f"RolloutAborted: Rollout aborted update to revision 2: {why}")
    space.until("users reach the old pods", lambda: space.selected("active") == "1")


def test_it_is_measured_before_and_after_the_switch(space: Space, template: Template) -> None:
    template.create(before=BAD, after=BAD)
    strategy = {"prePromotionAnalysis": analysis("before"), "postPromotionAnalysis": analysis("after")}
    space.create(service("active"), service("preview"), blue_green(replicas=2, strategy=strategy))
    space.until_phase("Healthy")
    assert space.runs() == [], "nothing is measured in a first deploy"
    space.set_image("example/app:2")
    aborted(space, "pre-promotion")
    template.change("before", GOOD)
    space.retry()
    aborted(space, "post-promotion")
    space.until("taken over, switched, and switched back", lambda: switches(space) == 3)
    template.change("after", GOOD)
    space.retry()
    space.until_phase("Healthy")
    assert space.selected("active") == "2"
    digest = space.status()["stableRS"]
    found = {run["metadata"]["name"]: run["metadata"]["labels"]["rollout-type"] for run in space.runs()}
    before, after = ({f"app-{digest}-2-{kind}{again}" for again in ("", ".1", ".2")} for kind in ("pre", "post"))
    assert found == dict.fromkeys(before, "PrePromotion") | dict.fromkeys(sorted(after)[:2], "PostPromotion")


def switches(space: Space) -> int:
    """How often the active Service was pointed elsewhere."""
    told = space.events.of()
    return sum(reason == "SwitchService" and "'active'" in message for reason, message in told)


def test_an_inconclusive_one_waits_for_a_person(space: Space, template: Template) -> None:
    template.create(before=NEITHER)
    strategy = {"prePromotionAnalysis": analysis("before")}
    space.create(service("active"), service("preview"), blue_green(replicas=2, strategy=strategy))
    space.until_phase("Healthy")
    space.set_image("example/app:2")
    status = space.until_phase("Paused", message="InconclusiveAnalysisRun")
    assert status["blueGreen"]["prePromotionAnalysisRunStatus"]["status"] == "Inconclusive"
    assert space.selected("active") == "1"
    template.change("before", GOOD)
    space.promote()
    space.until_phase("Healthy")
    assert space.selected("active") == "2"
    assert [run["status"]["phase"] for run in space.runs()] == ["Inconclusive", "Successful"]
