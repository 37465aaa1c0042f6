"""Start and end local processes, so that none is left behind.

Each leads a process group of its own, which is signalled as a whole. A process is killed when the node ends, however
it ends (PR_SET_PDEATHSIG); what it forked is found by the mark in its environment and swept by the next node of
that name, or by the plane's supervisor.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.local.supervisor import die_with_parent

#: In the environment of everything a node starts; its value is the node's folder.
MARK = "ROLLOUTS_PROCESS_NODE"

Process = asyncio.subprocess.Process


async def spawn(argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, output: Any) -> Process:
    """Start a process with both outputs in `output`; OSError, with a plain reason, if it can't be started."""
    return await asyncio.create_subprocess_exec(
        *argv, env=dict(env), cwd=cwd,
        stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=asyncio.subprocess.STDOUT,
        start_new_session=True, preexec_fn=die_with_parent,
    )  # fmt: skip


def signal_group(process: Process, number: signal.Signals) -> None:
    """Signal a process and what it forked; nothing if they are gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def exit_code(process: Process) -> int:
    """As a container runtime tells it: 128 and the signal's number for one that was killed."""
    code = process.returncode or 0
    return 128 - code if code < 0 else code


def sweep(mark: str) -> list[int]:
    """Kill every process that carries this mark; returns their pids."""
    wanted = f"{MARK}={mark}".encode()
    found = [pid for pid in _pids() if wanted in _environment(pid)]
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return found


def _pids() -> list[int]:
    return [
        int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and int(entry.name) != os.getpid()
    ]


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []
