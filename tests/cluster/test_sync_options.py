"""What single objects ask for, on the real API server: made anew, replaced, left alone, protected; and kinds that come
with the commit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rollouts.gitops.report import Result
from tests.cluster.harness import Kubectl
from tests.cluster.onepass import Once
from tests.gitops.bare import Bare

OPTIONS = "gitops.rollouts.dev/sync-options"
ARGO = "argocd.argoproj.io/sync-options"
FLUX = "kustomize.toolkit.fluxcd.io/"


def config(name: str = "a", *, annotations: dict[str, str] | None = None, **data: str) -> str:
    metadata = {"name": name, "annotations": annotations or {}}
    return json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})


def job(image: str, **annotations: str) -> str:
    pod = {"containers": [{"name": "main", "image": image}], "restartPolicy": "Never"}
    metadata = {"name": "migrate", "annotations": {key.replace("_", "/"): text for key, text in annotations.items()}}
    spec = {"template": {"spec": pod}}
    return json.dumps({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec})


def values(kubectl: Kubectl) -> dict[str, Any]:
    found = kubectl.json("get", "configmaps")["items"]
    return {row["metadata"]["name"]: row.get("data") for row in found if "v" in (row.get("data") or {})}


def uid(kubectl: Kubectl, *what: str) -> str:
    return str(kubectl.json("get", *what)["metadata"]["uid"])


async def test_what_can_not_be_changed_is_made_anew_only_if_it_says_so(
    bare: Bare, once: Once, kubectl: Kubectl
) -> None:
    """R20, R21: a refused change says what to do about it."""
    bare.commit({"job.json": job("example/migrate:1")})
    assert (await once()).errors == ()
    before = uid(kubectl, "job", "migrate")
    bare.commit({"job.json": job("example/migrate:2")})
    (error,) = (await once()).errors
    assert "immutable" in error
    assert f"{OPTIONS}: Force=true" in error
    assert uid(kubectl, "job", "migrate") == before
    bare.commit({"job.json": job("example/migrate:2", **{f"{FLUX}force": "enabled"})})
    report = await once()
    assert report.errors == ()
    assert "1 made anew" in next(report.lines())
    after = kubectl.json("get", "job", "migrate")
    assert after["metadata"]["uid"] != before
    assert after["spec"]["template"]["spec"]["containers"][0]["image"] == "example/migrate:2"
    assert not (await once()).changed


async def test_what_would_be_refused_is_not_deleted_for_it(bare: Bare, once: Once, kubectl: Kubectl) -> None:
    """Making anew is tried out first."""
    forced = {ARGO: "Force=true"}
    bare.commit({"job.json": job("example/migrate:1", **forced)})
    assert (await once()).errors == ()
    before = uid(kubectl, "job", "migrate")
    broken = json.loads(job("example/migrate:2", **forced))
    broken["spec"]["template"]["spec"]["restartPolicy"] = "Always"
    bare.commit({"job.json": json.dumps(broken)})
    assert (await once()).result is Result.FAILED
    assert uid(kubectl, "job", "migrate") == before


async def test_some_kinds_are_never_made_anew(bare: Bare, once: Once, kubectl: Kubectl) -> None:
    """R20."""

    def claim(size: str, mode: str) -> str:
        spec = {"accessModes": [mode], "resources": {"requests": {"storage": size}}}
        metadata = {"name": "data", "annotations": {ARGO: "Force=true,Replace=true"}}
        return json.dumps({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec})

    bare.commit({"claim.json": claim("1Gi", "ReadWriteOnce")})
    assert (await once()).errors == ()
    before = uid(kubectl, "pvc", "data")
    bare.commit({"claim.json": claim("1Gi", "ReadWriteMany")})
    (error,) = (await once()).errors
    assert "never deleted and made anew" in error
    assert uid(kubectl, "pvc", "data") == before


async def test_an_object_that_is_sent_as_a_whole(bare: Bare, once: Once, kubectl: Kubectl) -> None:
    whole = {ARGO: "Replace=true"}
    bare.commit({"a.json": config(annotations=whole, v="1", old="1")})
    assert (await once()).errors == ()
    before = uid(kubectl, "configmap", "a")
    kubectl("patch", "configmap", "a", "--type=merge", "-p", '{"metadata": {"finalizers": ["example.com/theirs"]}}')
    bare.commit({"a.json": config(annotations=whole, v="2", more="1")})
    assert (await once()).errors == ()
    found = kubectl.json("get", "configmap", "a")
    assert (found["data"], found["metadata"]["uid"]) == ({"v": "2", "more": "1"}, before)
    assert found["metadata"]["finalizers"] == ["example.com/theirs"]
    assert not (await once()).changed
    bare.commit({"a.json": config(annotations=whole, v="2")})
    assert (await once()).errors == ()
    assert values(kubectl) == {"a": {"v": "2"}}
    bare.commit({"a.json": config(v="3")})
    assert (await once()).errors == ()
    assert not (await once()).changed
    kubectl("patch", "configmap", "a", "--type=merge", "-p", '{"metadata": {"finalizers": null}}')


async def test_ways_of_applying(bare: Bare, once: Once, kubectl: Kubectl, tmp_path: Path) -> None:
    """Flux's ways: `b` exists before and is left alone, `c` does not; `d` is ignored wherever that is written."""
    before = tmp_path / "before.json"
    before.write_text(config("b", v="theirs"))
    kubectl("apply", "-f", str(before))
    before.write_text(config("merged", v="theirs", more="theirs"))
    kubectl("apply", "-f", str(before))
    bare.commit(
        {
            "b.json": config("b", annotations={f"{FLUX}ssa": "IfNotPresent"}, v="1"),
            "c.json": config("c", annotations={OPTIONS: "SSA=IfNotPresent"}, v="1"),
            "d.json": config("d", annotations={f"{FLUX}reconcile": "disabled"}, v="1"),
            "e.json": config("e", v="1"),
            "merged.json": config("merged", annotations={f"{FLUX}ssa": "Merge"}, v="1"),
        }
    )
    assert (await once()).errors == ()
    merged = {"v": "1", "more": "theirs"}
    assert values(kubectl) == {"b": {"v": "theirs"}, "c": {"v": "1"}, "e": {"v": "1"}, "merged": merged}
    kubectl("annotate", "configmap", "e", f"{FLUX}reconcile=disabled")
    bare.commit(
        {
            "b.json": None,
            "c.json": config("c", annotations={OPTIONS: "SSA=IfNotPresent"}, v="2"),
            "e.json": config("e", v="2"),
        }
    )
    report = await once()
    assert (report.errors, report.changed) == ((), False)
    assert values(kubectl) == {"b": {"v": "theirs"}, "c": {"v": "1"}, "e": {"v": "1"}, "merged": merged}


async def test_deleting_asks_the_object(bare: Bare, once: Once, kubectl: Kubectl) -> None:
    """R14: `confirm` asks, `false` never allows it."""
    bare.commit(
        {
            "a.json": config("a", annotations={ARGO: "Prune=confirm"}, v="1"),
            "b.json": config("b", annotations={f"{FLUX}prune": "disabled"}, v="1"),
            "c.json": config("c", annotations={"helm.sh/resource-policy": "keep"}, v="1"),
            "d.json": config("d", v="1"),
        }
    )
    assert (await once()).errors == ()
    bare.commit({"a.json": None, "b.json": None, "c.json": None})
    kept = {row.ref.name: row.reason for row in (await once()).kept}
    assert f"{ARGO}: Prune=confirm: " in kept["a"]
    assert kept["b"] == f"it carries {FLUX}prune: disabled"
    assert "helm.sh/resource-policy: keep: " in kept["c"]
    assert set(values(kubectl)) == {"a", "b", "c", "d"}
    await once(confirm=True)
    assert set(values(kubectl)) == {"b", "d"}


# --- kinds that come with the commit


def definition(group: str, *, fields: tuple[str, ...] = ("size",)) -> dict[str, Any]:
    schema = {"type": "object", "properties": {name: {"type": "integer"} for name in fields}}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": schema}}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets", "singular": "widget", "listKind": "WidgetList"},
            "versions": [version],
        },
    }


def widget(group: str, *, annotations: dict[str, str] | None = None, **spec: int) -> str:
    metadata = {"name": "w", "annotations": annotations or {}}
    return json.dumps({"apiVersion": f"{group}/v1", "kind": "Widget", "metadata": metadata, "spec": spec})


@pytest.fixture
def group(namespace: str, kubectl: Kubectl) -> Iterator[str]:
    name = f"{namespace}.example.com"
    yield name
    kubectl("delete", "crd", f"widgets.{name}", "--ignore-not-found", "--wait=false")


async def test_a_kind_and_its_object_in_one_commit(bare: Bare, once: Once, kubectl: Kubectl, group: str) -> None:
    """R17: without any option; and R10: an object may use a field that comes with the same commit."""
    bare.commit({"crd.json": json.dumps(definition(group)), "w.json": widget(group, size=1), "a.json": config(v="1")})
    report = await once()
    assert (report.errors, len(report.applied)) == ((), 3)
    assert kubectl.json("get", f"widgets.{group}", "w")["spec"] == {"size": 1}
    assert not (await once()).changed
    wider = json.dumps(definition(group, fields=("size", "colour")))
    bare.commit({"crd.json": wider, "w.json": widget(group, size=1, colour=2)})
    assert (await once()).errors == ()
    assert kubectl.json("get", f"widgets.{group}", "w")["spec"] == {"size": 1, "colour": 2}
    assert not (await once()).changed


async def test_what_is_steered_stays_so_while_its_kind_changes(
    bare: Bare, once: Once, kubectl: Kubectl, group: str
) -> None:
    """R8, R10: the old definition refuses the object; it is examined again once the new one is there."""
    narrow, wide = (json.dumps(definition(group, fields=fields)) for fields in (("replicas",), ("replicas", "colour")))
    bare.commit({"crd.json": narrow, "w.json": widget(group, replicas=1)})
    assert (await once()).errors == ()
    target = {"apiVersion": f"{group}/v1", "kind": "Widget", "name": "w"}
    kubectl.apply(
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "w"},
            "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 9},
        }
    )
    kubectl("patch", f"widgets.{group}", "w", "--type=merge", "-p", '{"spec": {"replicas": 7}}')
    bare.commit({"crd.json": wide, "w.json": widget(group, replicas=1, colour=2)})
    assert (await once()).errors == ()
    assert kubectl.json("get", f"widgets.{group}", "w")["spec"] == {"replicas": 7, "colour": 2}


@pytest.mark.parametrize("annotations", [None, {ARGO: "SkipDryRunOnMissingResource=true"}], ids=["group", "option"])
async def test_a_kind_that_comes_from_elsewhere(
    annotations: dict[str, str] | None,
    bare: Bare,
    once: Once,
    kubectl: Kubectl,
    group: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """R18: as an operator would, something else brings the kind once the rest of the commit is applied."""
    from rollouts.gitops import apply

    crd = tmp_path / "crd.json"
    crd.write_text(json.dumps(definition(group)))
    waited = apply._served

    async def operator(*arguments: Any) -> Any:
        assert values(kubectl) == {"a": {"v": "1"}}
        kubectl("apply", "--server-side", "-f", str(crd))
        return await waited(*arguments)

    monkeypatch.setattr(apply, "_served", operator)
    bare.commit({"w.json": widget(group, annotations=annotations, size=1), "a.json": config(v="1")})
    assert (await once()).errors == ()
    assert kubectl.json("get", f"widgets.{group}", "w")["spec"] == {"size": 1}
    assert not (await once()).changed


async def test_a_kind_that_never_comes(
    bare: Bare, once: Once, kubectl: Kubectl, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R18, R19: the wait is bounded, the siblings are applied, nothing is pruned. A kind that is missing in a group
    the cluster knows is a mistake, told before anything is done."""
    monkeypatch.setattr("rollouts.gitops.apply._ESTABLISHED", 0.2)
    bare.commit({"a.json": config(v="1"), "b.json": config("b", v="1")})
    assert (await once()).errors == ()
    bare.commit({"w.json": widget(group, size=1), "a.json": config(v="2"), "b.json": None})
    report = await once()
    (error,) = report.errors
    assert "had no kind Widget" in error
    assert values(kubectl) == {"a": {"v": "2"}, "b": {"v": "1"}}
    bare.commit({"w.json": widget("argoproj.io", size=1), "a.json": config(v="3")})
    (error,) = (await once()).errors
    assert "SkipDryRunOnMissingResource=true" in error
    assert values(kubectl)["a"] == {"v": "2"}
