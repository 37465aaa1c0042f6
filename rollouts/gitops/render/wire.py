"""What passes between the sync and a renderer in another container, over a Unix socket.

| who | frame | holds |
|---|---|---|
| renderer | greeting | protocol, installed programs |
| sync | order | the task, the program's name, limits, names and sizes of the files |
| sync | files | a frame for each, so that neither side holds them all at once |
| renderer | outcome | nothing, or the error |
| renderer | answer | what the child said; only after an outcome without an error |

A frame is a length (eight bytes, big end first) and that many bytes, so half of one is never taken for a whole. One
connection is one render; who hangs up has given it up. Nothing here is trusted by either side: lengths are bounded,
names stay below the folder, and no path of a program, no flag and no wall can be asked for (§2.5 class H).
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath
from typing import Any

import orjson

from rollouts.gitops.errors import RenderError, RenderUnavailableError, SyncError
from rollouts.gitops.objects import JSON
from rollouts.gitops.render.confinement import Budget
from rollouts.gitops.render.documents import Limits as YamlLimits
from rollouts.gitops.render.installed import Program
from rollouts.gitops.render.sandbox import Limits
from rollouts.gitops.render.task import Task

PROTOCOL = 1
GREETING_BYTES = 64 * 1024
ORDER_BYTES = 32 * 1024 * 1024
FILES_BYTES = 1024 * 1024 * 1024
OUTCOME_BYTES = 1024 * 1024
_LENGTH = struct.Struct(">Q")
_CREDENTIALS = struct.Struct("3i")
_HERE_ONLY = ("root", "program")


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One render as it is asked for. `files`: names and sizes in bytes, in the order in which they come."""

    task: Task
    program: str
    limits: Limits
    files: tuple[tuple[str, int], ...]


async def send(writer: asyncio.StreamWriter, data: bytes) -> None:
    """One frame."""
    writer.write(_LENGTH.pack(len(data)))
    writer.write(data)
    await writer.drain()


async def receive(reader: asyncio.StreamReader, *, limit: int) -> bytes:
    """The next frame. ValueError when it is longer than the limit, EOFError when the other side hung up before."""
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    if length > limit:
        raise ValueError(f"a frame of {length} bytes, more than {limit}")
    return await reader.readexactly(length)


def greeting(programs: Mapping[str, Program]) -> bytes:
    """What a renderer says first."""
    found = {name: asdict(program) for name, program in programs.items()}
    return orjson.dumps({"protocol": PROTOCOL, "programs": found})


def programs_of(text: bytes) -> Mapping[str, Program]:
    """The installed programs of a greeting. ValueError when it is none, or of another protocol."""
    said = _mapping(text)
    if said.get("protocol") != PROTOCOL:
        raise ValueError(f"it speaks protocol {said.get('protocol')!r} and not {PROTOCOL}")
    programs = _checked(said.get("programs"), dict)
    return {str(name): Program(**_checked(program, dict)) for name, program in programs.items()}


def order(task: Task, *, program: str, limits: Limits, files: Mapping[str, bytes]) -> bytes:
    """What is asked for. The walls are not: a renderer puts up all it has."""
    asked = {name: value for name, value in asdict(task).items() if name not in _HERE_ONLY}
    bounds = {name: value for name, value in asdict(limits).items() if name != "walls"}
    sizes = [[name, len(data)] for name, data in files.items()]
    return orjson.dumps({"task": asked, "program": program, "limits": bounds, "files": sizes})


def order_of(text: bytes) -> Order:
    """The reverse. ValueError says what no renderer would do."""
    said = _mapping(text)
    try:
        task = Task(**_refusing(said["task"], *_HERE_ONLY))
        limits = _limits(_refusing(said["limits"], "walls"))
        files = tuple((_inside(name), _size(size)) for name, size in said["files"])
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"no order: {error}") from error
    _inside(task.path)
    if (total := sum(size for _, size in files)) > FILES_BYTES:
        raise ValueError(f"{total} bytes of files, more than {FILES_BYTES}")
    return Order(task=task, program=str(said.get("program", "")), limits=limits, files=files)


def outcome(error: SyncError | None) -> bytes:
    """How it went: nothing to say, or an error of `sandbox.answer`."""
    if error is None:
        return b"{}"
    place = {"file": error.file, "line": error.line} if isinstance(error, RenderError) else {}
    reason = error.reason if isinstance(error, RenderError) else str(error)
    return orjson.dumps({"error": {"reason": reason, "budget": error.budget, **place}})


def error_of(text: bytes) -> SyncError | None:
    """The error of an outcome, None when there is none. ValueError when it is no outcome."""
    said = _mapping(text)
    if "error" not in said:
        return None
    error = _checked(said["error"], dict)
    reason, budget = str(error.get("reason", "no reason")), str(error.get("budget", ""))
    if "file" not in error:
        return RenderUnavailableError(reason, budget=budget)
    line = error.get("line")
    return RenderError(reason, file=str(error["file"]), line=line if isinstance(line, int) else None, budget=budget)


def ours(writer: asyncio.StreamWriter) -> bool:
    """Whether the process at the other end runs as the same user as this one."""
    end: socket.socket = writer.get_extra_info("socket")
    credentials = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, user, _ = _CREDENTIALS.unpack(credentials)
    return bool(user == os.getuid())


def _limits(said: JSON) -> Limits:
    return Limits(**{**said, "yaml": YamlLimits(**said["yaml"]), "budget": Budget(**said["budget"])})


def _refusing(said: JSON, *names: str) -> JSON:
    if found := [name for name in names if name in said]:
        raise ValueError(f"{found[0]} can't be said from outside")
    return said


def _inside(name: Any) -> str:
    """A path that stays below the folder. ValueError for any other."""
    path = PurePosixPath(_checked(name, str))
    if path.is_absolute() or ".." in path.parts or "\0" in str(path):
        raise ValueError(f"{name!r} leads out of the folder")
    return str(name)


def _size(value: Any) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is no size")
    return value


def _mapping(text: bytes) -> JSON:
    said: JSON = _checked(orjson.loads(text), dict)
    return said


def _checked(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise ValueError(f"{value!r:.80} where a {kind.__name__} was to be")
    return value
