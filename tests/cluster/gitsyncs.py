"""A GitSync under test: a real Git server, an account with few rights, and questions to the status."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rollouts.api import kinds
from rollouts.engine.errors import ConflictError
from rollouts.gitops.gitsync.controller import GitSyncs
from tests.cluster.controllers import OwnController
from tests.cluster.harness import Kubectl
from tests.cluster.space import Space
from tests.gitops.bare import Bare
from tests.gitops.server import GitServer

RESOURCES = ("configmaps", "secrets", "services", "serviceaccounts")
ACCOUNT = "deployer"
AUTOMATED = {"prune": True, "selfHeal": True}
SHOWN = ("sync", "plan", "operationState", "hold", "conditions")


def config(name: str, value: str = "1") -> str:
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{value: '{value}'}}\n"


def account(*, verbs: tuple[str, ...] = ("*",), name: str = ACCOUNT) -> tuple[dict[str, Any], ...]:
    """A ServiceAccount that may do this with a few kinds of its namespace, and nothing else."""
    rules = [
        {"apiGroups": [""], "resources": list(RESOURCES), "verbs": list(verbs)},
        {"apiGroups": ["argoproj.io"], "resources": ["*"], "verbs": list(verbs)},
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": list(verbs)},
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": list(verbs)},
    ]
    rbac = "rbac.authorization.k8s.io"
    return (
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}},
        {"apiVersion": f"{rbac}/v1", "kind": "Role", "metadata": {"name": name}, "rules": rules},
        {
            "apiVersion": f"{rbac}/v1",
            "kind": "RoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": rbac, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": name}],
        },
    )


@dataclass(kw_only=True)
class Synced:
    """One GitSync `shop` in a namespace, and all around it."""

    bare: Bare
    server: GitServer
    space: Space
    kubectl: Kubectl
    eventually: Callable[..., Any]
    name: str = "shop"
    labels: dict[str, str] = field(default_factory=dict)

    def open(self) -> None:
        """The ServiceAccount, and the Secret that opens the repository."""
        self.kubectl.apply(*account())
        data = {"username": b"git", "password": self.server.password.encode(), "ca.crt": self.server.ca.read_bytes()}
        self.space.create(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "repository"},
                "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
            }
        )

    def create(self, *, automated: dict[str, Any] | None = None, **spec: Any) -> None:
        """Create the GitSync; `automated` None: nothing by itself."""
        body = {
            "apiVersion": kinds.GIT_SYNC.api_version,
            "kind": "GitSync",
            "metadata": {"name": self.name, "labels": self.labels},
            "spec": {
                "source": {
                    "repoURL": self.server.url(),
                    "targetRevision": "main",
                    "secretRef": {"name": "repository"},
                },
                "serviceAccountName": ACCOUNT,
                "interval": "1h",
                **({} if automated is None else {"syncPolicy": {"automated": automated}}),
                **spec,
            },
        }
        self.space.create(body)

    def get(self) -> dict[str, Any]:
        return self.space.get(kinds.GIT_SYNC, self.name)

    @property
    def status(self) -> dict[str, Any]:
        return self.get().get("status") or {}

    def patch(self, body: dict[str, Any]) -> None:
        """A merge patch, tried again when somebody was faster."""
        while True:
            try:
                self.space.patch(kinds.GIT_SYNC, self.name, body)
                return
            except ConflictError:
                continue

    def ask(self, stamp: str) -> None:
        """Ask for a pass, and wait until it was heard."""
        self.patch({"metadata": {"annotations": {"gitops.rollouts.dev/requestedAt": stamp}}})
        self.until("it was heard", lambda: self.status.get("lastHandledReconcileAt") == stamp)

    def sync(self, **operation: Any) -> dict[str, Any]:
        """Command a sync and wait until it has ended; the operation's state."""
        before = (self.status.get("operationState") or {}).get("startedAt"), self.status.get("operationState")
        self.patch({"operation": {"sync": operation, "initiatedBy": {"username": "ann"}}})

        def ended() -> dict[str, Any] | None:
            found = self.get()
            state: dict[str, Any] = (found.get("status") or {}).get("operationState") or {}
            over = state.get("phase") not in (None, "Running") and "operation" not in found
            return state if over and state != before[1] else None

        state: dict[str, Any] = self.until("the sync has ended", ended)
        return state

    def until(self, what: str, probe: Callable[[], Any], seconds: float = 40.0) -> Any:
        def look() -> Any:
            found = probe()
            assert found, {
                key: self.status.get(key) for key in ("sync", "plan", "operationState", "hold", "conditions")
            }
            return found

        return self.eventually(what, look, seconds=seconds)

    def until_synced(self, commit: str) -> None:
        """Until this commit is applied and stored as such."""
        self.until(f"{commit[:8]} is applied", lambda: self.state() == ("Synced", commit))

    def state(self) -> tuple[str | None, str | None]:
        sync = self.status.get("sync") or {}
        return sync.get("status"), sync.get("revision")

    def condition(self, kind: str) -> dict[str, Any]:
        rows = self.status.get("conditions") or ()
        return next((row for row in rows if row["type"] == kind), {})

    def values(self) -> dict[str, str]:
        """The ConfigMaps there are, by name, with their value."""
        found = self.kubectl.json("get", "configmaps")["items"]
        return {row["metadata"]["name"]: row["data"]["value"] for row in found if "value" in (row.get("data") or {})}


def everywhere(syncing: Synced) -> None:
    """The account may do anything in the cluster."""
    space = syncing.space.namespace
    words = ("--clusterrole=cluster-admin", f"--serviceaccount={space}:{ACCOUNT}")
    syncing.kubectl("create", "clusterrolebinding", f"all-{space}", *words)


@pytest.fixture
def git_server(tmp_path: Path) -> Iterator[GitServer]:
    started = GitServer(tmp_path, password="opens-it")
    yield started
    started.close()


@pytest.fixture
def opened(
    git_server: GitServer, tmp_path: Path, space: Space, kubectl: Kubectl, eventually: Callable[..., Any]
) -> Synced:
    """A namespace, a repository and an account; no controller yet."""
    made = Synced(bare=Bare(tmp_path), server=git_server, space=space, kubectl=kubectl, eventually=eventually)
    made.open()
    return made


@pytest.fixture
def syncer(
    tmp_path: Path, own_controller: Callable[..., OwnController], request: pytest.FixtureRequest
) -> Callable[..., OwnController]:
    """Starts a controller that looks after GitSyncs, with empty stores and no memory: the first one, and what follows
    a restart. A test that has a registry `host` has it trusted."""
    insecure = [str(request.getfixturevalue("host"))] if "host" in request.fixturenames else []

    def start(**options: Any) -> OwnController:
        stores = Path(tempfile.mkdtemp(prefix="stores-", dir=tmp_path))
        return own_controller(additions=(GitSyncs(directory=stores, insecure_registries=insecure),), **options)

    return start


@pytest.fixture
def syncing(opened: Synced, syncer: Callable[..., OwnController]) -> Synced:
    """A namespace, a repository and an account, and a controller that looks after GitSyncs."""
    syncer()
    return opened
