"""In which stage an object is applied (R17): foundations first, admission last, classes and ClusterRoles in between."""

from __future__ import annotations

import pytest

from rollouts.gitops import order
from rollouts.gitops.inventory import Inventory
from rollouts.gitops.objects import Manifest, Ref
from rollouts.gitops.plan import Action, Examined, Policy, plan


def ref(kind: str, group: str = "", namespace: str = "") -> Ref:
    return Ref(group=group, kind=kind, namespace=namespace, name="x")


@pytest.mark.parametrize(
    ("found", "stage"),
    [
        (ref("Namespace"), 0),
        (ref("CustomResourceDefinition", "apiextensions.k8s.io"), 0),
        (ref("StorageClass", "storage.k8s.io"), 0),
        (ref("PriorityClass", "scheduling.k8s.io"), 0),
        (ref("VolumeSnapshotClass", "snapshot.storage.k8s.io"), 0),
        (ref("DeviceClass", "resource.k8s.io"), 0),
        (ref("GatewayClass", "gateway.networking.k8s.io"), 0),
        (ref("ClusterRole", "rbac.authorization.k8s.io"), 0),
        (ref("ClusterRoleBinding", "rbac.authorization.k8s.io"), 0),
        (ref("EC2NodeClass", "karpenter.k8s.aws"), 2),
        (ref("SecretProviderClass", "secrets-store.csi.x-k8s.io", "shop"), 2),
        (ref("ServiceAccount", "", "shop"), 1),
        (ref("Deployment", "apps", "shop"), 2),
        (ref("Widget", "example.com", "shop"), 2),
        (ref("ValidatingWebhookConfiguration", "admissionregistration.k8s.io"), 3),
        (ref("MutatingWebhookConfiguration", "admissionregistration.k8s.io"), 3),
        (ref("APIService", "apiregistration.k8s.io"), 3),
    ],
    ids=lambda value: value.kind if isinstance(value, Ref) else str(value),
)
def test_the_stage_of_a_kind(found: Ref, stage: int) -> None:
    """R17."""
    assert order.place(found)[0] == stage


@pytest.mark.parametrize(
    ("kind", "wave", "expected"),
    [("Namespace", "3", -2), ("CustomResourceDefinition", "3", -2), ("IngressClass", "", -2), ("IngressClass", "3", 3)],
)
def test_foundations_go_with_the_first_wave_unless_a_class_names_its_own(kind: str, wave: str, expected: int) -> None:
    """R17: the kind of a class may be brought by an operator of an earlier wave; a namespace is needed by all."""

    def wanted(kind: str, wave: str) -> Examined:
        annotations = {"argocd.argoproj.io/sync-wave": wave} if wave else {}
        body = {"apiVersion": "v1", "kind": kind, "metadata": {"name": "x", "annotations": annotations}}
        return Examined(manifest=Manifest(body=body, file="a", line=1), action=Action.CREATE)

    items = [wanted(kind, wave), wanted("Widget", "-2")]
    found = plan(examined=items, inventory=Inventory(), leftovers=(), policy=Policy(sync="s"))
    assert found.waves[items[0].manifest.ref] == expected
