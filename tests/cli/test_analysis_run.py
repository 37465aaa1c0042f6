"""`analysis run` against a real Prometheus: verdicts as exit codes, measurements as they come, no cluster needed."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from analysis.spec import Measurement, MetricResult, RunSpec, RunStatus
from rollouts.cli.measurements import run_view
from rollouts.cli.terminal import plain
from tests.cli.apiserver import ApiServer

SOON = "-a interval=1s -a initial-delay=0s"
ISTIO = "analysis run --catalog success-rate-istio -a namespace=shop"


@pytest.mark.parametrize(
    ("version", "code", "word"),
    [("good", 0, "✔ Successful"), ("bad", 1, "✖ Failed"), ("nobody", 2, "? Inconclusive")],
)
def test_the_exit_code_is_the_verdict(run: Any, past: str, version: str, code: int, word: str) -> None:
    result = run(f"{ISTIO} -a service=app-{version} -a canary-hash= --once --prometheus {past}")
    assert result.exit_code == code, result.output
    assert word in result.stdout


def test_measurements_as_they_come_and_the_table_in_the_end(run: Any, past: str) -> None:
    result = run(f"{ISTIO} -a service=app-bad {SOON} -a count=3 -a failure-limit=2 --prometheus {past}")
    lines = result.stdout.splitlines()
    assert [line.split("  ", 1)[1] for line in lines[:3]] == ["success-rate  ✖ Failed  [0.8]"] * 3
    assert lines[-1].split() == ["success-rate", "✖", "Failed", "3/3", "[0.8]", "✖✖✖"]
    assert 'Message:   Metric "success-rate" assessed Failed due to failed (3) > failureLimit (2)' in lines


def test_json(run: Any, past: str) -> None:
    result = run(f"{ISTIO} -a service=app-good --once --prometheus {past} -o json")
    status = json.loads(result.stdout)
    assert (status["phase"], status["metricResults"][0]["successful"]) == ("Successful", 1)
    assert "app-good" in status["metricResults"][0]["metadata"]["ResolvedPrometheusQuery"]


def test_an_error_is_no_success(run: Any) -> None:
    result = run(f"{ISTIO} -a service=app-good --once --prometheus http://127.0.0.1:1")
    assert (result.exit_code, "unreachable: Connection refused" in result.stdout) == (1, True)


def test_secret_arguments_are_read_with_the_users_rights_and_not_shown(
    run: Any, api: ApiServer, past: str, tmp_path: Path
) -> None:
    args = [{"name": "least", "valueFrom": {"secretKeyRef": {"name": "limits", "key": "least"}}}]
    provider = {"prometheus": {"query": "vector(12345.5) > {{args.least}}"}}
    metric = {"name": "m", "successCondition": "result[0] > {{args.least}}", "provider": provider}
    path = tmp_path / "t.yaml"
    item = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": {"name": "t"}}
    path.write_text(yaml.safe_dump({**item, "spec": {"metrics": [metric], "args": args}}))
    line = f"analysis run -f {path} --prometheus {past} -o json"
    missing = run(line)
    assert (missing.exit_code, "secret limits does not exist in namespace canary" in missing.stdout) == (1, True)
    data = {"least": base64.b64encode(b"12345.25").decode()}
    api.store("/api/v1/namespaces/canary/secrets", {"kind": "Secret", "metadata": {"name": "limits"}, "data": data})
    assert "12345.25" not in missing.stdout
    found = run(f"analysis run -f {path} --prometheus {past} --once -o json")
    assert (found.exit_code, "12345.25" in found.stdout, "*****" in found.stdout) == (0, False, True)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"metrics": [{"name": "m", "provider": {}, "count": [1]}]}, "metrics.0.count"),
        ({"metrics": [{"name": "m", "sucessCondition": "x", "provider": {}}]}, "metrics.0.sucessCondition"),
    ],
)
def test_a_template_that_cannot_be_read(run: Any, tmp_path: Path, spec: dict[str, Any], message: str) -> None:
    path = tmp_path / "t.yaml"
    item = {"apiVersion": "argoproj.io/v1alpha1", "kind": "AnalysisTemplate", "metadata": {"name": "t"}}
    path.write_text(yaml.safe_dump({**item, "spec": spec}))
    result = run(f"analysis run -f {path}")
    assert (result.exit_code, message in result.stderr or "can't be read" in result.stderr) == (1, True)


def test_without_a_template(run: Any) -> None:
    result = run("analysis run")
    assert (result.exit_code, "which template?" in result.stderr) == (1, True)


def test_the_view_says_which_metric_is_not_well() -> None:
    metrics = [{"name": name, "interval": "1m", "provider": {"prometheus": {"query": "up"}}} for name in ("a", "b")]
    spec = RunSpec.model_validate({"metrics": metrics})
    taken = [Measurement(phase="Successful", value="[1]"), Measurement(phase="Error", message="away\nfor long")]
    results = [MetricResult(name="a", phase="Running", count=1, error=1, measurements=taken)]
    assert plain(run_view("t", spec, RunStatus(phase="Running", metric_results=results))).splitlines() == [
        "Analysis:  t",
        "Status:    ◌ Running",
        "",
        "METRIC  STATUS     MEASURED  VALUE  MEASUREMENTS",
        "a       ◌ Running  1 (+1 ⚠)  [1]    ✔⚠",
        "b       ◌ Pending  0         -",
        "  ⚠ a: away",
        "  ⚠ a: for long",
    ]
