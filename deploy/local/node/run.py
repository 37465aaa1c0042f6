"""One process of a container, from its start to its end, and the care it gets: hooks and probes.

postStart ─► startup probe ─► started ─► readiness and liveness probes … the process ends
end():  preStop ─► SIGTERM
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable

from deploy.local.node.client import Object
from deploy.local.node.context import PodContext
from deploy.local.node.handlers import HandlerError, Target, handle
from deploy.local.node.probes import Probe, probing
from deploy.local.node.processes import Process, exit_code, signal_group

LOG = logging.getLogger("node")


class Run:
    """A process that runs; `started` and `ready` are as in a container's status, `begun` is set once it started."""

    def __init__(
        self, *, process: Process, spec: Object, target: Target, context: PodContext, begun: asyncio.Event
    ) -> None:
        self.started = False
        self.ready = False
        self._process = process
        self._spec = spec
        self._name: str = spec["name"]
        self._target = target
        self._context = context
        self._begun = begun
        self._ending = False

    async def wait(self) -> int:
        """Care for it until it ends; returns its exit code. What it forked goes with it."""
        care = asyncio.create_task(self._care())
        try:
            await self._process.wait()
        finally:
            signal_group(self._process, signal.SIGKILL)
            care.cancel()
            [result] = await asyncio.gather(care, return_exceptions=True)
            self.started = self.ready = False
        if isinstance(result, Exception):
            LOG.error("container %s was not cared for: %r", self._name, result)
        return exit_code(self._process)

    async def end(self) -> None:
        """Call the preStop hook, then ask it to end; returns once it was asked."""
        if not self._ending:
            self._ending = True
            await self._pre_stop()
            signal_group(self._process, signal.SIGTERM)

    def kill(self) -> None:
        """End it now."""
        signal_group(self._process, signal.SIGKILL)

    async def _care(self) -> None:
        if not await self._post_start():
            return
        if "startupProbe" in self._spec:
            await self._startup(Probe.parse(self._spec["startupProbe"]))
        self.started = True
        self._begun.set()
        self.ready = "readinessProbe" not in self._spec
        self._context.changed()
        follow: dict[str, Callable[[Probe], Awaitable[None]]] = {
            "readinessProbe": self._readiness, "livenessProbe": self._liveness,
        }  # fmt: skip
        await asyncio.gather(*(follow[key](Probe.parse(self._spec[key])) for key in follow if key in self._spec))

    async def _post_start(self) -> bool:
        hook = self._spec.get("lifecycle", {}).get("postStart")
        try:
            if hook:
                await handle(hook, self._target)
        except HandlerError as error:
            self._context.tell("FailedPostStartHook", f"PostStartHook failed: {error}")
            await self._replace("failed its postStart hook", grace=None)
            return False
        return True

    async def _startup(self, probe: Probe) -> None:
        """Returns when it has succeeded."""
        async for answer in probing(probe, self._target):
            self._tell_of(answer.message, kind="Startup")
            if answer.verdict:
                return
            if answer.verdict is False:
                await self._replace("failed startup probe", grace=probe.grace)

    async def _readiness(self, probe: Probe) -> None:
        async for answer in probing(probe, self._target):
            self._tell_of(answer.message, kind="Readiness")
            if answer.verdict is not None and answer.verdict != self.ready:
                self.ready = answer.verdict
                self._context.changed()

    async def _liveness(self, probe: Probe) -> None:
        async for answer in probing(probe, self._target):
            self._tell_of(answer.message, kind="Liveness")
            if answer.verdict is False:
                await self._replace("failed liveness probe", grace=probe.grace)

    async def _replace(self, why: str, *, grace: float | None) -> None:
        """End it, with the grace it may have; what follows is a restart like any other. Doesn't return."""
        if not self._ending:
            self._context.tell("Killing", f"Container {self._name} {why}, will be restarted")
            allowed = self._context.pod["spec"].get("terminationGracePeriodSeconds", 30) if grace is None else grace
            asyncio.get_running_loop().call_later(allowed, self._kill_if_running)
            await self.end()
        await asyncio.Event().wait()

    def _kill_if_running(self) -> None:
        # a process that was waited for has given its id back, and that may be another's by now
        if self._process.returncode is None:
            self.kill()

    async def _pre_stop(self) -> None:
        """Waited for only while there is a process to stop."""
        hook = self._spec.get("lifecycle", {}).get("preStop")
        if not hook:
            return
        running = asyncio.create_task(handle(hook, self._target))
        gone = asyncio.create_task(self._process.wait())
        try:
            await asyncio.wait({running, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            running.cancel()
            [result] = await asyncio.gather(running, return_exceptions=True)
        if isinstance(result, HandlerError):
            self._context.tell("FailedPreStopHook", f"PreStopHook failed: {result}")

    def _tell_of(self, message: str, *, kind: str) -> None:
        if message:
            self._context.tell("Unhealthy", f"{kind} probe failed: {message}")
