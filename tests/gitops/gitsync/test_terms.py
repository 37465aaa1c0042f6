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
        (("Prune=false",), {"confirmPlan": "sha256:x"}, True, False),
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
