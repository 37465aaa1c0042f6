"""The command line of each part of the control plane, and what each flag is there for.

etcd listens on Unix sockets in the plane's folder (`unix://localhost:1` is the socket file `localhost:1` in the working
folder), so it needs no ports, is out of other users' reach and works the same inside a network namespace.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ETCD_CLIENTS, ETCD_PEERS = "unix://localhost:1", "unix://localhost:2"
SERVICE_CIDR = "10.96.0.0/16"
STAGES = Path(__file__).parent / "stages"

#: A lease that kwok keeps alive; without it a node turns NotReady after 40 s and takes its pods with it.
NODE_LEASE_SECONDS = 40


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where a plane's parts find each other.

    `bind` and `advertise` are addresses; `kubeconfigs` and `pki` are folders; `pod_cidr` is what kwok gives pods.
    """

    directory: Path
    bind: str
    advertise: str
    port: int
    network: bool
    pod_cidr: str = "10.244.128.0/17"

    @property
    def pki(self) -> Path:
        """Certificates and keys."""
        return self.directory / "pki"

    def kubeconfig(self, name: str) -> str:
        """The kubeconfig that a part of the plane uses."""
        return str(self.directory / f"{name}.kubeconfig")


def etcd(layout: Layout) -> list[str]:
    """No fsync: what is stored need not survive the machine."""
    return [
        f"--data-dir={layout.directory / 'etcd'}",
        f"--listen-client-urls={ETCD_CLIENTS}", f"--advertise-client-urls={ETCD_CLIENTS}",
        f"--listen-peer-urls={ETCD_PEERS}", f"--initial-advertise-peer-urls={ETCD_PEERS}",
        f"--initial-cluster=default={ETCD_PEERS}",
        "--unsafe-no-fsync", "--log-level=warn",
    ]  # fmt: skip


def kube_apiserver(layout: Layout) -> list[str]:
    """Port sharing lets the plane hold the port bound (not listening) from before the start and across restarts."""
    pki = layout.pki
    return [
        f"--etcd-servers={ETCD_CLIENTS}",
        f"--bind-address={layout.bind}", f"--advertise-address={layout.advertise}", f"--secure-port={layout.port}",
        "--permit-port-sharing",
        # an address on loopback may not stand in the Endpoints of the service "kubernetes", so don't try
        *([] if layout.network else ["--endpoint-reconciler-type=none"]),
        f"--service-cluster-ip-range={SERVICE_CIDR}",
        "--authorization-mode=Node,RBAC", "--allow-privileged",
        f"--client-ca-file={pki / 'ca.crt'}",
        f"--tls-cert-file={pki / 'server.crt'}", f"--tls-private-key-file={pki / 'server.key'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={pki / 'service-accounts.pub'}",
        f"--service-account-signing-key-file={pki / 'service-accounts.key'}",
    ]  # fmt: skip


def kube_controller_manager(layout: Layout) -> list[str]:
    """Request rates of a small real cluster would be the bottleneck of every test; no serving port is needed."""
    pki = layout.pki
    return [
        f"--kubeconfig={layout.kubeconfig('kube-controller-manager')}",
        "--leader-elect=false", "--secure-port=0", "--use-service-account-credentials",
        f"--root-ca-file={pki / 'ca.crt'}",
        f"--service-account-private-key-file={pki / 'service-accounts.key'}",
        f"--cluster-signing-cert-file={pki / 'ca.crt'}", f"--cluster-signing-key-file={pki / 'ca.key'}",
        "--kube-api-qps=500", "--kube-api-burst=1000",
    ]  # fmt: skip


def kube_scheduler(layout: Layout) -> list[str]:
    """As for the controller manager."""
    return [
        f"--kubeconfig={layout.kubeconfig('kube-scheduler')}",
        "--leader-elect=false", "--secure-port=0", "--kube-api-qps=500", "--kube-api-burst=1000",
    ]  # fmt: skip


def kwok(layout: Layout) -> list[str]:
    """Simulates the nodes that carry kwok's annotation, by the stages in `stages/`."""
    return [
        f"--kubeconfig={layout.kubeconfig('kwok')}",
        f"--config={STAGES / 'node.yaml'}", f"--config={STAGES / 'pod.yaml'}",
        "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
        f"--node-lease-duration-seconds={NODE_LEASE_SECONDS}", f"--cidr={layout.pod_cidr}",
    ]  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Component:
    """A part of the plane: its flags, and its rank (higher ones are stopped first)."""

    flags: Callable[[Layout], list[str]]
    rank: int


#: The API server goes before etcd: one whose etcd is gone hangs for a minute on SIGTERM.
COMPONENTS = {
    "etcd": Component(flags=etcd, rank=0),
    "kube-apiserver": Component(flags=kube_apiserver, rank=1),
    "kube-controller-manager": Component(flags=kube_controller_manager, rank=2),
    "kube-scheduler": Component(flags=kube_scheduler, rank=2),
    "kwok": Component(flags=kwok, rank=2),
}

#: For what is started beside the plane: Prometheus, Traefik, the process node.
GUEST_RANK = 3
