"""The sync's side of a render: a fresh folder, one confined child, limits on all it may do, and its answer.

The child gets an empty environment and no file but the commit's. It is given a time; its answer is read up to a number
of bytes; whichever ends first, its whole process group is ended and the folder is removed. What it says is data. What
it does not say is an error: a child that was killed has rendered nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import os
import shutil
import signal
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from rollouts.gitops.errors import RenderError, RenderUnavailableError, redact
from rollouts.gitops.processes import end
from rollouts.gitops.render import launch
from rollouts.gitops.render.confinement import WALLS, Budget
from rollouts.gitops.render.documents import Limits as YamlLimits
from rollouts.gitops.render.task import Task

_ERRORS = 64 * 1024
_SPENT = (-signal.SIGXCPU, -signal.SIGKILL)
_NEEDED = ("rollouts", "yaml", "_jsonnet")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one render may take: seconds, bytes of its answer, objects, bytes of one object and of plain manifests, what
    a YAML file may be like, and the budget of its processes."""

    seconds: float = 60.0
    answer_bytes: int = 64 * 1024 * 1024
    objects: int = 5_000
    object_bytes: int = 1_500_000
    manifest_bytes: int = 10 * 1024 * 1024
    yaml: YamlLimits = field(default_factory=YamlLimits)
    budget: Budget = field(default_factory=Budget)
    walls: tuple[str, ...] = WALLS


async def answer(task: Task, *, limits: Limits) -> bytes:
    """What a child says about the task, as JSON; its files must lie in `task.root`, a folder of ours (`lay_out`).

    RenderError when it says nothing of use: too slow, too much, crashed.
    """
    try:
        process = await _start(task, limits)
    except OSError as error:
        raise RenderUnavailableError(f"no process could be started for rendering: {error.strerror}") from error
    try:
        async with asyncio.timeout(limits.seconds):
            output, errors = await _converse(process, task, limits)
            code = await process.wait()
    except TimeoutError:
        text = f"rendering took longer than {limits.seconds:g} s"
        raise RenderError(text, file=task.path, budget="render-seconds") from None
    finally:
        await end(process)
    if code:
        spent = "render-cpu-seconds" if code in _SPENT else ""
        raise RenderError(_why(code, errors, limits), file=task.path, budget=spent)
    return output


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """A folder only we can enter, removed afterwards, whatever a child left in it. RenderUnavailableError: no room."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="render-"))
    except OSError as error:
        raise RenderUnavailableError(f"there is no folder to render in: {error.strerror}") from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def lay_out(task: Task, files: Iterable[tuple[str, bytes]]) -> None:
    """Write the files of the commit, whose names were checked when it was read, below the task's folder.

    RenderUnavailableError when they can't all be written.
    """
    try:
        for folder in (task.tree, task.scratch):
            folder.mkdir(mode=0o700, exist_ok=True)
        task.folder.mkdir(parents=True, exist_ok=True)
        for name, data in files:
            path = task.tree / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    except OSError as error:
        raise RenderUnavailableError(f"the files could not be laid out for rendering: {error.strerror}") from error


def command(task: Task, limits: Limits) -> list[str]:
    """The child's command line. Nothing of the repository or the spec is on it."""
    settings = {
        "modules": modules(),
        "budget": asdict(limits.budget),
        "folder": str(task.root),
        "programs": [task.program] if task.program else [],
        "walls": list(limits.walls),
        "parent": os.getpid(),
    }
    return [sys.executable, "-I", "-S", "-B", str(launch.__file__), json.dumps(settings)]


def modules() -> list[str]:
    """Where a child finds modules: the standard library, and the folders of the few packages it needs.

    Not `sys.path`: it may hold the folder the controller was started in, and what is named here can be read.
    """
    standard = sysconfig.get_path("stdlib")
    found = [standard, sysconfig.get_path("platstdlib"), f"{standard}/lib-dynload"]
    for name in _NEEDED:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.origin:
            file = Path(spec.origin).resolve()
            found.append(str(file.parents[1] if spec.submodule_search_locations else file.parent))
    return list(dict.fromkeys(found))


async def _start(task: Task, limits: Limits) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *command(task, limits),
        cwd=task.scratch,
        env={"PATH": "/nonexistent", "LC_ALL": "C.UTF-8", "HOME": str(task.scratch)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )


async def _converse(process: asyncio.subprocess.Process, task: Task, limits: Limits) -> tuple[bytes, bytes]:
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise RuntimeError("the child was started without pipes")
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(task.to_json())
        await process.stdin.drain()
    process.stdin.close()
    answer = _read(process.stdout, limits.answer_bytes, "the rendered objects take", task)
    complaints = _read(process.stderr, _ERRORS, "the renderer's complaints take", task)
    output, errors = await asyncio.gather(answer, complaints)
    return output, errors


async def _read(pipe: asyncio.StreamReader, limit: int, what: str, task: Task) -> bytes:
    """All there is. RenderError as soon as it is more than the limit."""
    chunks: list[bytes] = []
    total = 0
    while chunk := await pipe.read(256 * 1024):
        total += len(chunk)
        if total > limit:
            raise RenderError(f"{what} more than {limit} bytes", file=task.path, budget="render-output-bytes")
        chunks.append(chunk)
    return b"".join(chunks)


def _why(code: int, errors: bytes, limits: Limits) -> str:
    if code in _SPENT:
        return f"rendering used more than {limits.budget.cpu_seconds} s of processor time"
    if code < 0:
        return f"the renderer crashed ({signal.Signals(-code).name}): the files are made to harm, or very unusual"
    lines = errors.decode(errors="replace").strip().splitlines() or ["no message"]
    return f"the renderer failed: {redact(lines[-1])}"
