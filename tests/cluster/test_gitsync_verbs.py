"""`kubectl rollouts sync …` as people use it, with the real API server, a real Git server and our controller."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from rollouts.cli.main import plugin_app
from tests.cluster.gitsyncs import AUTOMATED, Synced, config

Run = Callable[..., Any]
SECRET = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {token: VALUE}\n"


@pytest.fixture
def run(kubeconfig: Path, namespace: str) -> Run:
    """`run("list")`: what `sync list` says; it must be a success unless `code` says."""

    def invoke(line: str, *, code: int = 0) -> str:
        words = ["sync", *line.split(), "--kubeconfig", str(kubeconfig), "--namespace", namespace]
        result = CliRunner().invoke(plugin_app, words, prog_name="kubectl rollouts")
        assert result.exit_code == code, result.stdout + result.stderr
        return result.stdout + result.stderr

    return invoke


def test_a_commit_from_diff_to_history(syncing: Synced, run: Run) -> None:
    first = syncing.bare.commit({"a.yaml": config("a"), "s.yaml": SECRET.replace("VALUE", "hunter22")})
    syncing.create()
    syncing.until("it is compared", lambda: syncing.state()[0] == "OutOfSync")
    assert "a person applies it" in run("list")
    shown = run("diff shop --exit-code", code=1)
    assert "=== ConfigMap" in shown
    assert "+  value: '1'" in shown
    assert "(hidden " in shown
    assert "hunter22" not in shown
    assert f"{first[:8]}: applied" in run("now shop")
    assert "no differences" in run("diff shop")
    listed = run("get shop")
    assert "Synced" in listed
    assert "ConfigMap" in listed
    assert "there is no GitSync" in run("get shoop", code=1)
    assert first[:12] in run("history shop")


def test_back_held_and_on_again(syncing: Synced, run: Run) -> None:
    """R30 in one verb."""
    first = syncing.bare.commit({"a.yaml": config("a", "1")})
    syncing.create(automated=AUTOMATED)
    syncing.until_synced(first)
    second = syncing.bare.commit({"a.yaml": config("a", "2")})
    run("now shop")
    syncing.until_synced(second)
    assert f"{second[:8]} is held" in run("rollback shop")
    assert syncing.values() == {"a": "1"}
    assert "held" in run("history shop")
    assert "Held:" in run("get shop")
    assert "no other good commit" not in run("resume shop")
    syncing.until("the hold is over", lambda: "hold" not in syncing.status)
    syncing.ask("1")
    syncing.until_synced(second)
    run("suspend shop")
    syncing.until("it says so", lambda: syncing.condition("Ready").get("reason") == "Suspended")
    run("resume shop")
    syncing.until_synced(second)


def test_deletions_are_confirmed_as_they_were_shown(syncing: Synced, run: Run) -> None:
    """R13."""
    files: dict[str, str | None] = {f"{name}.yaml": config(name) for name in "abcdefgh"}
    syncing.create(automated=AUTOMATED)
    syncing.bare.commit(files)
    run("now shop")
    syncing.bare.commit({name: None for name in files if name != "a.yaml"})
    run("now shop")
    assert len(syncing.values()) == 8
    assert "Kept:" in run("get shop")
    assert run("confirm shop --yes").count("  delete  ConfigMap") == 7
    assert syncing.values() == {"a": "1"}
    assert "has no deletions that wait" in run("confirm shop --yes", code=1)


def test_a_failed_sync_is_a_failed_command(syncing: Synced, run: Run) -> None:
    syncing.bare.commit({"a.yaml": "kind: ["})
    syncing.create()
    assert "a.yaml" in run("now shop", code=1)


FLUX = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: moved, namespace: {namespace}}}
spec: {{sourceRef: {{kind: GitRepository, name: app}}, path: ./, prune: true, serviceAccountName: deployer}}
status: {{inventory: {{entries: [
  {{id: {namespace}_a__ConfigMap, v: v1}}, {{id: {namespace}_old__ConfigMap, v: v1}},
  {{id: {namespace}_theirs__ConfigMap, v: v1}}]}}}}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {{name: app, namespace: {namespace}}}
spec: {{url: '{url}', ref: {{branch: main}}, secretRef: {{name: repository}}}}
"""


