"""When a GitSync deletes nothing (R13), each reason by itself, on the real API server: always with something that Git
has no more, and that would go otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rollouts.gitops.report import Result
from tests.cluster.gitsyncs import AUTOMATED, Synced, config
from tests.cluster.harness import Kubectl
from tests.cluster.onepass import Once
from tests.cluster.test_sync_options import definition, widget
from tests.gitops.bare import Bare


def test_a_folder_that_vanished(syncing: Synced) -> None:
    """R13: it was moved, or the path is misspelt now: no reason to delete what it held."""
    first = syncing.bare.commit({"deploy/a.yaml": config("a"), "deploy/b.yaml": config("b")})
    source = {"repoURL": syncing.server.url(), "secretRef": {"name": "repository"}, "path": "deploy"}
    syncing.create(automated=AUTOMATED, source=source)
    syncing.until_synced(first)
    syncing.bare.commit({"deploy/a.yaml": None, "deploy/b.yaml": None, "moved/a.yaml": config("a")})
    syncing.ask("1")
    ready = syncing.condition("Ready")
    assert (ready["reason"], "no folder 'deploy'" in ready["message"]) == ("CheckoutFailed", True)
    assert syncing.state()[0] == "Unknown"
    assert syncing.values() == {"a": "1", "b": "1"}


def test_a_folder_without_objects(syncing: Synced) -> None:
    """R13: `allowEmpty` says that it is meant."""
    first = syncing.bare.commit({"a.yaml": config("a"), "b.yaml": config("b")})
    syncing.create(automated=AUTOMATED)
    syncing.until_synced(first)
    second = syncing.bare.commit({"a.yaml": None, "b.yaml": None, "README.md": "nothing to apply"})
    syncing.ask("1")
    assert "allowEmpty" in syncing.until("it says so", lambda: syncing.condition("PruneBlocked"))["message"]
    assert syncing.values() == {"a": "1", "b": "1"}
    syncing.patch({"spec": {"syncPolicy": {"automated": {"allowEmpty": True}}}})
    syncing.until("it is empty", lambda: syncing.values() == {})
    syncing.until_synced(second)


def test_pruning_that_is_switched_on_later(syncing: Synced) -> None:
    """R13: what is left of an earlier commit goes then. It was never anybody's drift, so selfHeal has no say in it."""
    first = syncing.bare.commit({"a.yaml": config("a"), "b.yaml": config("b")})
    syncing.create(automated={})
    syncing.until_synced(first)
    second = syncing.bare.commit({"b.yaml": None})
    syncing.ask("1")
    syncing.until_synced(second)
    assert "pruning is off" in syncing.condition("PruneBlocked")["message"]
    assert syncing.values() == {"a": "1", "b": "1"}
    syncing.patch({"spec": {"syncPolicy": {"automated": {"prune": True}}}})
    syncing.until("it is pruned", lambda: syncing.values() == {"a": "1"})
    syncing.until_synced(second)


@pytest.fixture
def group(namespace: str, kubectl: Kubectl) -> Iterator[str]:
    name = f"{namespace}.example.com"
    yield name
    kubectl("delete", "apiservice", f"v1.{name}", "--ignore-not-found", "--wait=false")
    kubectl("delete", "crd", f"widgets.{name}", "--ignore-not-found", "--wait=false")


def names(kubectl: Kubectl) -> set[str]:
    return {row["metadata"]["name"] for row in kubectl.json("get", "configmaps")["items"]} - {"kube-root-ca.crt"}


async def synced(bare: Bare, once: Once, kubectl: Kubectl, group: str) -> None:
    """A widget of a kind of its own, applied and in the inventory; its definition is somebody else's."""
    kubectl.apply(definition(group))
    kubectl("wait", "--for=condition=Established", "crd", f"widgets.{group}", "--timeout=30s")
    bare.commit({"w.json": widget(group, size=1), "a.yaml": config("a"), "b.yaml": config("b")})
    assert (await once()).errors == ()


async def test_a_kind_that_is_unknown_now(bare: Bare, once: Once, kubectl: Kubectl, group: str) -> None:
    """R13: nothing is known of its objects, so they stay in the inventory; when the kind is back, they go."""
    await synced(bare, once, kubectl, group)
    kubectl("delete", "crd", f"widgets.{group}", "--wait=true")
    bare.commit({"w.json": None})
    for _ in range(2):
        report = await once()
        assert [row.reason for row in report.kept] == ["the cluster does not know the kind Widget now"]
        assert any(ref.kind == "Widget" for ref in report.inventory.entries)
    kubectl.apply(definition(group))
    kubectl("wait", "--for=condition=Established", "crd", f"widgets.{group}", "--timeout=30s")
    report = await once()
    assert (report.kept, report.errors) == ((), ())


async def test_a_group_that_can_not_be_listed(
    bare: Bare, once: Once, kubectl: Kubectl, group: str, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    """R13: its server is away. Nothing at all is deleted, nor applied: what else was asked could be wrong as well."""
    monkeypatch.setattr("rollouts.engine.client._PATIENCE", 0.2)
    await synced(bare, once, kubectl, group)
    kubectl("delete", "crd", f"widgets.{group}", "--wait=true")
    eventually("its group is gone", lambda: f"v1.{group}" not in kubectl("get", "apiservices", "-o", "name"))
    spec = {"group": group, "version": "v1", "groupPriorityMinimum": 1000, "versionPriority": 10}
    kubectl.apply(
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": f"v1.{group}"},
            "spec": {**spec, "service": {"name": "away", "namespace": "default"}, "insecureSkipTLSVerify": True},
        }
    )

    def refused() -> bool:
        return "NotFound" not in kubectl("get", "--raw", f"/apis/{group}/v1", check=False)

    eventually("the server answers for it", refused)
    bare.commit({"w.json": None, "b.yaml": None, "a.yaml": config("a", "2")})
    report = await once()
    assert report.result is Result.FAILED
    assert f"{group}/v1 could not be listed" in report.errors[0]
    assert names(kubectl) >= {"a", "b"}
