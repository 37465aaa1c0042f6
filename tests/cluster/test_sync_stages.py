"""What goes first and what goes last (R17), where it shows: on the real API server, with one pass."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from rollouts.gitops import apply
from tests.cluster.harness import Kubectl
from tests.cluster.onepass import Once
from tests.cluster.test_sync_options import config, definition, values, widget
from tests.gitops.bare import Bare


@pytest.fixture
def group(namespace: str, kubectl: Kubectl) -> Iterator[str]:
    name = f"{namespace}.example.com"
    yield name
    for plural in ("widgets", "gadgets"):
        kubectl("delete", "crd", f"{plural}.{name}", "--ignore-not-found", "--wait=false")


async def test_a_kind_whose_names_are_taken(
    bare: Bare, once: Once, kubectl: Kubectl, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """R17: `NamesAccepted` is waited for as well as `Established`, for a bounded time; then nothing that comes later is
    applied, and nothing is pruned."""
    assert apply._ESTABLISHED == 30.0
    monkeypatch.setattr(apply, "_ESTABLISHED", 1.0)
    bare.commit({"crd.json": json.dumps(definition(group)), "a.json": config(v="1"), "b.json": config("b", v="1")})
    assert (await once()).errors == ()
    taken: dict[str, Any] = definition(group)
    taken["metadata"]["name"] = f"gadgets.{group}"
    taken["spec"]["names"] = {**taken["spec"]["names"], "plural": "gadgets", "singular": "gadget"}
    bare.commit({"second.json": json.dumps(taken), "a.json": config(v="2"), "b.json": None})
    (error,) = (await once()).errors
    assert f"gadgets.{group} did not become usable within 1 s: Degraded" in error
    assert values(kubectl) == {"a": {"v": "1"}, "b": {"v": "1"}}


async def test_a_new_version_of_a_kind_and_its_object(bare: Bare, once: Once, kubectl: Kubectl, group: str) -> None:
    """R17: discovery is asked anew once the definition is there, so a later stage of the same pass knows the kind."""
    bare.commit({"crd.json": json.dumps(definition(group)), "w.json": widget(group, size=1)})
    assert (await once()).errors == ()
    wider: dict[str, Any] = definition(group)
    second = {**wider["spec"]["versions"][0], "name": "v2", "storage": False}
    wider["spec"]["versions"].append(second)
    newer = json.loads(widget(group, size=2)) | {"apiVersion": f"{group}/v2"}
    bare.commit({"crd.json": json.dumps(wider), "w.json": json.dumps(newer)})
    assert (await once()).errors == ()
    assert kubectl.json("get", f"widgets.v2.{group}", "w")["spec"] == {"size": 2}
    assert not (await once()).changed


@pytest.fixture
def webhook(namespace: str, kubectl: Kubectl) -> Iterator[dict[str, Any]]:
    """Admission of this namespace's ServiceAccounts by somebody who is not there."""
    name = f"{namespace}.example.com"
    yield {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": name},
        "webhooks": [
            {
                "name": name,
                "clientConfig": {"service": {"name": "absent", "namespace": namespace}},
                "rules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["*"], "resources": ["serviceaccounts"]}
                ],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "failurePolicy": "Fail",
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                "timeoutSeconds": 1,
            }
        ],
    }
    kubectl("delete", "validatingwebhookconfiguration", name, "--ignore-not-found")


async def test_admission_goes_last(bare: Bare, once: Once, kubectl: Kubectl, webhook: dict[str, Any]) -> None:
    """R17: a webhook whose server is part of the same commit must not judge the rest of it before that runs."""
    account = json.dumps({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "a"}})
    bare.commit({"0-webhook.json": json.dumps(webhook), "a.json": account})
    report = await once()
    kinds = [item.manifest.ref.kind for item in report.applied]
    assert (report.errors, kinds) == ((), ["ServiceAccount", "ValidatingWebhookConfiguration"])
