"""R32: whose a live object is, by marks that name the object they were written for."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.gitops import marks
from rollouts.gitops.objects import Ref

WEB = Ref(group="apps", kind="Deployment", namespace="shop", name="web")
SYNC = "team/shop"
ARGO, HELM, FLUX = "argocd.argoproj.io/tracking-id", "meta.helm.sh/release-name", "kustomize.toolkit.fluxcd.io/name"


def live(annotations: dict[str, str], **labels: str) -> dict[str, Any]:
    return {"metadata": {"annotations": annotations, "labels": labels}}


def ours(sync: str, ref: Ref = WEB) -> dict[str, str]:
    return {marks.TRACKING: marks.tracking(sync, ref)}


@pytest.mark.parametrize(
    ("body", "owner"),
    [
        (live({}), None),
        (live(ours(SYNC)), None),
        (live(ours("other/shop")), "the sync 'other/shop'"),
        (live(ours("team/other")), "the sync 'team/other'"),
        # A copy, by an operator that copies annotations to its children.
        (live(ours("other/shop", Ref(group="apps", kind="Deployment", namespace="shop", name="parent"))), None),
        (live({ARGO: "shop:apps/Deployment:shop/web"}), "the Argo CD application 'shop'"),
        (live({HELM: "release"}), "the Helm release 'release'"),
        (live({}, **{FLUX: "shop"}), "the Flux Kustomization 'shop'"),
        # What was adopted once is ours, though the other mark is still there.
        (live({**ours(SYNC), ARGO: "shop:apps/Deployment:shop/web"}, **{FLUX: "shop"}), None),
        # Charts and operators copy this label: nothing is concluded from it.
        (live({}, **{"app.kubernetes.io/instance": "other"}), None),
        (live({}, **{"gitops.rollouts.dev/managed": "true"}), None),
    ],
)
def test_who_else_manages_an_object(body: dict[str, Any], owner: str | None) -> None:
    """R12, R32: the mark is of one GitSync, by namespace and name, and of one object; no label counts for ours."""
    assert marks.foreign_owner(body, WEB, sync=SYNC) == owner


@pytest.mark.parametrize(
    "other",
    [
        Ref(group="extensions", kind="Deployment", namespace="shop", name="web"),
        Ref(group="apps", kind="ReplicaSet", namespace="shop", name="web"),
        Ref(group="apps", kind="Deployment", namespace="other", name="web"),
        Ref(group="apps", kind="Deployment", namespace="shop", name="web-1"),
    ],
)
def test_the_mark_of_any_other_object_is_none(other: Ref) -> None:
    """R32: group, kind, namespace and name."""
    assert marks.tracked_by(live(ours(SYNC, other)), WEB) is None
    assert marks.tracked_by(live(ours(SYNC)), WEB) == SYNC
