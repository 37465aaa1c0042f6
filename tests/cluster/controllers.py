"""Controllers for tests: in this process, where every request can be counted, held up, or be the last one; and as a
process of its own, where it can be killed for real.

Each looks after one namespace (or one instance id in it), so any number of them never meet, and none of them elects a
leader unless a test is about that.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from rollouts import operator
from rollouts.engine.additions import Addition
from rollouts.engine.app import App, Settings
from rollouts.engine.client import Api, Request, connect, resource_of
from rollouts.traffic import ROUTERS, Routers
from tests.cluster.harness import Cluster
from tests.cluster.space import Background, Space, background

REPOSITORY = Path(__file__).parents[2]
START_SECONDS = 20.0
#: TLS connections are closed by the other side, a moment after the session (aiohttp, "Graceful shutdown").
CLOSING_SECONDS = 0.25
PROGRAM = "import sys; from rollouts.cli.controller import controller; import typer; a = typer.Typer(); "
PROGRAM += "a.command(context_settings={'allow_extra_args': True, 'ignore_unknown_options': True})(controller); a()"

Hook = Callable[[int, Request], None]


class OwnController:
    """A controller in a thread of this process.

    `writes` lists what was asked of the server other than reading, in order. `before` is called, with the number of the
    write to come, just before each; it may talk to the cluster. After `die_after` writes nothing more leaves it, not
    even another attempt, and `dead` is set: as if the process were gone.
    """

    def __init__(
        self,
        *,
        kubeconfig: Path,
        namespace: str | None,
        instance_id: str = "",
        die_after: int | None = None,
        before: Hook | None = None,
        additions: Sequence[Addition] = (),
        routers: Routers = ROUTERS,
    ) -> None:
        self.writes: list[Request] = []
        self.dead = threading.Event()
        self._kubeconfig = kubeconfig
        self._settings = Settings(namespace=namespace, instance_id=instance_id, rollout_workers=4, analysis_workers=8)
        self.die_after = die_after
        self._before = before
        self._additions = additions
        self._routers = routers
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"controller-{namespace}-{instance_id}", daemon=True)

    # --- its life

    def start(self) -> OwnController:
        """Start, and wait until it acts."""
        self._thread.start()
        assert self._started.wait(START_SECONDS), f"the controller did not start: {self._failure}"
        if self._failure is not None:
            raise self._failure
        return self

    def stop(self) -> None:
        """End as on SIGTERM."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._joined()

    def kill(self) -> None:
        """End as on SIGKILL: no request leaves it any more."""
        self.dead.set()
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._killed.set)
        self._joined()

    def _joined(self) -> None:
        self._thread.join(START_SECONDS)
        assert not self._thread.is_alive(), "the controller did not end"
        if self._failure is not None:
            raise self._failure

    def __enter__(self) -> OwnController:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        (self.kill if self.dead.is_set() or kind else self.stop)()

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except BaseException as error:
            self._failure = error
        finally:
            self._started.set()

    async def _live(self) -> None:
        await self._serve()
        await asyncio.sleep(CLOSING_SECONDS)

    async def _serve(self) -> None:
        self._loop, self._stop, self._killed = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()
        async with connect(kubeconfig=str(self._kubeconfig)) as api:
            self.api = api
            self._gate(api)
            self.app = App(api=api, settings=self._settings, additions=self._additions, routers=self._routers)
            running = asyncio.create_task(operator.run(self.app, stop=self._stop))
            killed = asyncio.create_task(self._killed.wait())
            working = asyncio.create_task(self._working())
            await asyncio.wait([running, killed], return_when=asyncio.FIRST_COMPLETED)
            if not killed.done():
                for task in (killed, working):
                    task.cancel()
                return await running
            while others := asyncio.all_tasks() - {asyncio.current_task()}:
                for task in others:
                    task.cancel()
                await asyncio.wait(others, timeout=0.05)
        return None

    async def _working(self) -> None:
        while not self.app.working:  # noqa: ASYNC110  # a plain flag of the app
            await asyncio.sleep(0.01)
        self._started.set()

    # --- its requests

    def _gate(self, api: Api) -> None:
        send = api.send

        async def gated(request: Request) -> dict[str, Any]:
            writes = request.method != "GET"
            if writes and self._before and not self.dead.is_set():
                self._before(len(self.writes) + 1, request)
            if self.dead.is_set():
                await asyncio.Event().wait()
            if not writes:
                return await send(request)
            self.writes.append(request)
            last = len(self.writes) == self.die_after
            answer = await send(request)
            if last:
                self.dead.set()
                await asyncio.Event().wait()
            return answer

        api.send = gated  # type: ignore[method-assign]

    def counts(self) -> Counter[str]:
        """How many writes of which sort: `PATCH rollouts/status`, `POST replicasets`, …"""
        return Counter(f"{request.method} {resource_of(request.path)}" for request in list(self.writes))


class Process:
    """A controller as users run it. `log` is its log file."""

    def __init__(self, *, kubeconfig: Path, log: Path, arguments: list[str]) -> None:
        argv = [sys.executable, "-c", PROGRAM, "--metricsPort", "0", "--healthzPort", "0", *arguments]
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                argv, cwd=REPOSITORY, env={**os.environ, "KUBECONFIG": str(kubeconfig)}, stdout=output, stderr=output
            )

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()
        self._process.wait(START_SECONDS)

    def stop(self) -> int:
        """SIGTERM; its exit code."""
        self._process.terminate()
        return self._process.wait(START_SECONDS)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None


# --- fixtures (conftest.py takes them up)


@pytest.fixture(scope="session")
def client(kubeconfig: Path) -> Iterator[Background]:
    """The client tests look at the cluster with."""
    with background(kubeconfig) as started:
        yield started


@pytest.fixture
def space(plane: Cluster, client: Background, namespace: str) -> Iterator[Space]:
    """This test's namespace."""
    made = Space(client, namespace, plane.check)
    with contextlib.closing(made):
        yield made


@pytest.fixture
def own_controller(kubeconfig: Path, namespace: str) -> Iterator[Callable[..., OwnController]]:
    """Starts a controller for this test's namespace; those still alive in the end are stopped."""
    started: list[OwnController] = []

    def make(**options: Any) -> OwnController:
        started.append(OwnController(kubeconfig=kubeconfig, **{"namespace": namespace, **options}))
        return started[-1].start()

    yield make
    for one in started:
        (one.kill if one.dead.is_set() else one.stop)()


@pytest.fixture
def controller(own_controller: Callable[..., OwnController]) -> OwnController:
    """A controller for this test's namespace."""
    return own_controller()


@pytest.fixture
def process(kubeconfig: Path, tmp_path: Path) -> Iterator[Callable[..., Process]]:
    """Starts a controller process; those still alive in the end are killed."""
    started: list[Process] = []

    def make(*arguments: str) -> Process:
        log = tmp_path / f"controller-{len(started)}.log"
        started.append(Process(kubeconfig=kubeconfig, log=log, arguments=list(arguments)))
        return started[-1]

    yield make
    for one in started:
        if one.running:
            one.kill()
