"""AnalysisRuns of others: made by plain kubectl without an owner, and of the shape in which Kargo makes them.

Kargo verifies what it has promoted by a run of its own: a name of stage, ULID and Freight, its own labels, an
owner of its own kind that is no controller, metrics and arguments already joined. It reads phase and message, and
aborts by `spec.terminate`.
"""

from __future__ import annotations

import copy
import json

import pytest

from deploy.local.prometheus import Prometheus
from rollouts.api import kinds
from tests.cluster.harness import Kubectl
from tests.cluster.space import JSON, Space
from tests.cluster.test_analysis_runs import ended, run

pytestmark = pytest.mark.usefixtures("controller")
NAME = "uat.01kb2m4xq8v7n3d5t9h6r1c0wz.3a7f9e1"
LABELS = {"kargo.akuity.io/stage": "uat", "kargo.akuity.io/freight-collection": "3a7f9e1b"}
FREIGHT: JSON = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "freight"}}
"""Stands for the owner: any kind but a Rollout or an Experiment will do."""


def test_a_run_that_kubectl_creates_under_a_name_of_the_server(
    space: Space, kubectl: Kubectl, prometheus: Prometheus
) -> None:
    body = run(prometheus, "vector(1)", count=2, interval="1s")
    body["metadata"] = {"generateName": "smoke-"}
    made = kubectl("create", "-f", "-", "-o", "name", stdin=json.dumps(body)).strip()
    name = made.partition("/")[2]
    status = ended(space, name)
    assert (status["phase"], status["metricResults"][0]["successful"]) == ("Successful", 2)
    assert "ownerReferences" not in space.get(kinds.ANALYSIS_RUN, name)["metadata"]
    assert kubectl("wait", made, "--for=jsonpath={.status.phase}=Successful", "--timeout=30s")


def kargo(
    space: Space, kubectl: Kubectl, prometheus: Prometheus, query: str, *, controlling: bool = False, **metric: object
) -> JSON:
    """A run as Kargo makes it, on the server."""
    kubectl.apply(FREIGHT)
    freight = kubectl.json("get", "configmap", "freight")
    body = run(prometheus, query, **metric)
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "freight", "uid": freight["metadata"]["uid"]}
    owner |= {"blockOwnerDeletion": False, **({"controller": True} if controlling else {})}
    body["metadata"] = {"name": NAME, "labels": LABELS, "ownerReferences": [owner]}
    body["spec"]["args"] = [{"name": "least", "value": "1"}]
    body["spec"]["measurementRetention"] = [{"metricName": ".*", "limit": 5}]
    return space.create(body)


@pytest.mark.parametrize("controlling", [False, True])
@pytest.mark.parametrize(("query", "phase"), [("vector({{args.least}})", "Successful"), ("vector(0)", "Failed")])
def test_a_verification_of_kargo(
    space: Space, kubectl: Kubectl, prometheus: Prometheus, query: str, phase: str, controlling: bool
) -> None:
    made = kargo(space, kubectl, prometheus, query, controlling=controlling)
    status = ended(space, NAME)
    assert status["phase"] == phase
    assert ("failureLimit" in (status.get("message") or "")) is (phase == "Failed")
    after = copy.deepcopy(space.get(kinds.ANALYSIS_RUN, NAME))
    for key in ("labels", "ownerReferences", "annotations", "finalizers"):
        assert after["metadata"].get(key) == made["metadata"].get(key), key
    assert after["spec"] == made["spec"]


def test_kargo_aborts_a_verification(space: Space, kubectl: Kubectl, prometheus: Prometheus) -> None:
    kargo(space, kubectl, prometheus, "vector(1)", interval="1s")

    def measured() -> bool:
        status = space.get(kinds.ANALYSIS_RUN, NAME).get("status") or {}
        return bool((status.get("metricResults") or [{}])[0].get("count"))

    space.until("measured", measured)
    space.patch(kinds.ANALYSIS_RUN, NAME, {"spec": {"terminate": True}})
    status = ended(space, NAME)
    assert (status["phase"], status["message"]) == ("Successful", "Run Terminated")


def test_a_run_of_others_goes_with_its_owner(space: Space, kubectl: Kubectl, prometheus: Prometheus) -> None:
    """No finalizer of ours holds it, even while it is measured."""
    kargo(space, kubectl, prometheus, "vector(1)", interval="1s")
    space.until("begun", lambda: (space.get(kinds.ANALYSIS_RUN, NAME).get("status") or {}).get("phase") == "Running")
    kubectl("delete", "configmap", "freight")
    space.until_gone(kinds.ANALYSIS_RUN, NAME)
