"""The renderer as a process of its own: `rollouts renderer`, the second container of the controller's Pod.

It takes orders over a Unix socket from processes of its own user, renders each in a confined child as the controller
would (`place.Here`), and says what came of it. Before the first order it takes the network from itself for good
(`isolate`), so nothing in its container can dial, whatever a child may have broken; it holds no token and reads no
Secret. It keeps nothing between two orders.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import orjson
import structlog

from rollouts.gitops.errors import RenderError, RenderUnavailableError, SyncError
from rollouts.gitops.render import seccomp, wire
from rollouts.gitops.render.installed import Program, find
from rollouts.gitops.render.place import Here
from rollouts.gitops.render.renderer import RENDERERS
from rollouts.gitops.render.sandbox import Limits
from rollouts.gitops.render.task import Task, errors_of, manifests_of

log = structlog.get_logger(__name__)
ORDER_SECONDS = 30.0
_BUFFER = 4 * 1024 * 1024
_PROGRAMS = tuple(row.program for row in RENDERERS if row.program)
_SAMPLE = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: sample}\n"


@contextlib.asynccontextmanager
async def serving(listener: socket.socket) -> AsyncIterator[None]:
    """Take orders at a socket of `listen`, and remove it afterwards."""
    path = Path(listener.getsockname())
    async with await asyncio.start_unix_server(_serve, sock=listener, limit=_BUFFER):
        try:
            yield
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)


def listen(path: Path) -> socket.socket:
    """A socket at the path that only our user may use; one left behind by a process that ended is replaced.

    OSError when it can't be made; FileExistsError when somebody serves there.
    """
    if path.is_socket():
        if _answers(path):
            raise FileExistsError(errno.EEXIST, "somebody serves there already")
        path.unlink()
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)
    return listener


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def isolate() -> bool:
    """Take the network from this process, whatever it starts, and its threads to come. False where that can't be.

    What was opened before stays open: the socket at which orders come.
    """
    return seccomp.refuse(only=seccomp.NETWORK)


def programs() -> dict[str, Program]:
    """What is installed here of what the renderers need."""
    return {name: program for name in _PROGRAMS if (program := find(name)) is not None}


async def check() -> None:
    """Render something small. RenderError or RenderUnavailableError when nothing can be rendered here."""
    task = Task(renderer="directory", path=".")
    answer = orjson.loads(await Here().answer(task, {"sample.yaml": _SAMPLE}, program="", limits=Limits()))
    if errors := errors_of(answer):
        raise errors[0]
    manifests_of(answer)


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(EOFError, OSError, TimeoutError):  # whoever asked is gone
        try:
            if wire.ours(writer):
                await wire.send(writer, wire.greeting(programs()))
                await _answer(reader, writer)
        except (ValueError, TypeError) as error:
            log.warning("an order was not understood", error=str(error))
        finally:
            writer.close()


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    text = await wire.receive(reader, limit=wire.ORDER_BYTES)
    order = wire.order_of(text)
    if order.program and order.program not in _PROGRAMS:
        raise ValueError(f"{order.program!r} is no program of a renderer")
    async with asyncio.timeout(ORDER_SECONDS):
        data = await wire.receive(reader, limit=wire.FILES_BYTES)
    work = asyncio.create_task(_rendered(order, data))
    gone = asyncio.create_task(reader.read(1))
    try:
        await asyncio.wait((work, gone), return_when=asyncio.FIRST_COMPLETED)
        if not work.done():
            raise EOFError
        error, answer = work.result()
        await wire.send(writer, wire.outcome(error))
        if error is None:
            await wire.send(writer, answer)
    finally:
        for task in (work, gone):
            task.cancel()
        await asyncio.gather(work, gone, return_exceptions=True)


async def _rendered(order: wire.Order, data: bytes) -> tuple[SyncError | None, bytes]:
    try:
        files = order.cut(data)
        return None, await Here().answer(order.task, files, program=order.program, limits=order.limits)
    except (RenderError, RenderUnavailableError) as error:
        return error, b""
