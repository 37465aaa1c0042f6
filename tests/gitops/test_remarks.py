"""What people are told about files that were applied all the same: object and file, in few words, not too many."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.gitops.claims import claims
from rollouts.gitops.objects import Manifest
from rollouts.gitops.remarks import LENGTH, MOST, remarks

APPS = "apps/v1"


def obj(kind: str, name: str, spec: dict[str, Any], api_version: str = APPS) -> dict[str, Any]:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": "shop"}, "spec": spec}


def scaler(kind: str, target: dict[str, str], api_version: str = "autoscaling/v2") -> dict[str, Any]:
    return obj(kind, "s", {"scaleTargetRef": target}, api_version)


HPA = scaler("HorizontalPodAutoscaler", {"apiVersion": APPS, "kind": "Deployment", "name": "web"})
KEDA = scaler("ScaledObject", {"name": "web"}, "keda.sh/v1alpha1")
TAKEN = {"workloadRef": {"apiVersion": APPS, "kind": "Deployment", "name": "web", "scaleDown": "onsuccess"}}
ENDING = "decides on spec.replicas, so the number in Git is not used: remove it"


def said(body: dict[str, Any], *steering: dict[str, Any]) -> tuple[str, ...]:
    return remarks([Manifest(body=body, file="web.yaml", line=7)], claims(steering))


@pytest.mark.parametrize(
    ("spec", "steering", "expected"),
    [
        ({"replicas": 2}, HPA, (f"web.yaml: Deployment shop/web: HorizontalPodAutoscaler shop/s {ENDING}",)),
        ({"replicas": 2}, KEDA, (f"web.yaml: Deployment shop/web: ScaledObject shop/s {ENDING}",)),
        ({}, HPA, ()),
        ({"replicas": 2}, obj("Rollout", "web", TAKEN, "argoproj.io/v1alpha1"), ()),
    ],
)
def test_a_number_that_an_autoscaler_overrides(
    spec: dict[str, Any], steering: dict[str, Any], expected: tuple[str, ...]
) -> None:
    """R8; but the number of a Deployment that a Rollout has taken over is what it would go back to."""
    assert said(obj("Deployment", "web", spec), steering) == expected


def test_there_are_never_too_many() -> None:
    """R23."""
    names = [f"{'x' * LENGTH}-{number}" for number in range(MOST + 5)]
    steering = [
        scaler("HorizontalPodAutoscaler", {"apiVersion": APPS, "kind": "Deployment", "name": name}) for name in names
    ]
    files = [
        Manifest(body=obj("Deployment", name, {"replicas": 1}), file=f"{number}.yaml", line=1)
        for number, name in enumerate(names)
    ]
    found = remarks(files, claims(steering))
    assert (len(found), found[-1]) == (MOST + 1, "and 5 more remarks like these")
    assert max(map(len, found)) == LENGTH


FLUX = "kustomize.toolkit.fluxcd.io/"


@pytest.mark.parametrize(
    ("annotations", "expected"),
    [
        ({}, ()),
        ({f"{FLUX}substitute": "disabled", f"{FLUX}decrypt": "Disabled"}, ()),
        (
            {f"{FLUX}substitute": "enabled"},
            (f"{FLUX}substitute: enabled: variables are not substituted here: write the values into the file",),
        ),
        (
            {f"{FLUX}decrypt": "Enabled"},
            (f"{FLUX}decrypt: Enabled: nothing is decrypted here: use External Secrets or Sealed Secrets",),
        ),
    ],
)
def test_annotations_of_flux_that_nothing_is_done_for(annotations: dict[str, str], expected: tuple[str, ...]) -> None:
    body = obj("Deployment", "web", {})
    body["metadata"]["annotations"] = annotations
    assert said(body) == tuple(f"web.yaml: Deployment shop/web: {text}" for text in expected)


COMPARE = "argocd.argoproj.io/compare-options"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("IgnoreExtraneous", ()),
        ("ServerSideDiff=true,IncludeMutationWebhook=true, IgnoreExtraneous", ()),
        ("ServerSideDiff=false", ("ServerSideDiff=false",)),
        ("IgnoreExtranous", ("IgnoreExtranous",)),
    ],
)
def test_ways_to_compare_that_nothing_is_done_for(text: str, words: tuple[str, ...]) -> None:
    body = obj("Deployment", "web", {})
    body["metadata"]["annotations"] = {COMPARE: text}
    ending = "the API server compares, so take it out"
    assert said(body) == tuple(f"web.yaml: Deployment shop/web: {COMPARE}: {word}: {ending}" for word in words)


@pytest.mark.parametrize(
    ("key", "text", "words"),
    [
        ("gitops.rollouts.dev/hook", "PreSync", ()),
        ("gitops.rollouts.dev/hook", "PreSync,PostDelete", ("PostDelete",)),
        ("argocd.argoproj.io/hook", "PreDelete", ("PreDelete",)),
        ("helm.sh/hook", "pre-install,post-delete,pre-rollback", ("post-delete", "pre-rollback")),
        ("helm.sh/hook", "test", ()),
    ],
)
def test_hooks_of_moments_that_never_come(key: str, text: str, words: tuple[str, ...]) -> None:
    body = obj("Job", "web", {}, "batch/v1")
    body["metadata"]["annotations"] = {key: text}
    ending = "never runs here, so run it by hand"
    assert said(body) == tuple(f"web.yaml: Job shop/web: {key}: {word}: {ending}" for word in words)
