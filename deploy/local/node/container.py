"""One container of one pod: started again and again, and what the pod's status tells of it.

    pull ─► configure ─► run ─► ended ─► back-off ─► configure ─► run ─► …

`run` returns when the container has ended for good: its restart policy says so, or it was stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

from deploy.local.node.backoff import BackOff
from deploy.local.node.client import UNREACHABLE, Object
from deploy.local.node.context import PodContext, log_file
from deploy.local.node.environment import ConfigError, build_command, build_environment, read_sources
from deploy.local.node.events import timestamp
from deploy.local.node.handlers import Target
from deploy.local.node.processes import spawn, sweep
from deploy.local.node.run import Run

NO_SUCH_IMAGE = "does-not-exist"
CONFIG_RETRY_SECONDS = 1.0
NOT_STARTED, KILLED = 128, 137
MESSAGE_BYTES = 2048

#: Restart policy -> whether a container that ended with this code is started again.
RESTARTS: Mapping[str, Callable[[int], bool]] = {
    "Always": lambda code: True,
    "OnFailure": lambda code: code != 0,
    "Never": lambda code: False,
}


class Container:
    """A container; `before` is what an earlier node of the same name reported of it, if any."""

    def __init__(self, *, spec: Object, context: PodContext, policy: str, before: Object | None = None) -> None:
        self.name: str = spec["name"]
        self.state: Object = {"waiting": {"reason": "ContainerCreating"}}
        self.last_state: Object = {}
        self.restarts = 0
        self._spec = spec
        self._context = context
        self._restarts_after = RESTARTS[policy]
        self._back_off = BackOff(base=context.settings.back_off, limit=context.settings.back_off_limit)
        self._stopping = asyncio.Event()
        self._begun = asyncio.Event()
        self._run: Run | None = None
        self._id = ""
        self._adopt(before or {})

    @property
    def exit_code(self) -> int | None:
        """Of a container that has ended; None while it runs or waits."""
        ended = self.state.get("terminated")
        return ended["exitCode"] if ended else None

    @property
    def started(self) -> bool:
        """Whether it runs and its startup probe has succeeded."""
        return self._run is not None and self._run.started

    async def wait_started(self) -> None:
        """Until it has been started once, or is to stop."""
        await self._begun.wait()

    def status(self) -> Object:
        """An entry of `containerStatuses`."""
        return {
            "name": self.name, "image": self._spec.get("image", ""), "imageID": "", "containerID": self._id,
            "ready": self._run is not None and self._run.ready, "started": self.started,
            "restartCount": self.restarts, "state": self.state, "lastState": self.last_state,
        }  # fmt: skip

    async def run(self) -> None:
        """Until it has ended for good."""
        if self.exit_code is not None:
            return
        await self._pull()
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            began = loop.time()
            await self._run_once()
            code = self.exit_code
            if self._stopping.is_set() or code is None or not self._restarts_after(code):
                return
            await self._wait_to_restart(ran_for=loop.time() - began)

    async def stop(self) -> None:
        """Call the preStop hook, then ask the process to end; returns once it was asked. No restart follows."""
        self._halt()
        if self._run:
            await self._run.end()

    def kill(self) -> None:
        """End the process now. No restart follows."""
        self._halt()
        if self._run:
            self._run.kill()

    def _halt(self) -> None:
        self._stopping.set()
        self._begun.set()

    def _adopt(self, before: Object) -> None:
        """A process of an earlier node is gone with that node."""
        self.restarts = before.get("restartCount", 0)
        self.last_state = before.get("lastState", {})
        self._id = before.get("containerID", "")
        state = before.get("state", {})
        if running := state.get("running"):
            state = {"terminated": self._lost(running)}
        if "terminated" in state:
            self.state = state
            if self._restarts_after(state["terminated"]["exitCode"]):
                self._next_start()

    def _lost(self, running: Object) -> Object:
        return {
            "exitCode": KILLED, "reason": "ContainerStatusUnknown", "startedAt": running.get("startedAt"),
            "finishedAt": timestamp(), "containerID": self._id,
            "message": "The process went with the node that had started it",
        }  # fmt: skip

    def _next_start(self) -> None:
        """From the end of one run to the beginning of the next."""
        if "terminated" in self.state:
            self.last_state = self.state
        self.state = {"waiting": {"reason": "ContainerCreating"}}
        self.restarts += 1

    async def _pull(self) -> None:
        """Any image will do, but for those that are named to be missing."""
        image = self._spec.get("image", "")
        if NO_SUCH_IMAGE not in image:
            return
        self._context.tell("Failed", f'Failed to pull image "{image}": not found')
        self._wait_for("ErrImagePull", f"{image}: not found")
        await self._pause(self._context.settings.back_off)
        if not self._stopping.is_set():
            self._wait_for("ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {image}: not found')
            await self._stopping.wait()

    async def _run_once(self) -> None:
        """One start, to its end; the state tells how it ended."""
        configured = await self._configured()
        if configured is None:
            return
        since = timestamp()
        try:
            run = await self._start(*configured)
        except OSError as error:
            self._ended(
                code=NOT_STARTED, reason="StartError", message=f"{configured[0]}: {error.strerror}", since=since
            )
            return
        self._running(run, since=since)
        try:
            code = await run.wait()
        finally:
            self._run = None
            sweep(self._context.directory / self.name)
        self._ended(code=code, reason="Error" if code else "Completed", message=self._last_words(code), since=since)

    async def _configured(self) -> tuple[list[str], dict[str, str]] | None:
        """Its command and environment; None if the container was stopped before they could be had."""
        while not self._stopping.is_set():
            try:
                return await self._configure()
            except (ConfigError, *UNREACHABLE) as error:
                self._wait_for("CreateContainerConfigError", str(error))
                self._context.tell("Failed", f"Error: {error}")
            await self._pause(CONFIG_RETRY_SECONDS)
        return None

    async def _configure(self) -> tuple[list[str], dict[str, str]]:
        context = self._context
        namespace = context.pod["metadata"]["namespace"]
        sources = await read_sources(self._spec, client=context.client, namespace=namespace)
        values = build_environment(self._spec, facts=context.facts, sources=sources)
        return build_command(self._spec, values=values), {**context.base_environment(self.name), **values}

    async def _start(self, command: list[str], environment: Mapping[str, str]) -> Run:
        log = log_file(self._context.directory, self.name, self.restarts)
        log.parent.mkdir(parents=True, exist_ok=True)
        log_file(self._context.directory, self.name, self.restarts - 2).unlink(missing_ok=True)
        cwd = Path(self._spec.get("workingDir") or self._context.directory)
        with log.open("ab") as output:
            process = await spawn(command, env=environment, cwd=cwd, output=output)
        self._id = f"process://{process.pid}"
        target = self._target(environment=environment, cwd=cwd)
        return Run(process=process, spec=self._spec, target=target, context=self._context, begun=self._begun)

    def _running(self, run: Run, *, since: str) -> None:
        self._run = run
        self.state = {"running": {"startedAt": since}}
        self._context.tell("Started", f"Started container {self.name}")
        self._context.changed()
        if self._stopping.is_set():  # while it was being started
            run.kill()

    def _ended(self, *, code: int, reason: str, message: str, since: str) -> None:
        ended: Object = {"exitCode": code, "reason": reason, "startedAt": since, "finishedAt": timestamp(),
                         "containerID": self._id}  # fmt: skip
        self.state = {"terminated": {**ended, **({"message": message} if message else {})}}
        self._context.changed()

    async def _wait_to_restart(self, *, ran_for: float) -> None:
        delay, ended = self._back_off.next(ran_for=ran_for), self.state
        if delay:
            self.last_state = ended
            meta = self._context.pod["metadata"]
            what = f"{self.name} in pod {meta['name']}_{meta['namespace']}({meta['uid']})"
            self._context.tell("BackOff", f"Back-off restarting failed container {what}")
            self._wait_for("CrashLoopBackOff", f"back-off {delay:g}s restarting failed container {what}")
            await self._pause(delay)
        if self._stopping.is_set():
            self.state = ended
        else:
            self._next_start()

    def _wait_for(self, reason: str, message: str) -> None:
        self.state = {"waiting": {"reason": reason, "message": message}}
        self._context.changed()

    async def _pause(self, seconds: float) -> None:
        """Sleep, but not once it is to stop."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)

    def _last_words(self, code: int) -> str:
        """The end of the log, for those that ask for it by terminationMessagePolicy."""
        if not code or self._spec.get("terminationMessagePolicy") != "FallbackToLogsOnError":
            return ""
        log = log_file(self._context.directory, self.name, self.restarts)
        return log.read_bytes()[-MESSAGE_BYTES:].decode(errors="replace")

    def _target(self, *, environment: Mapping[str, str], cwd: Path) -> Target:
        ports = {port["name"]: port["containerPort"] for port in self._spec.get("ports", []) if "name" in port}
        context = self._context
        return Target(address=context.address, ports=ports, environment=environment, cwd=cwd, http=context.http)
