"""Events on pods, as `kubectl describe pod` shows them; each text once per pod, posted in the background."""

from __future__ import annotations

import asyncio
import uuid
from datetime import UTC, datetime

from deploy.local.node.client import Client, Object

WARNINGS = {"BackOff", "Failed", "FailedPostStartHook", "FailedPreStopHook", "Unhealthy", "VolumesNotMounted"}
WAITING = 1000


def timestamp(moment: datetime | None = None) -> str:
    """A time (default: now) as the API writes it, in whole seconds."""
    return (moment or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Recorder:
    """Takes events at once and posts them when it can; beyond WAITING of them it drops new ones."""

    def __init__(self, *, client: Client, node: str) -> None:
        self._client = client
        self._node = node
        self._queue: asyncio.Queue[Object] = asyncio.Queue(WAITING)
        self._told: dict[str, set[tuple[str, str]]] = {}

    def tell(self, pod: Object, reason: str, message: str) -> None:
        """An event about a pod, unless it was told before."""
        told = self._told.setdefault(pod["metadata"]["uid"], set())
        if (reason, message) not in told and not self._queue.full():
            told.add((reason, message))
            self._queue.put_nowait(self._event(pod, reason, message))

    def forget(self, pod: Object) -> None:
        """The pod is gone."""
        self._told.pop(pod["metadata"]["uid"], None)

    async def run(self) -> None:
        """Post without end."""
        while True:
            event = await self._queue.get()
            await self._client.persist("POST", f"/api/v1/namespaces/{event['metadata']['namespace']}/events", event)

    def _event(self, pod: Object, reason: str, message: str) -> Object:
        meta, now = pod["metadata"], timestamp()
        return {
            "apiVersion": "v1", "kind": "Event",
            "metadata": {"name": f"{meta['name']}.{uuid.uuid4().hex[:16]}", "namespace": meta["namespace"]},
            "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": meta["namespace"],
                               "name": meta["name"], "uid": meta["uid"]},
            "reason": reason, "message": message, "type": "Warning" if reason in WARNINGS else "Normal",
            "source": {"component": "process-node", "host": self._node}, "reportingComponent": "process-node",
            "count": 1, "firstTimestamp": now, "lastTimestamp": now,
        }  # fmt: skip
