"""§3.5: what an imported GitSync knows of its predecessor, and whose mark makes an object its own."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.gitops import inventory, marks
from rollouts.gitops.former import Former, entries, former_of, left_by, status_of
from rollouts.gitops.inventory import Entry, Inventory
from rollouts.gitops.objects import Ref
from rollouts.gitops.plan import Leftover, Policy, plan

WEB = Ref(group="apps", kind="Deployment", namespace="shop", name="web")
FLUX = Former(kind="kustomization", namespace="flux-system", name="shop")
ARGO = Former(kind="application", namespace="argocd", name="shop")
FLUX_LABELS = {
    "kustomize.toolkit.fluxcd.io/name": "shop",
    "kustomize.toolkit.fluxcd.io/namespace": "flux-system",
}
TRACKING = "argocd.argoproj.io/tracking-id"


def live(**metadata: Any) -> dict[str, Any]:
    known = {"name": "web", "namespace": "shop", "uid": "1", **metadata}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": known}


def test_the_inventory_of_flux() -> None:
    rows = [{"id": "shop_web_apps_Deployment", "v": "v1"}, {"id": "_system__x_rbac.authorization.k8s.io_ClusterRole"}]
    body = {
        "kind": "Kustomization",
        "metadata": {"name": "shop", "namespace": "flux-system"},
        "status": {"inventory": {"entries": rows}},
    }
    role = Ref(group="rbac.authorization.k8s.io", kind="ClusterRole", name="system:x")
    assert entries(body) == (Entry(ref=WEB, version="v1"), Entry(ref=role, version="v1"))
    assert former_of(body) == FLUX == Former.parse("kustomization/flux-system/shop")


def test_the_resources_of_argo_cd_without_its_hooks() -> None:
    row = {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": "shop", "name": "web"}
    job = {"group": "batch", "version": "v1", "kind": "Job", "namespace": "shop", "name": "migrate", "hook": True}
    body = {
        "kind": "Application",
        "metadata": {"name": "shop", "namespace": "argocd"},
        "status": {"resources": [row, job]},
    }
    assert entries(body) == (Entry(ref=WEB, version="v1"),)
    assert former_of(body) == ARGO


def test_the_status_it_begins_with_is_trusted() -> None:
    (stored,) = status_of([Entry(ref=WEB, version="v1")]).values()
    rows = [[row["id"], row["v"], row["uid"]] for row in stored["entries"]]
    read = inventory.of_rows(rows, digest=stored["digest"])
    assert (read.trusted, set(read.entries)) == (True, {WEB})


@pytest.mark.parametrize("text", [None, "", "shop", "gitsync/a/b", "kustomization//shop", "application/a/b/c"])
def test_an_annotation_that_names_nobody(text: str | None) -> None:
    assert Former.parse(text) is None


@pytest.mark.parametrize(
    ("former", "metadata", "ours"),
    [
        (FLUX, {"labels": FLUX_LABELS}, True),
        (FLUX, {"labels": {**FLUX_LABELS, "kustomize.toolkit.fluxcd.io/namespace": "other"}}, False),
        (FLUX, {}, False),
        (ARGO, {"annotations": {TRACKING: "shop:apps/Deployment:shop/web"}}, True),
        (ARGO, {"annotations": {TRACKING: "argocd_shop:apps/Deployment:shop/web"}}, True),
        (ARGO, {"annotations": {TRACKING: "other:apps/Deployment:shop/web"}}, False),
        # Copied by an operator to an object of its own.
        (ARGO, {"annotations": {TRACKING: "shop:apps/Deployment:shop/parent"}}, False),
        (ARGO, {"labels": {"app.kubernetes.io/instance": "shop"}}, False),
    ],
)
def test_whose_object_it_was(former: Former, metadata: dict[str, Any], ours: bool) -> None:
    """R12, R32: only what the predecessor had marked for itself is pruned; everything else is forgotten."""
    body = live(**metadata)
    assert left_by(body, WEB, former) is ours
    entry = Entry(ref=WEB, version="v1")
    decided = plan(
        examined=(),
        inventory=Inventory.of([entry]),
        leftovers=[Leftover(entry=entry, live=body)],
        policy=Policy(sync="shop/shop", former=former, allow_empty=True),
    )
    assert [row.ref for row in decided.prunes] == ([WEB] if ours else [])


def test_another_sync_has_it_by_now() -> None:
    body = live(labels=FLUX_LABELS, annotations={marks.TRACKING: marks.tracking("other/sync", WEB)})
    entry = Entry(ref=WEB, version="v1")
    decided = plan(
        examined=(),
        inventory=Inventory.of([entry]),
        leftovers=[Leftover(entry=entry, live=body)],
        policy=Policy(sync="shop/shop", former=FLUX, allow_empty=True),
    )
    assert (decided.prunes, decided.kept) == ((), ())
