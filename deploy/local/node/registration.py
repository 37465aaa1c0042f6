"""The node as an object: registered once, and its Lease renewed, or the node controller would evict its pods."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime

from deploy.local.node.client import MERGE, STRATEGIC, UNREACHABLE, ApiError, Client, Object
from deploy.local.node.events import timestamp
from deploy.local.node.settings import Settings

LEASE_SECONDS = 40
RENEW_SECONDS = 10.0
#: Rounds of registration that may be refused: rights of a new plane take a moment to be there.
ATTEMPTS, ATTEMPT_SECONDS = 20, 0.5

CONDITIONS = (
    ("Ready", "True", "KubeletReady", "the process node takes pods"),
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "not watched"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "not watched"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "not watched"),
)


async def register(client: Client, settings: Settings, *, port: int) -> None:
    """Create the Node if it isn't there, and say that it is ready; `port` is of the log server."""
    node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": settings.name, "labels": _labels(settings)}}
    for remaining in reversed(range(ATTEMPTS)):
        try:
            await _create("/api/v1/nodes", node, client=client)
            status = {"status": node_status(settings, port=port, now=timestamp())}
            await client.request("PATCH", f"/api/v1/nodes/{settings.name}/status", status, content_type=STRATEGIC)
        except (ApiError, *UNREACHABLE):
            if not remaining:
                raise
            await asyncio.sleep(ATTEMPT_SECONDS)
        else:
            return


def node_status(settings: Settings, *, port: int, now: str) -> Object:
    """Room for any pod that a demo could want: requests are promises, and nobody checks them here."""
    room = {"cpu": "1000", "memory": "1Ti", "pods": "1000", "ephemeral-storage": "1Ti"}
    machine = os.uname()
    return {
        "capacity": room, "allocatable": room,
        # no Hostname: the API server would prefer it, and no DNS knows it
        "addresses": [{"type": "InternalIP", "address": settings.address}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": port}},
        "nodeInfo": {
            "architecture": machine.machine, "operatingSystem": "linux", "kernelVersion": machine.release,
            "osImage": "local processes", "containerRuntimeVersion": "process://1", "kubeletVersion": "process-node",
            "kubeProxyVersion": "", "bootID": "", "machineID": "", "systemUUID": "",
        },
        "conditions": [
            {"type": kind, "status": status, "reason": reason, "message": message, "lastHeartbeatTime": now,
             "lastTransitionTime": now}
            for kind, status, reason, message in CONDITIONS
        ],
    }  # fmt: skip


async def keep_alive(client: Client, settings: Settings) -> None:
    """Renew the Lease without end; a renewal that fails is made up for by the next."""
    path = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
    while True:
        try:
            await _renew(path, client=client, name=settings.name)
        except (ApiError, *UNREACHABLE):
            await asyncio.sleep(ATTEMPT_SECONDS)
        else:
            await asyncio.sleep(RENEW_SECONDS)


async def _renew(path: str, *, client: Client, name: str) -> None:
    spec = {"holderIdentity": name, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": _micro_time()}
    lease = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name}, "spec": spec}
    try:
        await client.request("PATCH", f"{path}/{name}", {"spec": spec}, content_type=MERGE)
    except ApiError as error:
        if error.status != 404:
            raise
        await _create(path, lease, client=client)


async def _create(path: str, obj: Object, *, client: Client) -> None:
    try:
        await client.request("POST", path, obj)
    except ApiError as error:
        if error.status != 409:
            raise


def _labels(settings: Settings) -> dict[str, str]:
    standard = {"kubernetes.io/hostname": settings.name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    return {**standard, "type": "process", **settings.labels}


def _micro_time() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
