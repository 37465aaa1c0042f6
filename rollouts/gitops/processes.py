"""Ending a process for good, whatever it was doing.

Its whole group is killed. Then what is left in its pipes is read and thrown away: asyncio counts a process as ended
only when its pipes are closed, and it stops reading a pipe whose reader has had enough, so without this the wait for a
process that printed too much would never end.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

PATIENCE = 5.0
"""Seconds for pipes to close; longer only when somebody outside the group holds them open."""


async def end(process: asyncio.subprocess.Process) -> None:
    """Kill the group that `process` leads, and wait until it is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(_drain(process.stdout), _drain(process.stderr), return_exceptions=True)
            await process.wait()


async def _drain(pipe: asyncio.StreamReader | None) -> None:
    while pipe is not None and await pipe.read(65536):
        pass
