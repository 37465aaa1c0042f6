"""The sync's side of a renderer in another container of the same Pod: a Unix socket, one connection for each render.

Whatever goes wrong with the renderer itself (it is away, it was killed for its memory, it hung up) is unavailability:
the pass fails and is tried again, and nothing is applied or deleted meanwhile. What the renderer says is data, as from
a child of our own. The socket has to belong to our own user.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from rollouts.gitops.errors import RenderError, RenderUnavailableError, SyncError
from rollouts.gitops.render import wire
from rollouts.gitops.render.installed import Program
from rollouts.gitops.render.sandbox import Limits
from rollouts.gitops.render.task import Task

GREETING_SECONDS = 5.0
GRACE_SECONDS = 30.0
"""Beyond the seconds of a render: for its files on the way, and for the renderer to say that it took too long."""
_BUFFER = 4 * 1024 * 1024
_AWAY = "look whether `rollouts renderer` runs there, of the same release as the controller"
_KILLED = "if that was for want of memory (the container's last state says so), raise its limit or split the folder"


class Sidecar:
    """The `Place` behind a socket."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self._programs: Mapping[str, Program] = {}

    async def program(self, name: str) -> Program | None:
        """As the renderer said last; while it is away that is still what its answers were made with."""
        try:
            async with self._connected():
                pass
        except RenderUnavailableError:
            if name not in self._programs:
                raise
        return self._programs.get(name)

    async def answer(self, task: Task, files: Mapping[str, bytes], *, program: Program | None, limits: Limits) -> bytes:
        """What the child over there says. RenderError as here; RenderUnavailableError without an answer."""
        async with self._connected() as (reader, writer):
            if program is not None and self._programs.get(program.name) != program:
                raise self._unavailable("it was replaced a moment ago")
            try:
                async with asyncio.timeout(limits.seconds + GRACE_SECONDS):
                    await wire.send(
                        writer, wire.order(task, program=program.name if program else "", limits=limits, files=files)
                    )
                    for data in files.values():
                        await wire.send(writer, data)
                    if error := wire.error_of(await wire.receive(reader, limit=wire.OUTCOME_BYTES)):
                        raise error
                    return await _answer(reader, task, limits)
            except TimeoutError:
                raise self._unavailable(f"no answer within {limits.seconds + GRACE_SECONDS:g} s") from None
            except (EOFError, OSError) as error:
                raise self._unavailable("it hung up while it rendered", hint=_KILLED) from error
            except ValueError as error:
                raise self._unavailable(f"what it said is no answer: {error}") from error

    @contextlib.asynccontextmanager
    async def _connected(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """A connection over which the renderer has said what it is."""
        async with contextlib.AsyncExitStack() as stack:
            try:
                async with asyncio.timeout(GREETING_SECONDS):
                    reader, writer = await asyncio.open_unix_connection(self.socket, limit=_BUFFER)
                    stack.push_async_callback(_hang_up, writer)
                    if not wire.ours(writer):
                        raise ValueError("it belongs to another user")
                    self._programs = wire.programs_of(await wire.receive(reader, limit=wire.GREETING_BYTES))
            except TimeoutError:
                raise self._unavailable(f"no greeting within {GREETING_SECONDS:g} s") from None
            except (EOFError, OSError) as error:
                raise self._unavailable(getattr(error, "strerror", "") or "it hung up") from error
            except (TypeError, ValueError) as error:
                raise self._unavailable(f"not from the release of this controller: {error}") from error
            yield reader, writer

    def _unavailable(self, reason: str, *, hint: str = _AWAY) -> SyncError:
        return RenderUnavailableError(f"the renderer at {self.socket} is not to be had: {reason}; {hint}")


async def _answer(reader: asyncio.StreamReader, task: Task, limits: Limits) -> bytes:
    try:
        return await wire.receive(reader, limit=limits.answer_bytes)
    except ValueError:
        text = f"the rendered objects take more than {limits.answer_bytes} bytes"
        raise RenderError(text, file=task.path, budget="render-output-bytes") from None


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
