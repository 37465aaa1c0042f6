"""Start and end local processes, so that none is left behind.

Each leads a process group of its own, which is signalled as a whole, and is killed when the node ends, however it ends
(PR_SET_PDEATHSIG). What it forked, and what left its group as daemons do, carries the container's mark in its
environment, as a cgroup would hold it: it is swept when the container ends, or by the next node of that name.
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

#: In the environment of everything a node starts; its value is the container's folder, which is in the node's.
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


def sweep(folder: Path) -> list[int]:
    """Kill every process whose mark is this folder or in it; returns their pids."""
    mark = f"{MARK}={folder}".encode()
    found = [pid for pid in _pids() if _carries(pid, mark)]
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return found


def _carries(pid: int, mark: bytes) -> bool:
    return any(entry == mark or entry.startswith(mark + b"/") for entry in _environment(pid))


def _pids() -> list[int]:
    return [
        int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and int(entry.name) != os.getpid()
    ]


def _environment(pid: int) -> list[bytes]:
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []
