"""The life of one pod on the node, from the moment it is bound to the moment it is gone.

Three things go on at once: `_live` runs the containers, `_publish` tells the API server whenever a status changed,
and `run` waits for the pod's end: a deletion with grace, or its sudden disappearance.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import shutil
from collections.abc import Sequence

import aiohttp

from deploy.local.node.client import STRATEGIC, Client, Object
from deploy.local.node.container import Container
from deploy.local.node.context import PodContext
from deploy.local.node.events import Recorder, timestamp
from deploy.local.node.settings import Settings
from deploy.local.node.status import FINISHED, pod_status

LOG = logging.getLogger("node")

#: For a pod that vanished without being deleted with grace.
VANISHED_GRACE_SECONDS = 1.0
#: For the pods of a node that ends.
HUSH_SECONDS = 1.5


class PodWorker:
    """One pod. `update` and `vanish` are called as the API server's view of it changes."""

    def __init__(
        self, *, pod: Object, address: str, settings: Settings, client: Client, recorder: Recorder,
        http: aiohttp.ClientSession,
    ) -> None:  # fmt: skip
        self.pod = pod
        self.address = address
        self._client = client
        self._changed = asyncio.Event()
        self._doomed = asyncio.Event()
        self._vanished = False
        self._staying = False
        self._killer: asyncio.TimerHandle | None = None
        self._context = PodContext(
            pod=pod, address=address, settings=settings, client=client, recorder=recorder, http=http,
            changed=self._changed.set,
        )  # fmt: skip
        self._make_containers(pod["spec"], pod.get("status", {}))
        self._started_at = pod.get("status", {}).get("startTime") or timestamp()
        self._initialized = False
        self._over = False

    @property
    def path(self) -> str:
        """Where the pod is in the API."""
        meta = self.pod["metadata"]
        return f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"

    def update(self, pod: Object) -> None:
        """The pod as it is now: its gates may be met, it may be on its way out."""
        self.pod = pod
        self._changed.set()
        if "deletionTimestamp" in pod["metadata"]:
            self._doom(grace=float(pod["metadata"].get("deletionGracePeriodSeconds", 0)))

    def vanish(self) -> None:
        """The pod is no longer in the API."""
        self._vanished = True
        self._doom(grace=VANISHED_GRACE_SECONDS)

    def hush(self) -> None:
        """End the processes soon and tell the API server nothing of it: the node goes, the pod stays."""
        self._staying = True
        self._doom(grace=HUSH_SECONDS)

    def runs(self, container: str) -> bool:
        """Whether a container may still write to its log."""
        return any(c.name == container and c.exit_code is None for c in self._all)

    def kill(self) -> None:
        """End all processes now; none is started again."""
        for container in self._all:
            container.kill()

    async def run(self) -> None:
        """Until the pod is gone from here and from the API."""
        self._context.directory.mkdir(parents=True, exist_ok=True)
        self.update(self.pod)
        publisher, life = asyncio.create_task(self._publish()), asyncio.create_task(self._live())
        for task in (publisher, life):
            task.add_done_callback(_complain)
        try:
            await self._doomed.wait()
            if self._staying:
                publisher.cancel()
            await self._stop()
            await life
        finally:
            self.kill()
            await _cancel(publisher, life)
        if not self._staying:
            await self._leave()

    def _make_containers(self, spec: Object, status: Object) -> None:
        """Init containers with restartPolicy Always are sidecars; others must succeed."""
        policy = spec.get("restartPolicy", "Always")
        before = {s["name"]: s for key in ("initContainerStatuses", "containerStatuses") for s in status.get(key, [])}

        def make(container: Object, *, policy: str) -> Container:
            name = container["name"]
            return Container(spec=container, context=self._context, policy=policy, before=before.get(name))

        once = "Never" if policy == "Never" else "OnFailure"
        inits = spec.get("initContainers", [])
        self._inits = [make(container, policy=container.get("restartPolicy", once)) for container in inits]
        self._sidecars = {c["name"] for c in inits if c.get("restartPolicy") == "Always"}
        self._containers = [make(container, policy=policy) for container in spec["containers"]]
        self._all = [*self._containers, *reversed(self._inits)]

    async def _live(self) -> None:
        """Init containers one after the other, then all others; sidecars stay as long as those."""
        if self.pod.get("status", {}).get("phase") in FINISHED:
            self._initialized = self._over = True
            return
        self._warn_of_volumes()
        sidecars: list[asyncio.Task[None]] = []
        try:
            self._initialized = await self._initialize(sidecars)
            self._changed.set()
            if self._initialized:
                await asyncio.gather(*(container.run() for container in self._containers))
        finally:
            await self._stop_sidecars(sidecars)
        self._over = True
        self._changed.set()

    async def _initialize(self, sidecars: list[asyncio.Task[None]]) -> bool:
        """Whether the containers may be started now."""
        for container in self._inits:
            if container.name in self._sidecars:
                sidecars.append(asyncio.create_task(container.run()))
                await container.wait_started()
            else:
                await container.run()
                if container.exit_code != 0:
                    return False
        return not self._doomed.is_set()

    async def _stop_sidecars(self, sidecars: Sequence[asyncio.Task[None]]) -> None:
        for container in reversed([c for c in self._inits if c.name in self._sidecars]):
            await container.stop()
        await asyncio.gather(*sidecars)

    def _warn_of_volumes(self) -> None:
        mounts = {m["name"] for c in self.pod["spec"]["containers"] for m in c.get("volumeMounts", [])}
        if ignored := sorted(name for name in mounts if not name.startswith("kube-api-access-")):
            message = f"the process node mounts no volumes: {', '.join(ignored)} will not be there"
            self._context.tell("VolumesNotMounted", message)

    def _doom(self, *, grace: float) -> None:
        """Called again with less grace, it is the shorter one that counts."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + grace
        if self._killer is None or deadline < self._killer.when():
            if self._killer:
                self._killer.cancel()
            self._killer = loop.call_at(deadline, self.kill)
        self._doomed.set()

    async def _stop(self) -> None:
        """Sidecars are stopped by `_live`, after the others."""
        for container in self._containers:
            self._context.tell("Killing", f"Stopping container {container.name}")
        plain = [container for container in self._all if container.name not in self._sidecars]
        await asyncio.gather(*(container.stop() for container in plain))

    async def _publish(self) -> None:
        """Send the status whenever it is another than the last one sent."""
        sent: Object = {}
        while True:
            await self._changed.wait()
            self._changed.clear()
            status = self._status()
            if _lasting(status) != sent:
                await self._send(status)
                sent = _lasting(status)

    async def _send(self, status: Object) -> None:
        meta = self.pod["metadata"]
        patch = {"metadata": {"uid": meta["uid"]}, "status": status}
        await self._client.persist("PATCH", f"{self.path}/status", patch, content_type=STRATEGIC)

    def _status(self) -> Object:
        return pod_status(
            pod=self.pod, address=self.address, host=self._context.settings.address, started_at=self._started_at,
            containers=[container.status() for container in self._containers],
            inits=[container.status() for container in self._inits],
            initialized=self._initialized, over=self._over, now=timestamp(),
        )  # fmt: skip

    async def _leave(self) -> None:
        """Tell how it ended and let go of the pod, which removes it from the API."""
        if self._killer:
            self._killer.cancel()
        if not self._vanished:
            await self._send(self._status())
            options = {"gracePeriodSeconds": 0, "preconditions": {"uid": self.pod["metadata"]["uid"]}}
            await self._client.persist("DELETE", self.path, {"apiVersion": "v1", "kind": "DeleteOptions", **options})
        self._context.recorder.forget(self.pod)
        shutil.rmtree(self._context.directory, ignore_errors=True)


def _lasting(status: Object) -> Object:
    """Without the times that would make every status another."""
    conditions = [{**condition, "lastTransitionTime": None} for condition in status["conditions"]]
    return {**status, "conditions": conditions}


def _complain(task: asyncio.Task[None]) -> None:
    """At once, since nobody waits for the task until the pod ends."""
    if not task.cancelled() and (error := task.exception()):
        LOG.error("a pod's task failed", exc_info=error)


async def _cancel(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)
