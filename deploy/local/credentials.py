"""Who may talk to a plane: its certificates and the kubeconfigs made of them."""

from __future__ import annotations

from pathlib import Path

from deploy.local.certs import CLIENTS, SERVER, Authority, Subject
from deploy.local.client import ApiClient
from deploy.local.components import Layout
from deploy.local.kubeconfig import write_kubeconfig


class Credentials:
    """Everything that is signed for one plane; `inside` and `outside` are the API server's URL as seen from there."""

    def __init__(self, *, layout: Layout, inside: str, outside: str) -> None:
        self._layout = layout
        self._inside = inside
        self._outside = outside
        self._authority = Authority(directory=layout.pki)
        self._authority.issue("server", SERVER)
        self._authority.issue_key_pair("service-accounts")
        for name, subject in CLIENTS.items():
            self._kubeconfig(name, subject, server=inside)

    def client(self) -> ApiClient:
        """The admin, from outside."""
        pki = self._layout.pki
        return ApiClient(
            server=self._outside, ca=self._authority.bundle, certificate=pki / "admin.crt", key=pki / "admin.key"
        )

    def write(self, name: str, *, user: str, groups: tuple[str, ...] = (), inside: bool = False) -> Path:
        """A kubeconfig for a user and groups, who may do what RBAC lets them; returns its path."""
        return self._kubeconfig(
            name, Subject(user=user, groups=groups), server=self._inside if inside else self._outside
        )

    def _kubeconfig(self, name: str, subject: Subject, *, server: str) -> Path:
        certificate, key = self._authority.issue(name, subject)
        path = Path(self._layout.kubeconfig(name))
        return write_kubeconfig(path, server=server, ca=self._authority.bundle, certificate=certificate, key=key)
