"""The Git sync on the real API server: each commit is applied, a broken one changes nothing, only its own is pruned."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollouts.engine.client import connect
from rollouts.gitops.plan import Policy
from rollouts.gitops.report import Report, Result
from rollouts.gitops.source import Source
from rollouts.gitops.sync import Settings, Syncer
from tests.cluster.harness import Kubectl
from tests.gitops.bare import Bare


@pytest.fixture
def bare(tmp_path: Path) -> Bare:
    return Bare(tmp_path)


def config(name: str, value: str = "1") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{value: '{value}'}}\n"


async def sync(bare: Bare, kubeconfig: Path, namespace: str, store: Path) -> Report:
    """One pass of a new process: all that is remembered is in the cluster."""
    settings = Settings(
        name="app",
        namespace=namespace,
        source=Source(url=bare.url, revision="main", allow_local=True),
        policy=Policy(sync="app", min_objects=50),
    )
    async with connect(kubeconfig=str(kubeconfig)) as api:
        return await Syncer(api=api, settings=settings, directory=store).once()


def values(kubectl: Kubectl) -> dict[str, str]:
    found = kubectl.json("get", "configmaps")["items"]
    return {item["metadata"]["name"]: item["data"]["value"] for item in found if "value" in (item.get("data") or {})}


async def test_commits_are_applied_pruned_and_refused(
    bare: Bare, kubectl: Kubectl, kubeconfig: Path, namespace: str, tmp_path: Path
) -> None:
    kubectl("create", "configmap", "not-ours", "--from-literal=value=theirs")
    store = tmp_path / "store"

    bare.commit({"a.yaml": config("a"), "b.yaml": config("b")}, "two objects")
    report = await sync(bare, kubeconfig, namespace, store)
    assert (report.result is Result.FAILED, report.errors) == (False, ())
    assert values(kubectl) == {"a": "1", "b": "1", "not-ours": "theirs"}

    assert not (await sync(bare, kubeconfig, namespace, store)).changed

    bare.commit({"a.yaml": config("a", "2"), "b.yaml": "kind: [broken\n"}, "a broken one")
    report = await sync(bare, kubeconfig, namespace, store)
    assert report.result is Result.FAILED
    assert any("b.yaml" in error for error in report.errors)
    assert values(kubectl) == {"a": "1", "b": "1", "not-ours": "theirs"}

    bare.commit({"a.yaml": config("a", "2"), "b.yaml": None}, "mended, and b is gone")
    report = await sync(bare, kubeconfig, namespace, store)
    assert [ref.name for ref in report.pruned] == ["b"]
    assert values(kubectl) == {"a": "2", "not-ours": "theirs"}


async def test_the_same_object_twice_is_refused_with_both_places(
    bare: Bare, kubectl: Kubectl, kubeconfig: Path, namespace: str, tmp_path: Path
) -> None:
    bare.commit({"a.yaml": config("a"), "b.yaml": config("a", "2")})
    report = await sync(bare, kubeconfig, namespace, tmp_path / "store")
    assert report.result is Result.FAILED
    assert "a.yaml" in str(report.errors)
    assert "b.yaml" in str(report.errors)
    assert values(kubectl) == {}


async def test_an_object_the_api_server_refuses_keeps_everything_as_it_was(
    bare: Bare, kubectl: Kubectl, kubeconfig: Path, namespace: str, tmp_path: Path
) -> None:
    bare.commit({"a.yaml": config("a"), "old.yaml": config("old")})
    await sync(bare, kubeconfig, namespace, tmp_path / "store")
    rollout = "apiVersion: argoproj.io/v1alpha1\nkind: Rollout\nmetadata: {name: web}\nspec: {replica: 1}\n"
    bare.commit({"a.yaml": config("a", "2"), "old.yaml": None, "web.yaml": rollout})
    report = await sync(bare, kubeconfig, namespace, tmp_path / "store")
    assert report.result is Result.FAILED
    assert values(kubectl) == {"a": "1", "old": "1"}
