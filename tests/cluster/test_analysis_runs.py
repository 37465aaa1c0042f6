"""AnalysisRuns by themselves, made by plain kubectl: results, kinds of error, secrets kept, ends and expiry."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.local.prometheus import Prometheus
from rollouts.api import kinds
from tests.cluster.harness import Kubectl
from tests.cluster.space import JSON, Space

pytestmark = pytest.mark.usefixtures("controller")
SECRET = "swordfish"


def run(prometheus: Prometheus, query: str, *, name: str = "run", address: str | None = None, **metric: Any) -> JSON:
    """A run of one metric."""
    provider = {"prometheus": {"address": address or prometheus.url, "query": query}}
    condition = {"successCondition": "result[0] > 0"}
    spec = {"metrics": [{"name": "rate", **condition, **metric, "provider": provider}]}
    return {"apiVersion": kinds.ROLLOUT.api_version, "kind": "AnalysisRun", "metadata": {"name": name}, "spec": spec}


def ended(space: Space, name: str = "run", *, seconds: float = 30.0) -> JSON:
    """Wait for its end; its status."""

    def look() -> JSON | None:
        status = space.get(kinds.ANALYSIS_RUN, name).get("status") or {}
        assert status.get("completedAt"), status
        return status

    return space.until(f"{name} ended", look, seconds=seconds)


def test_a_run_by_plain_kubectl(space: Space, kubectl: Kubectl, prometheus: Prometheus) -> None:
    kubectl.apply(run(prometheus, "vector(1)"))
    status = ended(space)
    assert status["phase"] == "Successful"
    assert status["runSummary"]["count"] == status["runSummary"]["successful"] == 1
    assert kubectl("get", "analysisrun", "run", "--no-headers").split()[:2] == ["run", "Successful"]
    assert space.until("events", lambda: space.events.reasons("run", "AnalysisRun")[1:]) == ["AnalysisRunSuccessful"]


#: what is wrong: query, other fields of the metric, and what a person reads
ERRORS = {
    "unreachable": ("vector(1)", {"address": "http://127.0.0.1:1"}, "127.0.0.1:1"),
    "no address": ("vector(1)", {"address": "nowhere"}, 'address "nowhere" is not a URL'),
    "bad PromQL": ("sum(", {}, "cannot run the query"),
    "empty vector": ("absent(vector(1))", {}, "no data"),
    "NaN counted as a number": ("vector(NaN)", {"successCondition": "isNaN(result)"}, "isNaN"),
    "unknown name": ("vector(1)", {"successCondition": "outcome > 1"}, "outcome"),
}


def test_errors_are_told_apart(space: Space, prometheus: Prometheus) -> None:
    """All at once, each with a limit of 0 errors."""
    for number, (query, metric, _) in enumerate(ERRORS.values()):
        space.create(run(prometheus, query, name=f"run-{number}", **{"consecutiveErrorLimit": 0, **metric}))
    messages = set()
    for number, (what, (_, _, fragment)) in enumerate(ERRORS.items()):
        status = ended(space, f"run-{number}")
        assert status["phase"] == "Error", (what, status)
        assert fragment in status["message"], (what, status["message"])
        messages.add(status["message"])
    assert len(messages) == len(ERRORS)


def test_not_a_number_is_no_success(space: Space, prometheus: Prometheus) -> None:
    space.create(run(prometheus, "vector(NaN)"))
    status = ended(space)
    assert (status["phase"], status["metricResults"][0]["measurements"][0]["value"]) == ("Failed", "[NaN]")


def test_a_condition_that_cannot_be_read_is_an_error_at_once(space: Space, prometheus: Prometheus) -> None:
    space.create(run(prometheus, "vector(1)", successCondition="result[0] >"))
    status = ended(space)
    assert (status["phase"], status.get("metricResults")) == ("Error", None)
    assert "successCondition" in status["message"]


def test_secret_arguments_never_appear(space: Space, prometheus: Prometheus, kubectl: Kubectl) -> None:
    kubectl("create", "secret", "generic", "token", f"--from-literal=key={SECRET}")
    body = run(prometheus, "sum({{args.token}}", consecutiveErrorLimit=0)
    body["spec"]["args"] = [{"name": "token", "valueFrom": {"secretKeyRef": {"name": "token", "key": "key"}}}]
    space.create(body)
    status = ended(space)
    assert status["phase"] == "Error"
    assert "cannot run the query" in status["message"]
    space.until("events", lambda: "AnalysisRunError" in space.events.reasons("run", "AnalysisRun"))
    assert SECRET not in str(status) + space.events.text()


def test_a_missing_secret_is_named(space: Space, prometheus: Prometheus) -> None:
    body = run(prometheus, "vector({{args.token}})", consecutiveErrorLimit=0)
    body["spec"]["args"] = [{"name": "token", "valueFrom": {"secretKeyRef": {"name": "absent", "key": "key"}}}]
    space.create(body)
    assert "secret absent does not exist" in ended(space)["message"]


def test_count_and_failure_limit(space: Space, prometheus: Prometheus) -> None:
    space.create(run(prometheus, "vector(0)", count=3, interval="1s", failureLimit=1))
    status = ended(space)
    assert (status["phase"], status["metricResults"][0]["failed"]) == ("Failed", 2)


def test_terminate(space: Space, prometheus: Prometheus) -> None:
    space.create(run(prometheus, "vector(1)", interval="1s"))
    space.until("running", lambda: space.get(kinds.ANALYSIS_RUN, "run")["status"]["phase"] == "Running")
    space.patch(kinds.ANALYSIS_RUN, "run", {"spec": {"terminate": True}})
    status = ended(space)
    assert (status["phase"], status["message"]) == ("Successful", "Run Terminated")


def test_a_run_deletes_itself_after_its_time(space: Space, prometheus: Prometheus) -> None:
    body = run(prometheus, "vector(1)")
    body["spec"]["ttlStrategy"] = {"secondsAfterCompletion": 1}
    space.create(body)
    space.until_gone(kinds.ANALYSIS_RUN, "run")


def comparison(prometheus: Prometheus, errors: int, *, name: str) -> JSON:
    """A run that compares counts made by PromQL itself: so many errors of 1000, stable 100 of 10000."""
    sides = {"canary": (errors, 1000), "stable": (100, 10000)}
    compare = {side: {"errors": f"vector({bad})", "total": f"vector({all_})"} for side, (bad, all_) in sides.items()}
    metric = {"name": "errors", "interval": "1s", "count": 8, "compare": {**compare, "allowedIncrease": "10"}}
    spec = {"metrics": [{**metric, "provider": {"prometheus": {"address": prometheus.url}}}]}
    return {"apiVersion": kinds.ROLLOUT.api_version, "kind": "AnalysisRun", "metadata": {"name": name}, "spec": spec}


@pytest.mark.parametrize(("errors", "phase", "verdict"), [(10, "Successful", "no worse"), (120, "Failed", "worse")])
def test_a_comparison(space: Space, prometheus: Prometheus, errors: int, phase: str, verdict: str) -> None:
    """What has been learnt lives in the status, and the last measurement says why."""
    space.create(comparison(prometheus, errors, name="compared"))
    status = ended(space, "compared", seconds=60.0)
    (result,) = status["metricResults"]
    assert (status["phase"], result["measurements"][-1]["metadata"]["verdict"]) == (phase, verdict)
    assert f'"looks":{result["count"]}' in result["metadata"]["compare"]


@pytest.mark.parametrize(
    ("critical", "phase", "message"),
    [
        (False, "Inconclusive", "score 60 (pass 90, marginal 50): latency is Failed"),
        (True, "Failed", 'Metric "latency" assessed Failed due to failed (1) > failureLimit (0)'),
    ],
)
def test_a_score(space: Space, prometheus: Prometheus, critical: bool, phase: str, message: str) -> None:
    """A comparison and a condition in two groups; the one that fails decides alone only if it is critical."""
    compared = comparison(prometheus, 10, name="scored")
    (errors,) = compared["spec"]["metrics"]
    (latency,) = run(prometheus, "vector(0)")["spec"]["metrics"]
    compared["spec"]["metrics"] = [
        {**errors, "groups": ["errors"], "compare": {**errors["compare"], "weight": "Current"}},
        {**latency, "name": "latency", "groups": ["latency"], "critical": critical},
    ]
    compared["spec"]["score"] = {"passScore": 90, "marginalScore": 50, "groupWeights": {"errors": 60, "latency": 40}}
    space.create(compared)
    status = ended(space, "scored", seconds=60.0)
    assert (status["phase"], status["message"]) == (phase, message)