def test_what_flux_had_applied_is_pruned_after_the_hand_over(syncing: Synced, run: Run, tmp_path: Path) -> None:
    """§3.5, R12: `old` is no more in Git at the hand-over; `theirs` is another's. Nothing goes before."""
    space = syncing.space.namespace
    for name, owner in (("a", "moved"), ("old", "moved"), ("theirs", "another")):
        syncing.kubectl("create", "configmap", name, "--from-literal=value=1")
        flux = "kustomize.toolkit.fluxcd.io"
        labels = (f"{flux}/name={owner}", f"{flux}/namespace={space}", "--field-manager=kustomize-controller")
        syncing.kubectl("label", "configmap", name, *labels)
    commit = syncing.bare.commit({"a.yaml": config("a")})
    file = tmp_path / "flux.yaml"
    file.write_text(FLUX.format(namespace=space, url=syncing.server.url()))
    assert "3 objects are its own already" in run(f"import -f {file} --apply")
    moved = Synced(**{**vars(syncing), "name": "moved"})
    moved.until("it is suspended", lambda: moved.condition("Ready").get("reason") == "Suspended")
    assert set(moved.values()) == {"a", "old", "theirs"}
    run("resume moved --adopt")
    moved.until_synced(commit)
    assert set(moved.values()) == {"a", "theirs"}
    assert {row["id"].split("_")[1] for row in moved.status["inventory"]["entries"]} == {"a"}
    assert "fluxcd" not in str(moved.kubectl.json("get", "configmap", "a")["metadata"])


def test_an_application_becomes_a_suspended_gitsync(syncing: Synced, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "application.yaml"
    file.write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: moved, namespace: argocd}\n"
        f"spec: {{source: {{repoURL: '{syncing.server.url()}', path: .}}, "
        f"destination: {{namespace: {syncing.space.namespace}}}, syncPolicy: {{automated: {{prune: true}}}}}}\n"
    )
    said = run(f"import -f {file} --service-account deployer --apply")
    assert "gitsync 'moved' created, suspended" in said
    assert "then: kubectl rollouts sync resume moved" in said
    assert syncing.kubectl.json("get", "gitsync", "moved")["spec"]["suspend"] is True
    again = run(f"import -f {file} --service-account deployer --apply", code=1)
    assert '"moved" already exists' in again
    assert "delete it first" in again
    elsewhere = file.read_text().replace(syncing.space.namespace, "not-there")
    (tmp_path / "elsewhere.yaml").write_text(elsewhere)
    assert "kubectl create namespace not-there" in run(f"import -f {tmp_path}/elsewhere.yaml --apply", code=1)
    file.write_text(file.read_text().replace("path: .", "chart: redis"))
    assert "refused: spec.source.chart" in run(f"import -f {file}", code=2)


def test_what_adopting_would_change_is_shown_before(syncing: Synced, run: Run) -> None:
    """An object of a Helm release, and notes for people beside it."""
    other = {"name": "a", "annotations": {"meta.helm.sh/release-name": "their"}}
    syncing.kubectl.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": other, "data": {"value": "theirs"}})
    syncing.bare.commit({"a.yaml": config("a")})
    syncing.create(info=[{"name": "runbook", "value": "https://wiki.example.com/shop"}])
    assert "Helm release 'their'" in run("diff shop", code=1)
    shown = run("diff shop --adopt")
    assert ("-  value: theirs" in shown, "+  value: '1'" in shown) == (True, True)
    assert syncing.values() == {"a": "theirs"}
    assert "runbook https://wiki.example.com/shop" in run("get shop")


