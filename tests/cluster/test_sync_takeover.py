"""R11 on the real API server: a field that Git drops leaves objects that another tool had applied.

R22: and with it the copy of the manifest that `kubectl apply` keeps in an annotation.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.harness import Kubectl
from tests.cluster.onepass import Once
from tests.gitops.bare import Bare


def config(**data: str) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": data})


def deployment(*containers: str) -> str:
    pod = {"containers": [{"name": name, "image": f"example/{name}:1"} for name in containers]}
    spec = {
        "replicas": 1,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {"metadata": {"labels": {"app": "web"}}, "spec": pod},
    }
    return json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}, "spec": spec})


@pytest.mark.parametrize(
    "way",
    [
        ("apply",),
        ("create",),
        ("apply", "--field-manager=argocd-controller"),
        ("apply", "--server-side", "--field-manager=argocd-controller"),
        ("apply", "--server-side", "--field-manager=kustomize-controller"),
    ],
    ids=" ".join,
)
async def test_what_git_has_no_more_goes(
    way: tuple[str, ...], bare: Bare, once: Once, kubectl: Kubectl, tmp_path: Path
) -> None:
    file = tmp_path / "before.json"
    file.write_text(config(a="1", b="2"))
    kubectl(*way, "-f", str(file))
    file.write_text(deployment("web", "sidecar"))
    kubectl(*way, "-f", str(file))
    kubectl("patch", "configmap", "a", "--type=merge", "-p", '{"data": {"theirs": "3"}}')
    bare.commit({"a.json": config(a="1"), "web.json": deployment("web")})
    report = await once()
    assert report.errors == ()
    fields = {item.manifest.ref.kind: set(item.fields) for item in report.applied}
    assert "data.b" in fields["ConfigMap"]
    assert "spec.template.spec.containers" in fields["Deployment"]
    assert kubectl.json("get", "configmap", "a")["data"] == {"a": "1", "theirs": "3"}
    found: Any = kubectl.json("get", "deployment", "web")
    assert [row["name"] for row in found["spec"]["template"]["spec"]["containers"]] == ["web"]
    assert "kubectl.kubernetes.io/last-applied-configuration" not in found["metadata"]["annotations"]
    assert not (await once()).changed


async def test_what_was_applied_before_anybody_counted_fields(
    bare: Bare, once: Once, kubectl: Kubectl, tmp_path: Path
) -> None:
    """An object without managedFields: the API server calls all of it `before-first-apply`."""
    file = tmp_path / "before.json"
    file.write_text(config(a="1", b="2"))
    kubectl("apply", "-f", str(file))
    kubectl("patch", "configmap", "a", "--type=merge", "-p", '{"data": {"theirs": "3"}}')
    clear = '[{"op": "replace", "path": "/metadata/managedFields", "value": [{}]}]'
    kubectl("patch", "configmap", "a", "--type=json", "-p", clear)
    assert managed(kubectl) == []
    bare.commit({"a.json": config(a="1")})
    assert (await once()).errors == ()
    owners = {row["manager"]: row["fieldsV1"] for row in managed(kubectl)}
    assert "f:b" not in owners["rollouts-gitops"]["f:data"]
    assert "f:theirs" in owners["before-first-apply"]["f:data"]
    assert kubectl.json("get", "configmap", "a")["data"] == {"a": "1", "theirs": "3"}
    assert not (await once()).changed


def managed(kubectl: Kubectl) -> list[dict[str, Any]]:
    found = kubectl.json("get", "configmap", "a", "--show-managed-fields")
    rows: list[dict[str, Any]] = found["metadata"].get("managedFields") or []
    return rows


async def test_a_change_while_ownership_moves_is_looked_at_again(
    bare: Bare, once: Once, kubectl: Kubectl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The move is guarded by the version it was planned on, so that nothing written in between is lost."""
    from rollouts.gitops.cluster import Cluster

    file = tmp_path / "before.json"
    file.write_text(config(a="1", b="2"))
    kubectl("apply", "-f", str(file))
    bare.commit({"a.json": config(a="1")})
    sent, tries = Cluster.take_over, []

    async def late(self: Cluster, *arguments: Any) -> Any:
        if not tries:
            kubectl("patch", "configmap", "a", "--type=merge", "-p", '{"data": {"theirs": "3"}}')
        tries.append(1)
        return await sent(self, *arguments)

    monkeypatch.setattr(Cluster, "take_over", late)
    assert (await once()).errors == ()
    assert len(tries) == 2
    assert kubectl.json("get", "configmap", "a")["data"] == {"a": "1", "theirs": "3"}
