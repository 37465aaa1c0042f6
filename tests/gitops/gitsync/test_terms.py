"""From a GitSync's options to what holds for a pass."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.api import kinds
from rollouts.api.parsing import check
from rollouts.gitops.former import IMPORTED, MIGRATION_MANAGER, Former
from rollouts.gitops.gitsync import reading
from rollouts.gitops.gitsync.terms import terms
from rollouts.gitops.gitsync.values import Mandate
from tests.gitops.gitsync.world import A, B, sync

NAMESPACE = ["CreateNamespace=true"]
SOURCE = {"repoURL": "https://git.example/shop.git", "targetRevision": "main"}


def made(*options: str, prune: bool = True, command: dict[str, Any] | None = None, **annotations: str) -> Any:
    raw = sync(syncPolicy={"automated": {"prune": prune}, "syncOptions": list(options)})
    raw["metadata"]["annotations"] = annotations
    found = check(kinds.GIT_SYNC, raw)
    assert found.errors == ()
    return terms(found.model, Mandate(operation={"sync": command or {}}), ())


@pytest.mark.parametrize(
    ("options", "command", "prune", "asks"),
    [
        ((), {}, True, False),
        (("Prune=false",), {}, False, False),
        (("Prune=confirm",), {}, True, True),
        (("Prune=false",), {"syncOptions": ["Prune=true"]}, True, False),
        (("Prune=false",), {"confirmPlan": "sha256:x"}, False, False),
        ((), {"prune": False}, False, False),
    ],
)
def test_whether_a_sync_prunes(options: tuple[str, ...], command: dict[str, Any], prune: bool, asks: bool) -> None:
    policy = made(*options, command=command).policy
    assert (policy.prune, policy.always_confirm) == (prune, asks)


def test_options_that_hold_for_each_object() -> None:
    found = made("SkipDryRunOnMissingResource=true", "ClientSideApplyMigration=false", "CreateNamespace=true")
    assert found.defaults == {"SkipDryRunOnMissingResource": "true", "ClientSideApplyMigration": "false"}


@pytest.mark.parametrize(("named", "managers"), [("", set()), ("old-tool", {"old-tool"}), ("a, b", {"a", "b"})])
def test_managers_that_are_followed_beside_the_known_ones(named: str, managers: set[str]) -> None:
    """R11."""
    assert made(**{MIGRATION_MANAGER: named}).former_managers == managers


def test_whose_objects_an_imported_sync_knows() -> None:
    assert made(**{IMPORTED: "application/argocd/shop"}).policy.former == Former(
        kind="application", namespace="argocd", name="shop"
    )
    assert made().policy.former is None


@pytest.mark.parametrize(
    ("status", "commit"),
    [
        ({}, ""),
        ({"lastAttemptedRevision": A}, A),
        ({"lastAttemptedRevision": A, "history": [{"revision": A}]}, ""),
        ({"lastAttemptedRevision": B, "history": [{"revision": A}]}, B),
        ({"lastAttemptedRevision": B, "operationState": {"revision": A, "phase": "Succeeded"}}, B),
        ({"lastAttemptedRevision": B, "operationState": {"revision": B, "phase": "Failed"}}, ""),
        ({"lastAttemptedRevision": B, "operationState": {"phase": "Running"}}, B),
    ],
)
def test_which_commit_is_under_way(status: dict[str, Any], commit: str) -> None:
    """R4: begun, and neither applied nor failed."""
    assert reading.under_way(status) == commit


@pytest.mark.parametrize(
    ("spec", "same"),
    [
        ({"source": {**SOURCE, "path": "deploy"}}, False),
        ({"source": {**SOURCE, "kustomize": {"namePrefix": "a-"}}}, False),
        ({"source": {**SOURCE, "helm": {"values": "a: b"}}}, False),
        ({"source": {**SOURCE, "directory": {"exclude": "b*"}}}, False),
        ({"source": {**SOURCE, "verify": {"mode": "HEAD", "secretRef": {"name": "keys"}}}}, False),
        ({"source": {**SOURCE, "repoURL": "https://git.example/other.git"}}, False),
        ({"destination": {"namespace": "other"}}, False),
        ({"ignoreDifferences": [{"kind": "Service", "jsonPointers": ["/spec/type"]}]}, False),
        ({"syncPolicy": {"syncOptions": NAMESPACE}}, False),
        ({"source": {**SOURCE, "targetRevision": "v2"}}, True),
        ({"interval": "9m"}, True),
        ({"syncPolicy": {"automated": {"selfHeal": True}}}, True),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_goes_into_what_is_applied_beside_the_commit(spec: dict[str, Any], same: bool) -> None:
    """R1: what was applied with other inputs is not what is wanted now. What the branch is called, and how often one
    looks, is no input."""

    def digest(given: dict[str, Any]) -> str:
        found = check(kinds.GIT_SYNC, sync(**{"syncPolicy": {}, **given}))
        assert found.errors == ()
        return reading.inputs_digest(found.model.spec)

    assert (digest(spec) == digest({})) is same


def test_labels_of_the_namespace_are_an_input() -> None:
    """R1."""

    def digest(labels: dict[str, str]) -> str:
        policy = {"syncOptions": NAMESPACE, "managedNamespaceMetadata": {"labels": labels}}
        return reading.inputs_digest(check(kinds.GIT_SYNC, sync(syncPolicy=policy)).model.spec)

    assert digest({"a": "b"}) != digest({"a": "c"})