FULL_APPLICATION = """\
apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: {{name: argo, namespace: argocd, finalizers: [resources-finalizer.argocd.argoproj.io]}}
spec:
  project: shop
  sources: [{{repoURL: '{url}', path: ., targetRevision: main}}]
  destination: {{name: in-cluster, namespace: {namespace}}}
  info: [{{name: wiki, value: 'https://wiki.example.com'}}]
  revisionHistoryLimit: 3
  ignoreDifferences:
  - {{group: apps, kind: Deployment, jsonPointers: [/spec/replicas]}}
  - {{kind: Service, jqPathExpressions: ['.spec.selector["rollouts-pod-template-hash"]']}}
  syncPolicy:
    automated: {{prune: true, selfHeal: true, allowEmpty: true}}
    retry: {{limit: 2, backoff: {{duration: 1s, factor: 3, maxDuration: 1m}}}}
    syncOptions: [CreateNamespace=true, Validate=false, PrunePropagationPolicy=foreground]
    managedNamespaceMetadata: {{labels: {{team: a}}}}
status: {{sourceType: Directory, resources: [{{version: v1, kind: ConfigMap, namespace: {namespace}, name: a}}]}}
"""
FULL_KUSTOMIZATION = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: flux, namespace: {namespace}}}
spec:
  sourceRef: {{kind: GitRepository, name: app}}
  path: ./deploy/
  interval: 10m
  retryInterval: 30s
  timeout: 3m
  prune: true
  wait: true
  targetNamespace: {namespace}
  namePrefix: a-
  nameSuffix: -b
  images: [{{name: web, newName: own/web, newTag: '2'}}]
  patches: [{{patch: 'x', target: {{kind: Deployment}}}}]
  components: [../parts]
  commonMetadata: {{labels: {{team: a}}, annotations: {{about: b}}}}
  buildMetadata: [originAnnotations]
  ignore: [{{paths: [/spec/replicas], target: {{group: apps, kind: Deployment}}}}]
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {{name: app, namespace: {namespace}}}
spec:
  url: '{url}'
  interval: 1m
  ref: {{name: refs/heads/main, branch: other}}
  secretRef: {{name: repository}}
  verify: {{mode: head, secretRef: {{name: trusted}}}}
"""


def test_all_that_is_copied_is_taken_by_the_api_server(opened: Synced, run: Run, tmp_path: Path) -> None:
    """§3.5: field by field, as it is stored."""
    namespace, url, file = opened.space.namespace, opened.server.url(), tmp_path / "their.yaml"
    file.write_text(FULL_APPLICATION.format(namespace=namespace, url=url))
    said = run(f"import -f {file} --apply")
    told = (
        "project shop",
        "Validate=false",
        "ignoreDifferences for Service: built in",
        "1 objects are its own already",
    )
    assert [words for words in told if words not in said] == []
    automated = {"prune": True, "selfHeal": True, "allowEmpty": True}
    assert opened.kubectl.json("get", "gitsync", "argo")["spec"] == {
        "source": {"repoURL": url, "path": ".", "targetRevision": "main", "directory": {"recurse": False}},
        "destination": {"namespace": namespace},
        "serviceAccountName": "default",
        "suspend": True,
        "deletionPolicy": "Delete",
        "info": [{"name": "wiki", "value": "https://wiki.example.com"}],
        "revisionHistoryLimit": 3,
        "ignoreDifferences": [{"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]}],
        "syncPolicy": {
            "automated": automated,
            "retry": {"limit": 2, "backoff": {"duration": "1s", "factor": 3, "maxDuration": "1m"}},
            "syncOptions": ["CreateNamespace=true", "PrunePropagationPolicy=foreground"],
            "managedNamespaceMetadata": {"labels": {"team": "a"}},
        },
    }
    file.write_text(FULL_KUSTOMIZATION.format(namespace=namespace, url=url))
    run(f"import -f {file} --service-account deployer --apply")
    assert opened.kubectl.json("get", "gitsync", "flux")["spec"] == {
        "source": {
            "repoURL": url,
            "path": "deploy",
            "targetRevision": "refs/heads/main",
            "secretRef": {"name": "repository"},
            "verify": {"mode": "HEAD", "secretRef": {"name": "trusted"}},
            "kustomize": {
                "namePrefix": "a-",
                "nameSuffix": "-b",
                "namespace": namespace,
                "images": ["web=own/web:2"],
                "patches": [{"patch": "x", "target": {"kind": "Deployment"}}],
                "components": ["../parts"],
                "commonLabels": {"team": "a"},
                "labelWithoutSelector": True,
                "commonAnnotations": {"about": "b"},
            },
        },
        "destination": {"namespace": namespace},
        "interval": "1m",
        "timeout": "3m",
        "serviceAccountName": "deployer",
        "deletionPolicy": "Delete",
        "suspend": True,
        "ignoreDifferences": [
            {"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]},
        ],
        "syncPolicy": {
            "automated": {"prune": True, "selfHeal": True},
            "retry": {"limit": -1, "backoff": {"duration": "30s", "factor": 1, "maxDuration": "30s"}},
            "rollouts": {"wait": "Healthy"},
        },
    }
