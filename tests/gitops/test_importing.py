"""`sync import`: what of Argo CD and Flux is copied, left out, refused (§3.5)."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.api.parsing import check
from rollouts.gitops.former import IMPORTED, MIGRATION_MANAGER
from rollouts.gitops.importing import from_argo, from_flux

REPO = "https://git.example/shop.git"


def application(**spec: Any) -> dict[str, Any]:
    source = {"repoURL": REPO, "targetRevision": "main", "path": "deploy"}
    destination = {"server": "https://kubernetes.default.svc", "namespace": "shop"}
    return {
        "kind": "Application",
        "metadata": {"name": "shop", "namespace": "argocd"},
        "spec": {"project": "default", "source": source, "destination": destination, **spec},
    }


def kustomization(**spec: Any) -> dict[str, Any]:
    reference = {"kind": "GitRepository", "name": "shop"}
    return {
        "kind": "Kustomization",
        "metadata": {"name": "shop", "namespace": "flux-system"},
        "spec": {"sourceRef": reference, "path": "./deploy", "interval": "10m", "prune": True, **spec},
    }


def repository(**spec: Any) -> dict[str, Any]:
    return {"kind": "GitRepository", "metadata": {"name": "shop"}, "spec": {"url": REPO, **spec}}


def test_an_application_is_copied_and_suspended() -> None:
    policy = {"automated": {"prune": True, "selfHeal": True}, "syncOptions": ["CreateNamespace=true", "Replace=true"]}
    found = from_argo(application(syncPolicy=policy), account="deployer")
    assert found.refused == []
    assert found.sync["metadata"] == {"name": "shop", "namespace": "shop"}
    assert found.sync["spec"] == {
        "source": {"repoURL": REPO, "targetRevision": "main", "path": "deploy"},
        "destination": {"namespace": "shop"},
        "serviceAccountName": "deployer",
        "suspend": True,
        "syncPolicy": {"automated": {"prune": True, "selfHeal": True}, "syncOptions": ["CreateNamespace=true"]},
    }
    assert [note for note in found.remarks if "Replace=true" in note]
    assert check("GitSync", found.sync).errors == ()


def test_the_manager_that_argo_cd_was_told_to_follow_is_followed() -> None:
    """R11: the annotation is copied, beside what the import notes itself."""
    app = application()
    app["metadata"]["annotations"] = {MIGRATION_MANAGER: "old-tool", "other": "x"}
    assert from_argo(app, account="").sync["metadata"]["annotations"] == {MIGRATION_MANAGER: "old-tool"}
    app["status"] = {"resources": [{"version": "v1", "kind": "ConfigMap", "namespace": "shop", "name": "a"}]}
    noted = from_argo(app, account="").sync["metadata"]["annotations"]
    assert noted == {MIGRATION_MANAGER: "old-tool", IMPORTED: "application/argocd/shop"}


def test_rules_about_what_a_rollout_steers_are_built_in() -> None:
    """R33."""
    rules = [
        {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute", "jqPathExpressions": [".spec.rules[].weight"]},
        {"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]},
    ]
    found = from_argo(application(ignoreDifferences=rules), account="")
    assert found.sync["spec"]["ignoreDifferences"] == rules[1:]


def test_options_that_only_charts_inside_a_kustomization_read_are_left_out() -> None:
    options = {"namePrefix": "a-", "kubeVersion": "1.30", "apiVersions": ["x/v1"], "version": "v5"}
    found = from_argo(application(source={"repoURL": REPO, "kustomize": options}), account="")
    assert found.sync["spec"]["source"]["kustomize"] == {"namePrefix": "a-"}
    assert "charts inside a kustomization" in " ".join(found.remarks)


def test_the_finalizer_of_an_application_is_a_deletion_policy() -> None:
    raw = application()
    raw["metadata"]["finalizers"] = ["resources-finalizer.argocd.argoproj.io"]
    assert from_argo(raw, account="").sync["spec"]["deletionPolicy"] == "Delete"


@pytest.mark.parametrize(
    ("spec", "word"),
    [
        ({"sources": [{"repoURL": REPO}, {"repoURL": REPO}]}, "several sources"),
        ({"source": {"repoURL": REPO, "chart": "redis"}}, "chart"),
        ({"source": {"repoURL": REPO, "plugin": {"name": "x"}}}, "plugin"),
        ({"source": {"repoURL": REPO, "helm": {"valueFiles": ["$other/v.yaml"]}}}, "valueFiles"),
        ({"destination": {"server": "https://other"}}, "another cluster"),
        ({"ignoreDifferences": [{"kind": "X", "managedFieldsManagers": ["a"]}]}, "managedFieldsManagers"),
    ],
)
def test_what_an_application_has_and_a_gitsync_has_not_is_refused(spec: dict[str, Any], word: str) -> None:
    assert word in " ".join(from_argo(application(**spec), account="").refused)


def test_a_kustomization_is_copied_with_its_repository() -> None:
    raw = kustomization(
        wait=True,
        targetNamespace="shop",
        images=[{"name": "web", "newTag": "2"}, {"name": "db", "newName": "own/db", "digest": "sha256:ab"}],
        commonMetadata={"labels": {"team": "a"}},
        serviceAccountName="deployer",
    )
    found = from_flux(raw, repository(ref={"branch": "main", "tag": "v1"}, secretRef={"name": "key"}), account="")
    assert found.refused == []
    spec = found.sync["spec"]
    assert spec["source"] == {
        "repoURL": REPO,
        "targetRevision": "v1",
        "secretRef": {"name": "key"},
        "path": "deploy",
        "kustomize": {
            "namespace": "shop",
            "images": ["web:2", "db=own/db@sha256:ab"],
            "commonLabels": {"team": "a"},
            "labelWithoutSelector": True,
        },
    }
    assert (spec["suspend"], spec["deletionPolicy"]) == (True, "Delete")
    assert spec["syncPolicy"] == {
        "automated": {"prune": True, "selfHeal": True},
        "rollouts": {"wait": "Healthy"},
    }
    assert check("GitSync", found.sync).errors == ()


@pytest.mark.parametrize("key", ["decryption", "postBuild", "kubeConfig", "dependsOn", "force"])
def test_what_a_kustomization_has_and_a_gitsync_has_not_is_refused(key: str) -> None:
    found = from_flux(kustomization(**{key: {"x": 1}}), repository(), account="")
    assert key in " ".join(found.refused)


def test_a_source_that_is_no_git_repository_is_refused() -> None:
    assert "only Git" in " ".join(from_flux(kustomization(), None, account="").refused)


def test_who_applies_is_said_where_nobody_was_named() -> None:
    """Argo CD and Flux have rights of their own; an account without any would fail at the first sync."""
    rights = "rights: it applies as the ServiceAccount default of "
    assert [note for note in from_argo(application(), account="").remarks if note.startswith(f"{rights}shop; give")]
    assert not [note for note in from_argo(application(), account="deployer").remarks if note.startswith(rights)]
    flux = from_flux(kustomization(), repository(), account="")
    assert [note for note in flux.remarks if note.startswith(f"{rights}flux-system; give")]
    named = from_flux(kustomization(serviceAccountName="theirs"), repository(), account="")
    assert (named.sync["spec"]["serviceAccountName"], named.remarks) == ("theirs", [])
    chosen = from_flux(kustomization(serviceAccountName="theirs"), repository(), account="ours")
    assert chosen.sync["spec"]["serviceAccountName"] == "ours"


def test_credentials_of_argo_cd_are_not_copied_and_that_is_said() -> None:
    assert "spec.source.secretRef" in " ".join(from_argo(application(), account="deployer").remarks)
