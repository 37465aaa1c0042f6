"""R14, R18, R20: options of single objects, from whomever's annotations they come."""

from __future__ import annotations

import pytest

from rollouts.gitops import objectoptions
from rollouts.gitops.objectoptions import Chosen, Consent, Ssa
from rollouts.gitops.objects import Manifest

OURS = "gitops.rollouts.dev/sync-options"
ARGO = "argocd.argoproj.io/sync-options"
FLUX = "kustomize.toolkit.fluxcd.io/"
KEEP = "helm.sh/resource-policy"


def body(annotations: dict[str, str]) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "annotations": annotations}}


@pytest.mark.parametrize(
    ("annotations", "chosen"),
    [
        ({}, Chosen()),
        ({ARGO: "Replace=true, Force=true"}, Chosen(replace=True, force=True)),
        ({OURS: "SSA=Merge"}, Chosen(ssa=Ssa.MERGE)),
        ({ARGO: "SkipDryRunOnMissingResource=true"}, Chosen(patient=True)),
        ({ARGO: "ClientSideApplyMigration=false"}, Chosen(migrate=False)),
        ({ARGO: "ServerSideApply=true,Validate=true,PruneLast=true"}, Chosen()),
        ({ARGO: "Validate=false"}, Chosen(validate=False)),
        ({f"{FLUX}force": "enabled"}, Chosen(force=True)),
        ({f"{FLUX}force": "enabled", ARGO: "Force=false"}, Chosen()),
        ({ARGO: "Force=true", OURS: "Force=false"}, Chosen()),
        ({f"{FLUX}ssa": "IfNotPresent"}, Chosen(ssa=Ssa.IF_NOT_PRESENT)),
        ({f"{FLUX}ssa": "merge"}, Chosen(ssa=Ssa.MERGE)),
        ({f"{FLUX}ssa": "Merge", f"{FLUX}reconcile": "disabled"}, Chosen(ssa=Ssa.IGNORE)),
    ],
)
def test_how_an_object_is_applied(annotations: dict[str, str], chosen: Chosen) -> None:
    assert objectoptions.problem(Manifest(body=body(annotations), file="a", line=1)) is None
    assert objectoptions.of(body(annotations)) == chosen


def test_options_of_the_sync_hold_unless_the_object_says_otherwise() -> None:
    defaults = {"SkipDryRunOnMissingResource": "true"}
    assert objectoptions.of(body({}), defaults).patient
    assert not objectoptions.of(body({ARGO: "SkipDryRunOnMissingResource=false"}), defaults).patient


@pytest.mark.parametrize(
    ("annotations", "pruned", "parted"),
    [
        ({}, Consent.YES, Consent.YES),
        ({ARGO: "Prune=false"}, Consent.NO, Consent.NO),
        ({ARGO: "Prune=false,Delete=true"}, Consent.NO, Consent.YES),
        ({ARGO: "Prune=confirm"}, Consent.CONFIRM, Consent.CONFIRM),
        ({ARGO: "Delete=false"}, Consent.YES, Consent.NO),
        ({OURS: "Delete=confirm"}, Consent.YES, Consent.CONFIRM),
        ({f"{FLUX}prune": "disabled"}, Consent.NO, Consent.NO),
        ({f"{FLUX}prune": "Disabled"}, Consent.NO, Consent.NO),
        ({f"{FLUX}prune": "disabled", OURS: "Prune=true"}, Consent.YES, Consent.NO),
        ({f"{FLUX}reconcile": "disabled"}, Consent.NO, Consent.NO),
        ({OURS: "SSA=Ignore"}, Consent.NO, Consent.NO),
        ({KEEP: "keep"}, Consent.CONFIRM, Consent.NO),
        # What somebody mistyped on a live object is read with care.
        ({ARGO: "Prune=flase"}, Consent.NO, Consent.NO),
    ],
)
def test_whether_an_object_may_be_deleted(annotations: dict[str, str], pruned: Consent, parted: Consent) -> None:
    assert objectoptions.consent(body(annotations))[0] is pruned
    assert objectoptions.consent(body(annotations), parting=True)[0] is parted


@pytest.mark.parametrize(
    ("annotations", "words"),
    [
        ({ARGO: "ServerSideApply=false"}, "ServerSideApply=false: can't be switched off"),
        ({ARGO: "Prune=maybe"}, "Prune=maybe: must be true, false or confirm"),
        ({ARGO: "Replace"}, "Replace: write Name=value"),
        ({OURS: "Repalce=true"}, "unknown option; known are Prune, "),
        ({ARGO: "CreateNamespace=true"}, "spec.syncPolicy.syncOptions"),
        ({f"{FLUX}ssa": "some"}, "ssa: some: must be override or merge or ifnotpresent or ignore"),
        ({f"{FLUX}reconcile": "off"}, "must be disabled or enabled"),
        ({OURS: "SSA=Sometimes"}, "SSA=Sometimes: must be Override"),
    ],
)
def test_what_can_not_be_carried_out_is_told(annotations: dict[str, str], words: str) -> None:
    said = objectoptions.problem(Manifest(body=body(annotations), file="a", line=1))
    assert said is not None
    assert words in said
    assert next(iter(annotations)) in said


@pytest.mark.parametrize(
    ("annotations", "chosen", "pruned"),
    [
        ({f"{FLUX}prune": "enabled"}, Chosen(), Consent.YES),
        ({f"{FLUX}prune": "disabled"}, Chosen(), Consent.NO),
        ({f"{FLUX}reconcile": "enabled"}, Chosen(), Consent.YES),
        ({f"{FLUX}reconcile": "disabled"}, Chosen(ssa=Ssa.IGNORE), Consent.NO),
        ({f"{FLUX}force": "enabled"}, Chosen(force=True), Consent.YES),
        ({f"{FLUX}force": "disabled"}, Chosen(), Consent.YES),
        ({f"{FLUX}ssa": "Override"}, Chosen(), Consent.YES),
        ({f"{FLUX}ssa": "Merge"}, Chosen(ssa=Ssa.MERGE), Consent.YES),
        ({f"{FLUX}ssa": "IfNotPresent"}, Chosen(ssa=Ssa.IF_NOT_PRESENT), Consent.YES),
        ({f"{FLUX}ssa": "Ignore"}, Chosen(ssa=Ssa.IGNORE), Consent.NO),
        ({KEEP: "keep"}, Chosen(), Consent.CONFIRM),
    ],
)
def test_each_value_of_others(annotations: dict[str, str], chosen: Chosen, pruned: Consent) -> None:
    assert (objectoptions.of(body(annotations)), objectoptions.consent(body(annotations))[0]) == (chosen, pruned)


def test_every_value_of_others_is_in_that_table() -> None:
    marks = test_each_value_of_others.pytestmark  # type: ignore[attr-defined]
    tried = {(key, text.lower()) for row in marks[0].args[1] for key, text in row[0].items()}
    assert tried == {(key, text) for key, meanings in objectoptions._OTHERS.items() for text in meanings}
