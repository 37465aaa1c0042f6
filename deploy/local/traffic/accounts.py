"""Service accounts for what runs beside the cluster but reads from it, with the rights they need and no more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy.local.plane import Plane

NAMESPACE = "traffic"
READ = ("get", "list", "watch")
TOKEN_DURATION = "24h"

Rule = dict[str, Any]


def rule(group: str, *resources: str, verbs: Sequence[str] = READ) -> Rule:
    """One rule of a ClusterRole."""
    return {"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}


def ensure_account(plane: Plane, name: str, *, rules: Sequence[Rule]) -> Path:
    """Make the account in the namespace `traffic`, bind the rules to it everywhere; returns a file with its token."""
    for path, obj in _objects(name, rules=rules):
        plane.client.apply(path, obj)
    token = plane.directory / f"{name}.token"
    token.touch(mode=0o600)
    token.write_text(plane.kubectl("create", "token", name, f"--namespace={NAMESPACE}", f"--duration={TOKEN_DURATION}"))
    return token


def _objects(name: str, *, rules: Sequence[Rule]) -> list[tuple[str, dict[str, Any]]]:
    rbac, full = "rbac.authorization.k8s.io", f"local:{name}"
    subject = {"kind": "ServiceAccount", "name": name, "namespace": NAMESPACE}
    role_ref = {"apiGroup": rbac, "kind": "ClusterRole", "name": full}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": NAMESPACE}}
    binding = {"kind": "ClusterRoleBinding", "subjects": [subject], "roleRef": role_ref}
    return [
        (f"/api/v1/namespaces/{NAMESPACE}", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}),
        (f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{name}", account),
        *(
            (f"/apis/{rbac}/v1/{kind}/{full}", {"apiVersion": f"{rbac}/v1", "metadata": {"name": full}, **obj})
            for kind, obj in (
                ("clusterroles", {"kind": "ClusterRole", "rules": list(rules)}),
                ("clusterrolebindings", binding),
            )
        ),
    ]
