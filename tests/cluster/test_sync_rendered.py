"""Charts, kustomizations and Jsonnet on the real API server: rendered in a confined child, applied, pruned."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rollouts.engine.client import connect
from rollouts.gitops.plan import Policy
from rollouts.gitops.report import Report, Result
from rollouts.gitops.source import Source
from rollouts.gitops.sync import Settings, Syncer
from tests.cluster.harness import Kubectl
from tests.gitops.bare import Bare

CHART = {
    "chart/Chart.yaml": "apiVersion: v2\nname: web\nversion: 1.0.0\n",
    "chart/templates/web.yaml": """\
apiVersion: v1
kind: ConfigMap
metadata: {name: '{{ .Release.Name }}-web'}
data:
  version: {{ .Capabilities.KubeVersion.Version | quote }}
  group: {{ .Capabilities.APIVersions.Has "apps/v1" | quote }}
  kind: {{ .Capabilities.APIVersions.Has "apps/v1/Deployment" | quote }}
  core: {{ .Capabilities.APIVersions.Has "v1/Pod" | quote }}
  nothing: {{ .Capabilities.APIVersions.Has "nothing.example.com/v1" | quote }}
""",
}
OVERLAY = {
    "base/kustomization.yaml": "resources: [a.yaml]\n",
    "base/a.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {value: '1'}\n",
    "prod/kustomization.yaml": "resources: [../base]\nnamePrefix: prod-\n",
}
JSONNET = {
    "json/a.jsonnet": "[(import '../lib.libsonnet')(n) for n in ['one', 'two']]",
    "lib.libsonnet": "function(n) {apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: n}, data: {value: n}}",
}


pytestmark = pytest.mark.usefixtures("helm", "kustomize")


@pytest.fixture
def bare(tmp_path: Path) -> Bare:
    return Bare(tmp_path)


async def sync(bare: Bare, kubeconfig: Path, namespace: str, path: str, store: Path) -> Report:
    settings = Settings(
        name="app",
        namespace=namespace,
        source=Source(url=bare.url, revision="main", path=path, allow_local=True),
        policy=Policy(sync="app", min_objects=50),
    )
    async with connect(kubeconfig=str(kubeconfig)) as api:
        return await Syncer(api=api, settings=settings, directory=store).once()


def maps(kubectl: Kubectl) -> dict[str, dict[str, Any]]:
    found = kubectl.json("get", "configmaps")["items"]
    ours = [item for item in found if not item["metadata"]["name"].startswith(("kube-", "rollouts-"))]
    return {item["metadata"]["name"]: item["data"] for item in ours if "entries" not in item["data"]}


async def test_every_renderer_from_git_to_the_cluster(
    bare: Bare, kubectl: Kubectl, kubeconfig: Path, namespace: str, tmp_path: Path
) -> None:
    bare.commit({**CHART, **OVERLAY, **JSONNET})
    version = kubectl.json("version")["serverVersion"]["gitVersion"]

    report = await sync(bare, kubeconfig, namespace, "chart", tmp_path / "store")
    assert (report.result, report.errors) == (Result.SYNCED, ())
    expected = {"version": version, "group": "true", "kind": "true", "core": "true", "nothing": "false"}
    assert {name: data for name, data in maps(kubectl).items() if name == "app-web"} == {"app-web": expected}

    assert (await sync(bare, kubeconfig, namespace, "chart", tmp_path / "store")).result is Result.CURRENT

    report = await sync(bare, kubeconfig, namespace, "prod", tmp_path / "store")
    assert [ref.name for ref in report.pruned] == ["app-web"]
    assert maps(kubectl)["prod-a"] == {"value": "1"}

    report = await sync(bare, kubeconfig, namespace, "json", tmp_path / "store")
    assert [ref.name for ref in report.pruned] == ["prod-a"]
    assert {"one", "two"} <= maps(kubectl).keys()


async def test_a_chart_that_fails_prunes_nothing(
    bare: Bare, kubectl: Kubectl, kubeconfig: Path, namespace: str, tmp_path: Path
) -> None:
    bare.commit(CHART)
    await sync(bare, kubeconfig, namespace, "chart", tmp_path / "store")
    bare.commit({"chart/templates/web.yaml": '{{ fail "no" }}'})
    report = await sync(bare, kubeconfig, namespace, "chart", tmp_path / "store")
    assert (report.result, report.step) == (Result.FAILED, "render")
    assert "app-web" in maps(kubectl)
