"""Small programs that are asked something in an empty folder, and ending a process for good, whatever it was doing.

To end it, its whole group is killed. Then what is left in its pipes is read and thrown away: asyncio counts a process
as ended only when its pipes are closed, and it stops reading a pipe whose reader has had enough, so without this the
wait for a process that printed too much would never end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from pathlib import Path

TIMEOUT = 20.0
"""Seconds a small program may take."""
PATIENCE = 5.0
"""Seconds for pipes to close; longer only when somebody outside the group holds them open."""


async def ask(program: str, *arguments: str, folder: Path, stdin: bytes = b"") -> tuple[int, bytes]:
    """Run a program from PATH in a folder that is its home, with nothing of our environment; its exit code and output.
    LookupError and TimeoutError say for people that it is not there, or did not finish."""
    found = shutil.which(program)
    if found is None:
        raise LookupError(f"{program} was not found on PATH")
    process = await asyncio.create_subprocess_exec(
        found,
        *arguments,
        cwd=folder,
        env={"PATH": os.defpath, "HOME": str(folder), "GNUPGHOME": str(folder), "LC_ALL": "C"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(TIMEOUT):
            output, _ = await process.communicate(stdin)
    except TimeoutError:
        raise TimeoutError(f"{program} did not finish within {TIMEOUT:g} s") from None
    finally:
        await end(process)
    return process.returncode or 0, output


async def end(process: asyncio.subprocess.Process) -> None:
    """Kill the group that `process` leads, and wait until it is gone and nothing of it is open."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.stdin is not None:
        process.stdin.close()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(_drain(process.stdout), _drain(process.stderr), return_exceptions=True)
            await process.wait()


async def _drain(pipe: asyncio.StreamReader | None) -> None:
    while pipe is not None and await pipe.read(65536):
        pass
