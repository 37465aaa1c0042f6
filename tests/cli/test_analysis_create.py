"""`create analysisrun` and `analysis catalog`: what is written, from where, and what is missing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from analysis import catalog
from tests.cli.apiserver import ApiServer

RUNS = "/apis/argoproj.io/v1alpha1/namespaces/canary/analysisruns"
METRIC = {"name": "up", "provider": {"prometheus": {"address": "http://p:9090", "query": "up{{{args.which}}}"}}}


def template(name: str = "up", *, kind: str = "AnalysisTemplate", **spec: Any) -> dict[str, Any]:
    args = [{"name": "which"}, {"name": "space", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}}]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "canary"},
        "spec": {"metrics": [METRIC], "args": args, **spec},
    }


def put_cluster_template(api: ApiServer, item: dict[str, Any]) -> None:
    api.store("/apis/argoproj.io/v1alpha1/clusteranalysistemplates", item)


def made(api: ApiServer) -> dict[str, Any]:
    ((method, path, body),) = api.writes()
    assert (method, path) == ("POST", RUNS)
    return dict(body)


def test_from_a_template_of_the_cluster(run: Any, api: ApiServer) -> None:
    api.put(template())
    assert run("create analysisrun --from up -a which=job --name try").stdout == "analysisrun.argoproj.io/try created\n"
    body = made(api)
    assert (body["kind"], body["metadata"]) == ("AnalysisRun", {"name": "try"})
    assert body["spec"] == {
        "metrics": [METRIC],
        "args": [{"name": "which", "value": "job"}, {"name": "space", "value": "canary"}],
    }


def test_from_a_cluster_template_that_names_another(run: Any, api: ApiServer) -> None:
    other = {**METRIC, "name": "other"}
    inner = template("inner", kind="ClusterAnalysisTemplate", metrics=[other])
    put_cluster_template(api, inner)
    refs = [{"templateName": "inner", "clusterScope": True}]
    put_cluster_template(api, template("outer", kind="ClusterAnalysisTemplate", templates=refs))
    assert run("create analysisrun --from outer --global -a which=x --name outer-1").exit_code == 0
    assert [metric["name"] for metric in made(api)["spec"]["metrics"]] == ["up", "other"]


def test_names(run: Any, api: ApiServer) -> None:
    api.put(template())
    api.refusals["POST", RUNS] = (409, "taken")
    lines = ("", " --generate-name try-", " --name a --instance-id blue")
    for line in lines:
        run(f"create analysisrun --from up -a which=x{line}")
    assert [body["metadata"] for _, _, body in api.writes()] == [
        {"generateName": "up-"},
        {"generateName": "try-"},
        {"name": "a", "labels": {"argo-rollouts.argoproj.io/controller-instance-id": "blue"}},
    ]


def test_from_a_file(run: Any, api: ApiServer, tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(yaml.safe_dump_all([{"kind": "Service"}, template()]))
    assert run(f"create analysisrun --from-file {path} -a which=x --name n").exit_code == 0
    assert made(api)["spec"]["args"][0] == {"name": "which", "value": "x"}


def test_a_run_in_a_file_is_made_as_it_is_but_for_arguments(run: Any, api: ApiServer, tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    spec = {"metrics": [METRIC], "args": [{"name": "which", "value": "old"}, {"name": "b", "value": "1"}]}
    path.write_text(yaml.safe_dump({**template(), "kind": "AnalysisRun", "spec": spec}))
    assert run(f"create analysisrun --from-file {path} -a which=new --name n").exit_code == 0
    assert made(api)["spec"]["args"] == [{"name": "which", "value": "new"}, {"name": "b", "value": "1"}]


def test_from_the_catalog_with_what_a_rollout_says(run: Any, api: ApiServer, story: Any) -> None:
    story("canary-2")
    assert run("create analysisrun --from-catalog restarts --rollout app --name n").exit_code == 0
    args = {arg["name"]: arg.get("value") for arg in made(api)["spec"]["args"]}
    assert (args["rollout"], args["namespace"], args["count"]) == ("app", "canary", "5")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--from up", "no value for which\nGive -a which=…, or --rollout for those of a Rollout."),
        ("--from up -a which=1 -a witch=2", 'the template has no argument "witch"\nDid you mean "which"?'),
        ("--from up -a which", '-a "which": write it as NAME=VALUE'),
        ("--from upp", 'there is no AnalysisTemplate "upp" in namespace "canary"'),
        ("", "give one of --from, --from-file and --from-catalog"),
        ("--from up --from-file x", "give one of --from, --from-file and --from-catalog"),
        ("--from-catalog success-rate", 'the catalog has no template "success-rate"'),
        ("--from-catalog success-rate-istio", "no value for service"),
        ("--from-file nowhere.yaml", "there is no file or folder nowhere.yaml"),
    ],
)
def test_what_is_wrong(run: Any, api: ApiServer, line: str, message: str) -> None:
    api.put(template())
    result = run(f"create analysisrun {line}")
    assert result.exit_code == 1
    assert message in result.stderr
    assert api.writes() == []


def test_the_catalog_is_listed_and_printed(run: Any) -> None:
    listed = run("analysis catalog").stdout
    assert all(entry.name in listed for entry in catalog.entries())
    printed = run("analysis catalog restarts latency-istio").stdout
    assert [item["metadata"]["name"] for item in yaml.safe_load_all(printed)] == ["restarts", "latency-istio"]
    assert len(list(yaml.safe_load_all(run("analysis catalog --all").stdout))) == len(catalog.entries())
    wrong = run("analysis catalog restart")
    assert (wrong.exit_code, 'Did you mean "restarts"' in wrong.stderr) == (1, True)
