"""The renderer as a process of its own: `rollouts renderer`, the second container of the controller's Pod.

It takes orders over a Unix socket from processes of its own user, renders each in a confined child as the controller
would (`place.py`), and says what came of it. Before the first order it takes the network from itself for good
(`isolate`), so nothing in its container can dial, whatever a child may have broken; it holds no token and reads no
Secret. It keeps nothing between two orders.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import AsyncIterator, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import structlog

from rollouts.gitops.errors import RenderError, RenderUnavailableError, SyncError
from rollouts.gitops.render import place, sandbox, seccomp, wire
from rollouts.gitops.render.installed import Program, find
from rollouts.gitops.render.renderer import RENDERERS
from rollouts.gitops.render.sandbox import Limits
from rollouts.gitops.render.task import Task, errors_of, manifests_of

log = structlog.get_logger(__name__)
FILES_SECONDS = 30.0
_BUFFER = 4 * 1024 * 1024
PROGRAMS = frozenset(row.program for row in RENDERERS if row.program)
"""What the renderers need."""
_SAMPLE = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: sample}\n"


@contextlib.asynccontextmanager
async def serving(listener: socket.socket) -> AsyncIterator[None]:
    """Take orders at a socket of `listen`; afterwards remove it, and give up what is being rendered."""
    path = Path(listener.getsockname())
    at_work: set[asyncio.Task[None]] = set()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(_serve(reader, writer))
        at_work.add(task)
        task.add_done_callback(at_work.discard)

    async with await asyncio.start_unix_server(serve, sock=listener, limit=_BUFFER):
        try:
            yield
        finally:
            await asyncio.to_thread(path.unlink, missing_ok=True)
            for task in at_work:
                task.cancel()
            await asyncio.gather(*at_work, return_exceptions=True)


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
    return {name: program for name in PROGRAMS if (program := find(name)) is not None}


async def check() -> None:
    """Render something small. RenderError or RenderUnavailableError when nothing can be rendered here."""
    task = Task(renderer="directory", path=".")
    answer = orjson.loads(await place.Here().answer(task, {"sample.yaml": _SAMPLE}, program=None, limits=Limits()))
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
    order = wire.order_of(await wire.receive(reader, limit=wire.ORDER_BYTES))
    if order.program and order.program not in PROGRAMS:
        raise ValueError(f"{order.program!r} is no program of a renderer")
    try:
        with sandbox.private_folder() as root:
            task = await _taken(reader, order, root)
            answer = await _unless_gone(reader, sandbox.answer(task, limits=order.limits))
    except (RenderError, RenderUnavailableError) as error:
        await wire.send(writer, wire.outcome(error))
    else:
        await wire.send(writer, wire.outcome(None))
        await wire.send(writer, answer)


async def _taken(reader: asyncio.StreamReader, order: wire.Order, root: Path) -> Task:
    """The task with its files in the folder. What is wrong is said after the last file: the other side listens then."""
    found = find(order.program) if order.program else None
    task = replace(order.task, root=root, program=found.path if found else "")
    lacking = order.program and found is None
    wrong = place.missing(order.program, folder=task.path) if lacking else await _laid_out(task)
    async with asyncio.timeout(FILES_SECONDS):
        for name, size in order.files:
            data = await wire.receive(reader, limit=size)
            wrong = wrong or await _laid_out(task, (name, data))
    if wrong is not None:
        raise wrong
    return task


async def _laid_out(task: Task, *files: tuple[str, bytes]) -> SyncError | None:
    try:
        await asyncio.to_thread(sandbox.lay_out, task, files)
    except RenderUnavailableError as error:
        return error
    return None


async def _unless_gone(reader: asyncio.StreamReader, work: Coroutine[Any, Any, bytes]) -> bytes:
    """What comes of the work. EOFError, and the work ended, when the other side hangs up first."""
    tasks = asyncio.ensure_future(work), asyncio.ensure_future(reader.read(1))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        if not tasks[0].done():
            raise EOFError
        return tasks[0].result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
