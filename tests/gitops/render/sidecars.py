"""`rollouts renderer` as a process of its own, and somebody else at its socket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator
from pathlib import Path

from deploy.local.tools import ensure_tool

PROGRAMS = ("helm", "kustomize")
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
SECONDS = 25.0


class RendererProcess:
    """A renderer that serves at a socket; what it prints goes to a file beside it."""

    def __init__(self, folder: Path) -> None:
        self.socket = folder / "socket"
        self.log = folder / "renderer.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *, programs: Collection[str] = PROGRAMS) -> RendererProcess:
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "rollouts", "renderer", "--socket", str(self.socket)]
            usual = [os.environ["PATH"]] if programs else []
            path = os.pathsep.join([*(str(ensure_tool(name).parent) for name in programs), *usual])
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "PATH": path})
        before = self.log.read_text().count("serving")
        until(lambda: self.log.read_text().count("serving") > before or self._process.poll() is not None)  # type: ignore[union-attr]
        assert self._process.poll() is None, self.log.read_text()
        return self

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def children(self) -> list[int]:
        """Processes it has started and that still are."""
        found = []
        for tasks in Path(f"/proc/{self.pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += [int(pid) for pid in tasks.read_text().split()]
        return found

    def kill(self) -> None:
        """At once."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """By SIGTERM; the exit code."""
        assert self._process
        self._process.terminate()
        return self._process.wait(SECONDS)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[RendererProcess]:
    process = RendererProcess(folder).start()
    try:
        yield process
    finally:
        process.kill()


@contextlib.asynccontextmanager
async def impostor(path: Path, talk: Talk) -> AsyncIterator[None]:
    """Somebody at the socket who says something else."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError):
            await talk(reader, writer)
        writer.close()

    async with await asyncio.start_unix_server(serve, path):
        yield


def until(probe: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not probe():
        assert time.monotonic() < deadline


async def until_soon(probe: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not probe():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)
