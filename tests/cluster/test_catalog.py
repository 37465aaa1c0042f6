"""The catalog and the tools around analyses on the real API server: taken as they are, judged by the controller."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from analysis import catalog
from analysis.catalog.generate import FOLDER
from rollouts.api import kinds
from rollouts.cli.main import plugin_app
from tests.analysis.catalog.series import HASHES, NAMESPACE
from tests.cluster.controllers import OwnController
from tests.cluster.harness import Kubectl
from tests.cluster.space import JSON, Space, rollout

TEMPLATE = "success-rate-http-server-requests"
LATEST = {"canary-hash": {"podTemplateHashValue": "Latest"}}
Run = Callable[..., Any]


@pytest.fixture
def run(kubeconfig: Path, namespace: str) -> Run:
    """`run("analysis catalog")` in this test's namespace; what it says, its exit code being as expected."""

    def invoke(line: str, *, code: int = 0) -> str:
        words = [*line.split(), "--kubeconfig", str(kubeconfig), "--namespace", namespace]
        result = CliRunner().invoke(plugin_app, words, prog_name="kubectl rollouts")
        assert result.exit_code == code, result.output
        return result.output

    return invoke


def of_catalog(name: str = TEMPLATE) -> JSON:
    """A template of the catalog for one namespace: a controller of one namespace does not see those of the cluster."""
    found = catalog.find(name).value
    return {**found, "kind": "AnalysisTemplate", "metadata": {"name": name}}


def canary(past: str, **args: Any) -> JSON:
    """A Rollout whose only step but one is an analysis by the catalog; `args` by name, a value or a valueFrom."""
    given = {"prometheus": past, "namespace": NAMESPACE, "count": "1", "interval": "1s", "initial-delay": "0s", **args}
    listed = [
        {"name": name, **({"value": value} if isinstance(value, str) else {"valueFrom": value})}
        for name, value in given.items()
    ]
    step = {"analysis": {"templates": [{"templateName": TEMPLATE}], "args": listed}}
    return rollout(steps=[{"setWeight": 50}, step])


def updated(space: Space, body: JSON, image: str = "example/app:2") -> None:
    space.create(of_catalog())
    space.create(body)
    space.until_phase("Healthy")
    space.set_image(image)


def test_the_api_server_takes_every_template(kubectl: Kubectl) -> None:
    applied = kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(FOLDER)).splitlines()
    assert len(applied) == len(catalog.entries())


def test_a_good_version_is_promoted(space: Space, controller: OwnController, past: str) -> None:
    """By the hash of its own pods, which the series of this past have."""
    updated(space, canary(past, **LATEST))
    space.until("revision 2 is stable", lambda: space.sizes().get("1") == 0)
    (run,) = space.runs()
    args = {arg["name"]: arg["value"] for arg in run["spec"]["args"]}
    assert (args["rollout"], args["namespace"], args["window"]) == ("app", NAMESPACE, "2m")
    assert run["status"]["phase"] == "Successful"


def test_a_bad_version_is_aborted(space: Space, controller: OwnController, past: str) -> None:
    updated(space, canary(past, **{"canary-hash": HASHES["bad"]}))
    space.until_phase("Degraded")
    assert 'Metric "success-rate" assessed Failed' in space.status()["message"]


def test_a_version_without_traffic_is_not_promoted(space: Space, controller: OwnController, past: str) -> None:
    """It pauses for people to decide."""
    updated(space, canary(past, **LATEST), image="example/app:9")
    space.until_phase("Paused")
    (run,) = space.runs()
    assert run["status"]["phase"] == "Inconclusive"
    assert space.sizes()["1"] == 1


def test_a_run_of_ones_own_is_made_and_terminated(space: Space, controller: OwnController, run: Run, past: str) -> None:
    """No Rollout owns it: measured all the same, kept, and ended when asked."""
    space.create(of_catalog())
    args = f"-a namespace={NAMESPACE} -a rollout=app -a canary-hash={HASHES['good']} -a prometheus={past}"
    made = run(
        f"create analysisrun --from {TEMPLATE} {args} -a interval=1s -a initial-delay=0s -a count=1000 --name own"
    )
    assert made.endswith("analysisrun.argoproj.io/own created\n")  # the controller logs to the same place

    def status() -> JSON:
        return space.get(kinds.ANALYSIS_RUN, "own").get("status") or {}

    space.until("two measurements", lambda: (status().get("metricResults") or [{}])[0].get("count", 0) >= 2)
    assert not space.get(kinds.ANALYSIS_RUN, "own")["metadata"].get("ownerReferences")
    run("terminate analysisrun own")
    space.until("it is over", lambda: status().get("phase") == "Successful")
    assert status()["message"] == "Run Terminated"


def test_a_template_of_the_cluster_is_tried_without_a_controller(space: Space, run: Run, past: str) -> None:
    """Secrets of arguments are read with the user's rights; nothing is written."""
    template = of_catalog()
    secret = {"secretKeyRef": {"name": "limits", "key": "rate"}}
    template["spec"]["args"] = [
        {"name": "success-rate", "valueFrom": secret} if arg["name"] == "success-rate" else arg
        for arg in template["spec"]["args"]
    ]
    space.create(template)
    data = {"rate": base64.b64encode(b"0.7531").decode()}
    space.create({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "limits"}, "data": data})
    line = f"analysis run {TEMPLATE} --once -a namespace={NAMESPACE} -a rollout=app --prometheus {past}"
    assert "✔ Successful" in run(f"{line} -a canary-hash={HASHES['good']}")
    assert "0.7531" not in run(f"{line} -a canary-hash={HASHES['good']} -o json")
    assert "✖ Failed" in run(f"{line} -a canary-hash={HASHES['bad']} -a success-rate=0.9", code=1)
    assert "? Inconclusive" in run(f"{line} -a canary-hash=0", code=2)
    assert space.list(kinds.ANALYSIS_RUN) == []
