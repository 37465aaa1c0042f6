"""Hooks and waves: marks of ours, Argo CD's and Helm's (R28), and the order things are applied in (R17)."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.gitops.hooks import Deletion, Phase, problem, split
from rollouts.gitops.inventory import Inventory
from rollouts.gitops.objects import Manifest
from rollouts.gitops.plan import Action, Examined, Policy, plan

OURS, ARGO, HELM = "gitops.rollouts.dev/", "argocd.argoproj.io/", "helm.sh/"


def manifest(name: str = "a", kind: str = "Job", api: str = "batch/v1", **annotations: str) -> Manifest:
    metadata: dict[str, Any] = {
        "name": name,
        "annotations": {key.replace("__", "/"): v for key, v in annotations.items()},
    }
    if kind not in ("Namespace", "CustomResourceDefinition"):
        metadata["namespace"] = "n"
    return Manifest(body={"apiVersion": api, "kind": kind, "metadata": metadata}, file="a.yaml", line=1)


def phases(annotations: dict[str, str], *, installing: bool = False) -> set[str] | None:
    kept, hooks = split([manifest(**annotations)], installing=installing)
    return None if kept else {phase.value for phase in hooks[0].phases}


@pytest.mark.parametrize(
    ("annotations", "installing", "expected"),
    [
        ({}, False, None),
        ({OURS + "hook": "PreSync"}, False, {"PreSync"}),
        ({ARGO + "hook": "PreSync,PostSync"}, False, {"PreSync", "PostSync"}),
        ({OURS + "hook": "Sync", ARGO + "hook": "PreSync"}, False, {"Sync"}),
        ({ARGO + "hook": "Skip"}, False, set()),
        ({ARGO + "hook": "PreDelete"}, False, set()),
        ({HELM + "hook": "pre-install"}, True, {"PreSync"}),
        ({HELM + "hook": "pre-install"}, False, set()),
        ({HELM + "hook": "pre-install,pre-upgrade"}, False, {"PreSync"}),
        ({HELM + "hook": "post-upgrade"}, True, set()),
        ({HELM + "hook": "post-upgrade"}, False, {"PostSync"}),
        ({HELM + "hook": "post-install"}, True, {"PostSync"}),
        ({HELM + "hook": "post-install"}, False, set()),
        ({HELM + "hook": "pre-upgrade"}, True, set()),
        ({HELM + "hook": "test"}, True, set()),
        ({HELM + "hook": "test"}, False, set()),
        ({HELM + "hook": "crd-install"}, True, None),
    ],
)
def test_when_an_object_runs(annotations: dict[str, str], installing: bool, expected: set[str] | None) -> None:
    """R28: a first sync is told from a later one."""
    assert phases(annotations, installing=installing) == expected


def test_how_a_hook_ends_and_in_which_order_hooks_run() -> None:
    first = manifest("z", **{HELM + "hook": "pre-upgrade", HELM + "hook-weight": "-5"})
    second = manifest(
        "a",
        **{
            ARGO + "hook": "PreSync",
            ARGO + "sync-wave": "3",
            ARGO + "hook-delete-policy": "HookSucceeded",
            OURS + "hook-timeout": "90s",
        },
    )
    _, hooks = split([second, first], installing=False)
    assert [(hook.manifest.ref.name, hook.wave, hook.timeout) for hook in hooks] == [("z", -5, 300.0), ("a", 3, 90.0)]
    assert [hook.deletions for hook in hooks] == [{Deletion.BEFORE}, {Deletion.SUCCEEDED}]
    assert hooks[1].phases == {Phase.PRE}


@pytest.mark.parametrize(
    ("annotations", "word"),
    [
        ({ARGO + "sync-wave": "first"}, "whole number"),
        ({ARGO + "hook": "presync"}, "is none of PreSync"),
        ({OURS + "hook-timeout": "soon"}, "hook-timeout"),
        ({ARGO + "sync-wave": "-1", ARGO + "hook": "PreSync"}, None),
    ],
)
def test_marks_that_make_no_sense_are_errors(annotations: dict[str, str], word: str | None) -> None:
    found = problem(manifest(**annotations))
    assert found is None if word is None else found is not None and word in found


def test_objects_are_applied_wave_by_wave_and_what_others_need_goes_first() -> None:
    """R17."""
    items = [
        manifest("late", "ConfigMap", "v1", **{ARGO + "sync-wave": "2"}),
        manifest("web", "Deployment", "apps/v1"),
        manifest("early", "Deployment", "apps/v1", **{OURS + "sync-wave": "-1"}),
        manifest("space", "Namespace", "v1", **{ARGO + "sync-wave": "9"}),
        manifest("settings", "ConfigMap", "v1"),
    ]
    examined = [Examined(manifest=item, action=Action.CREATE) for item in items]
    found = plan(examined=examined, inventory=Inventory(), leftovers=(), policy=Policy(sync="s"))
    names = [[item.manifest.ref.name for item in stage] for stage in found.stages]
    assert names == [["space"], ["early"], ["settings"], ["web"], ["late"]]


@pytest.mark.parametrize(
    ("annotations", "deletions"),
    [
        ({}, {Deletion.BEFORE}),
        ({OURS + "hook-delete-policy": "HookFailed"}, {Deletion.FAILED}),
        ({ARGO + "hook-delete-policy": "HookSucceeded, BeforeHookCreation"}, {Deletion.SUCCEEDED, Deletion.BEFORE}),
        ({HELM + "hook-delete-policy": "hook-succeeded,hook-failed"}, {Deletion.SUCCEEDED, Deletion.FAILED}),
        ({HELM + "hook-delete-policy": "before-hook-creation"}, {Deletion.BEFORE}),
        (
            {OURS + "hook-delete-policy": "HookFailed", ARGO + "hook-delete-policy": "HookSucceeded"},
            {Deletion.FAILED},
        ),
        (
            {ARGO + "hook-delete-policy": "HookSucceeded", HELM + "hook-delete-policy": "hook-failed"},
            {Deletion.SUCCEEDED},
        ),
    ],
)
def test_how_hooks_are_deleted_in_whosever_words(annotations: dict[str, str], deletions: set[Deletion]) -> None:
    """The stronger source alone counts."""
    _, (hook,) = split([manifest(**{ARGO + "hook": "PreSync", **annotations})], installing=False)
    assert hook.deletions == deletions
