"""The node itself: follows the pods bound to it and gives each a worker.

A pod is known by its uid: one of the same name that was deleted and made anew is another pod. The node ends, and with
it everything it runs, when it is told to or when the API server has been gone for too long.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path

import aiohttp

from deploy.local.node.addresses import Addresses
from deploy.local.node.client import Client, Object
from deploy.local.node.context import pod_directory
from deploy.local.node.events import Recorder
from deploy.local.node.processes import sweep
from deploy.local.node.registration import keep_alive, register
from deploy.local.node.server import serve_logs
from deploy.local.node.settings import Settings
from deploy.local.node.worker import PodWorker

LOG = logging.getLogger("node")
#: Between SIGTERM and SIGKILL for the pods of a node that ends; its own parent gives it 5 s.
GOODBYE_SECONDS = 2.0
LOOK_SECONDS = 0.5


async def run_node(settings: Settings) -> int:
    """Run a node until the task is cancelled (returns 0) or the API server is gone for too long (returns 1)."""
    async with contextlib.AsyncExitStack() as stack:
        client = await stack.enter_async_context(Client.open(settings.kubeconfig))
        # probes must not share connections: a kubelet opens a new one for each
        connector = aiohttp.TCPConnector(force_close=True, limit=0)
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        agent = Agent(settings=settings, client=client, http=http)
        return await agent.run()


class Agent:
    """The pods of one node."""

    def __init__(self, *, settings: Settings, client: Client, http: aiohttp.ClientSession) -> None:
        self._settings = settings
        self._client = client
        self._http = http
        self._recorder = Recorder(client=client, node=settings.name)
        self._addresses = Addresses(network=settings.pod_cidr)
        self._workers: dict[str, PodWorker] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> int:
        """Until the task is cancelled, or the API server is gone for too long; nothing that it started is left."""
        if lost := sweep(self._settings.directory):
            LOG.warning("killed %d processes that an earlier node had left", len(lost))
        serving = serve_logs(address=self._settings.address, find=self._find_logs, is_live=self._is_live)
        async with serving as port:
            await register(self._client, self._settings, port=port)
            LOG.info("node %s is registered", self._settings.name)
            services = [self._follow(), self._recorder.run(), keep_alive(self._client, self._settings)]
            tasks = [asyncio.create_task(service) for service in services]
            try:
                return await self._watch_over(tasks)
            except asyncio.CancelledError:
                return 0
            finally:
                await self._say_goodbye(tasks)

    async def _watch_over(self, tasks: list[asyncio.Task[None]]) -> int:
        while self._client.silence < self._settings.api_timeout:
            done, _ = await asyncio.wait(tasks, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                await task  # they never end but by an error
        LOG.error("the API server has not answered for %g s: ending", self._client.silence)
        return 1

    async def _follow(self) -> None:
        params = {"fieldSelector": f"spec.nodeName={self._settings.name}"}
        async for kind, obj in self._client.follow("/api/v1/pods", params=params):
            if kind == "LISTED":
                self._compare(obj.get("items") or [])
            elif kind == "DELETED":
                self._vanished(obj["metadata"]["uid"])
            else:
                self._seen(obj)

    def _compare(self, pods: list[Object]) -> None:
        for uid in self._workers.keys() - {pod["metadata"]["uid"] for pod in pods}:
            self._vanished(uid)
        # first those that have an address, or a newcomer could be given it
        for pod in sorted(pods, key=lambda pod: not pod.get("status", {}).get("podIP")):
            self._seen(pod)

    def _seen(self, pod: Object) -> None:
        worker = self._workers.get(pod["metadata"]["uid"])
        worker.update(pod) if worker else self._begin(pod)

    def _vanished(self, uid: str) -> None:
        if worker := self._workers.get(uid):
            worker.vanish()

    def _begin(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        worker = PodWorker(
            pod=pod, address=self._addresses.take(wanted=pod.get("status", {}).get("podIP", "")),
            settings=self._settings, client=self._client, recorder=self._recorder, http=self._http,
        )  # fmt: skip
        self._workers[uid] = worker
        self._tasks[uid] = asyncio.create_task(worker.run())
        self._tasks[uid].add_done_callback(lambda task: self._ended(uid, task))

    def _ended(self, uid: str, task: asyncio.Task[None]) -> None:
        self._addresses.give_back(self._workers.pop(uid).address)
        del self._tasks[uid]
        if not task.cancelled() and (error := task.exception()):
            LOG.error("the worker of pod %s failed", uid, exc_info=error)

    async def _say_goodbye(self, tasks: list[asyncio.Task[None]]) -> None:
        """The pods stay in the API: their processes are started anew by the next node of this name."""
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        workers, lives = list(self._workers.values()), list(self._tasks.values())
        for worker in workers:
            worker.hush()
        if lives:
            await asyncio.wait(lives, timeout=GOODBYE_SECONDS)
        for task in lives:
            task.cancel()
        await asyncio.gather(*lives, return_exceptions=True)
        sweep(self._settings.directory)

    def _find_logs(self, namespace: str, pod: str, container: str) -> list[Path]:
        worker = self._worker_of(namespace, pod)
        if not worker:
            return []
        logs = (pod_directory(self._settings, worker.pod) / container).glob("*.log")
        return sorted(logs, key=lambda log: int(log.stem), reverse=True)

    def _is_live(self, namespace: str, pod: str, container: str) -> bool:
        worker = self._worker_of(namespace, pod)
        return worker is not None and worker.runs(container)

    def _worker_of(self, namespace: str, name: str) -> PodWorker | None:
        wanted = (namespace, name)
        found = (
            w for w in self._workers.values() if (w.pod["metadata"]["namespace"], w.pod["metadata"]["name"]) == wanted
        )
        return next(found, None)
