"""`sync import`: what of Argo CD and Flux is copied, left out, refused (§3.5)."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.api.parsing import check
from rollouts.gitops.former import IMPORTED, MIGRATION_MANAGER
from rollouts.gitops.importing import from_argo
from rollouts.gitops.importing_flux import from_flux

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


def test_a_field_that_is_not_known_here_is_refused() -> None:
    """Nobody is to believe to have moved what stays behind."""
    refused = from_argo(application(sourceHydrator={"x": 1}, sourceNew={}), account="").refused
    assert refused == ["spec.sourceHydrator: a GitSync has nothing like it"]
    refused = from_flux(kustomization(patchesJson6902=[{}]), repository(gitNew=1), account="").refused
    assert refused == [
        "spec.patchesJson6902: a GitSync has nothing like it",
        "GitRepository spec.gitNew: a GitSync has nothing like it",
    ]


@pytest.mark.parametrize(
    ("kind", "given", "directory"),
    [
        ("Directory", None, {"recurse": False}),
        ("Directory", {"recurse": True}, {"recurse": True}),
        ("", {"include": "*.yaml"}, {"recurse": False, "include": "*.yaml"}),
        ("Kustomize", None, None),
    ],
)
def test_folders_below_are_left_out_as_argo_cd_does(kind: str, given: Any, directory: Any) -> None:
    raw = application(source={"repoURL": REPO, **({"directory": given} if given else {})})
    raw["status"] = {"sourceType": kind}
    assert from_argo(raw, account="").sync["spec"]["source"].get("directory") == directory


def test_everything_else_of_an_application_is_copied() -> None:
    helm = {"releaseName": "x", "valueFiles": ["a.yaml"], "version": "v3", "passCredentials": True, "skipCrds": True}
    policy = {
        "automated": {"enabled": True, "allowEmpty": True},
        "retry": {"limit": 3, "refresh": True, "backoff": {"duration": "1s", "factor": 3, "maxDuration": "1m"}},
        "managedNamespaceMetadata": {"labels": {"a": "b"}},
        "syncOptions": ["CreateNamespace=true", "PrunePropagationPolicy=orphan", "Validate=false"],
    }
    info = [{"name": "url", "value": "https://x"}]
    source = {"repoURL": REPO, "path": "c", "helm": helm, "name": "main"}
    found = from_argo(
        application(sources=[source], source=None, syncPolicy=policy, info=info, revisionHistoryLimit=3), account=""
    )
    spec = found.sync["spec"]
    assert spec["source"] == {
        "repoURL": REPO,
        "path": "c",
        "helm": {"releaseName": "x", "valueFiles": ["a.yaml"], "skipCrds": True},
    }
    assert spec["syncPolicy"] == {**policy, "syncOptions": policy["syncOptions"][:2]}
    assert (spec["info"], spec["revisionHistoryLimit"]) == (info, 3)
    assert (found.refused, check("GitSync", found.sync).errors) == ([], ())
    assert [words for words in ("passCredentials", "Validate=false") if words not in " ".join(found.remarks)] == []


def test_metadata_of_a_namespace_that_is_not_made_is_left_out() -> None:
    found = from_argo(application(syncPolicy={"managedNamespaceMetadata": {"labels": {"a": "b"}}}), account="")
    assert "syncPolicy" not in found.sync["spec"]
    assert "managedNamespaceMetadata" in " ".join(found.remarks)


def test_a_project_is_listed_and_its_rules_are_not_copied() -> None:
    found = from_argo(application(project="shop"), account="")
    assert "project shop: give its rules to the ServiceAccount, as Roles" in found.remarks


@pytest.mark.parametrize(
    "rule",
    [
        {"jsonPointers": ["/spec/selector/rollouts-pod-template-hash"]},
        {"managedFieldsManagers": ["rollouts-controller"]},
    ],
)
def test_rules_for_the_rollouts_controller_are_built_in(rule: dict[str, Any]) -> None:
    """R33."""
    found = from_argo(application(ignoreDifferences=[{"kind": "Service", **rule}]), account="")
    assert (found.refused, "ignoreDifferences" in found.sync["spec"]) == ([], False)


@pytest.mark.parametrize("destination", [{"server": "https://kubernetes.default.svc"}, {"name": "in-cluster"}])
def test_the_own_cluster_is_no_destination_worth_naming(destination: dict[str, str]) -> None:
    found = from_argo(application(destination={**destination, "namespace": "x"}), account="")
    assert (found.refused, found.sync["spec"]["destination"]) == ([], {"namespace": "x"})
    assert "another cluster" in from_argo(application(destination={"name": "other"}), account="").refused[0]


@pytest.mark.parametrize(
    ("reference", "revision"),
    [
        (None, "master"),
        ({"branch": "b"}, "b"),
        ({"branch": "b", "tag": "t"}, "t"),
        ({"tag": "t", "semver": ">=1"}, ">=1"),
        ({"semver": ">=1", "name": "refs/heads/x"}, "refs/heads/x"),
        ({"name": "refs/heads/x", "commit": "c" * 40}, "c" * 40),
    ],
)
def test_which_revision_flux_means(reference: Any, revision: str) -> None:
    found = from_flux(kustomization(), repository(ref=reference), account="")
    assert found.sync["spec"]["source"]["targetRevision"] == revision


@pytest.mark.parametrize(
    ("own", "repositorys", "interval"),
    [("10m", "1m", "1m"), ("1m", "10m", "1m"), ("10m", None, "10m"), ("10m", "soon", "10m")],
)
def test_the_shorter_of_two_intervals(own: str, repositorys: str | None, interval: str) -> None:
    found = from_flux(kustomization(interval=own), repository(interval=repositorys), account="")
    assert found.sync["spec"]["interval"] == interval


def test_everything_else_of_a_kustomization_is_copied() -> None:
    raw = kustomization(
        timeout="3m",
        retryInterval="30s",
        namePrefix="a-",
        nameSuffix="-b",
        patches=[{"patch": "x"}],
        components=["../c"],
        ignoreMissingComponents=True,
        commonMetadata={"annotations": {"a": "b"}},
        healthChecks=[{"kind": "Deployment", "name": "web"}],
        buildMetadata=["originAnnotations"],
        ignore=[{"paths": ["/spec/replicas"], "target": {"group": "apps", "kind": "Deployment", "name": "web"}}],
    )
    verify = {"mode": "head", "secretRef": {"name": "trusted"}}
    found = from_flux(raw, repository(verify=verify, timeout="1m", ignore="*.md", provider="generic"), account="acc")
    spec = found.sync["spec"]
    assert spec["source"]["kustomize"] == {
        "namePrefix": "a-",
        "nameSuffix": "-b",
        "patches": [{"patch": "x"}],
        "components": ["../c"],
        "ignoreMissingComponents": True,
        "commonAnnotations": {"a": "b"},
    }
    assert spec["source"]["verify"] == {"mode": "HEAD", "secretRef": {"name": "trusted"}}
    assert (spec["timeout"], spec["serviceAccountName"]) == ("3m", "acc")
    assert spec["syncPolicy"] == {
        "automated": {"prune": True, "selfHeal": True},
        "retry": {"limit": -1, "backoff": {"duration": "30s", "factor": 1, "maxDuration": "30s"}},
        "rollouts": {"wait": "Healthy"},
    }
    assert spec["ignoreDifferences"] == [
        {"group": "apps", "kind": "Deployment", "name": "web", "jsonPointers": ["/spec/replicas"]}
    ]
    assert (found.refused, check("GitSync", found.sync).errors) == ([], ())
    noted = " ".join(found.remarks)
    assert [
        word for word in ("buildMetadata", "healthChecks", "spec.ignore", "kustomization.yaml") if word not in noted
    ] == []


@pytest.mark.parametrize(
    ("policy", "prune", "meant"),
    [
        (None, True, "Delete"),
        (None, False, "Orphan"),
        ("MirrorPrune", True, "Delete"),
        ("MirrorPrune", False, "Orphan"),
        ("Delete", False, "Delete"),
        ("WaitForTermination", True, "WaitForTermination"),
        ("Orphan", True, "Orphan"),
    ],
)
def test_what_becomes_of_the_objects(policy: str | None, prune: bool, meant: str) -> None:
    raw = kustomization(prune=prune, **({"deletionPolicy": policy} if policy else {}))
    spec = from_flux(raw, repository(), account="").sync["spec"]
    assert (spec["deletionPolicy"], spec["syncPolicy"]["automated"]["prune"]) == (meant, prune)


@pytest.mark.parametrize("key", ["include", "recurseSubmodules", "sparseCheckout", "proxySecretRef"])
def test_what_a_repository_has_and_a_gitsync_has_not_is_refused(key: str) -> None:
    assert key in " ".join(from_flux(kustomization(), repository(**{key: {"x": 1}}), account="").refused)
    assert "github" in " ".join(from_flux(kustomization(), repository(provider="github"), account="").refused)


@pytest.mark.parametrize("target", [{"labelSelector": "a=b"}, {"name": "web-.*"}, {"annotationSelector": "x"}])
def test_ignoring_by_pattern_is_refused(target: dict[str, str]) -> None:
    found = from_flux(kustomization(ignore=[{"paths": ["/spec/x"], "target": target}]), repository(), account="")
    assert "spec.ignore[0]" in found.refused[0]


def test_expressions_for_health_are_refused() -> None:
    found = from_flux(kustomization(healthCheckExprs=[{"kind": "X"}]), repository(), account="")
    assert "healthCheckExprs" in found.refused[0]


def test_the_steps_of_the_hand_over() -> None:
    """First the other tool lets go without deleting anything, then the GitSync is resumed."""
    steps = from_argo(application(), account="").steps
    assert [
        word
        for word, step in zip(("automated", "--cascade=orphan", "resume shop"), steps, strict=True)
        if word not in step
    ] == []
    steps = from_flux(kustomization(), repository(), account="").steps
    words = ("flux suspend", "Orphan", "delete kustomization", "--adopt")
    assert [word for word, step in zip(words, steps, strict=True) if word not in step] == []


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
