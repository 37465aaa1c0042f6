"""The walls around a renderer, put up by the child itself before it reads a byte of the repository.

| wall | against | where it is missing |
|---|---|---|
| resource limits | endless loops, memory, huge files, too many files | nowhere |
| namespaces (user, network, IPC) | the network | Pods with the default seccomp profile |
| no capabilities, no new privileges | set-uid programs, leaving the other walls | nowhere |
| Landlock | reading or writing anything but the folder at hand | kernels before 5.13 |
| seccomp | any socket at all, io_uring, mounts, other processes | other processors than x86-64 and ARM64 |

None needs root. Each is tried, and what holds is *measured* afterwards (`network_reachable`), not assumed: programs
that could dial out are not run where nothing stops them. Only the standard library is used.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import socket
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rollouts.gitops.render import landlock, seccomp

_NEW_USER, _NEW_NETWORK, _NEW_IPC = 0x10000000, 0x40000000, 0x08000000
_DROP_FROM_BOUNDING_SET, _NOT_DUMPABLE, _SIGNAL_AT_PARENTS_DEATH = 24, 4, 1
_CAPABILITIES = 64
_SYSTEM = ("/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/etc/localtime", "/dev/urandom")

#: Every wall by the name under which it can be left out (by tests, to see the others hold).
WALLS = ("namespaces", "landlock", "seccomp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What one render may use: seconds of processor, bytes of memory and of one file, files open at a time."""

    cpu_seconds: int = 30
    memory_bytes: int = 1024 * 1024 * 1024
    file_bytes: int = 64 * 1024 * 1024
    open_files: int = 256
    processes: int = 128


def confine(
    *, budget: Budget, folder: Path, programs: Iterable[Path], walls: Iterable[str] = WALLS, parent: int = 0
) -> None:
    """Put up the walls around this process. Only `folder` stays writable; `programs` may be run besides Python.

    `parent`: process whose end is to be this one's too; 0 for none.
    """
    chosen = set(walls)
    own = "namespaces" in chosen and _own_namespaces()
    _limit(budget, count_processes=own)
    _be_ended_first()
    _drop_capabilities()
    _end_with(parent)  # not before: the kernel forgets it when capabilities change
    if "landlock" in chosen:
        landlock.confine(readable=_readable(programs), writable=(folder, Path(os.devnull)))
    if "seccomp" in chosen:
        seccomp.refuse()


def network_reachable() -> bool:
    """Whether this process could talk to anybody. Sends nothing: connecting a datagram socket only looks up a route."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(("192.0.2.1", 9))
    except OSError:
        return False
    return True


def _be_ended_first() -> None:
    """When memory runs out all the same, this process and its programs are to go, and not whoever started it."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")


def _end_with(parent: int) -> None:
    """Be killed when the sync is, however that ends: nobody would read the answer."""
    ctypes.CDLL(None, use_errno=True).prctl(_SIGNAL_AT_PARENTS_DEATH, signal.SIGKILL, 0, 0, 0)
    if parent and os.getppid() != parent:  # it had ended before the kernel was told
        raise SystemExit(1)


def _own_namespaces() -> bool:
    user, group = os.getuid(), os.getgid()
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_USER | _NEW_NETWORK | _NEW_IPC):
        return False
    for file, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        with contextlib.suppress(OSError):
            Path(f"/proc/self/{file}").write_text(text)
    return True


def _limit(budget: Budget, *, count_processes: bool) -> None:
    # Address space is not limited: Go reserves far more of it than it ever uses, and would not start.
    limits = {
        resource.RLIMIT_CPU: budget.cpu_seconds,
        resource.RLIMIT_DATA: budget.memory_bytes,
        resource.RLIMIT_FSIZE: budget.file_bytes,
        resource.RLIMIT_NOFILE: budget.open_files,
        resource.RLIMIT_CORE: 0,
    }
    if count_processes:  # else the system counts every process of this user on the machine
        limits[resource.RLIMIT_NPROC] = budget.processes
    for kind, value in limits.items():
        _, hard = resource.getrlimit(kind)
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (least, least))


def _drop_capabilities() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    for number in range(_CAPABILITIES):
        libc.prctl(_DROP_FROM_BOUNDING_SET, number, 0, 0, 0)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    libc.capset(header, (ctypes.c_uint32 * 6)())
    libc.prctl(_NOT_DUMPABLE, 0, 0, 0, 0)


def _readable(programs: Iterable[Path]) -> list[Path]:
    python = [Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve()]
    return [*map(Path, _SYSTEM), *python, *map(Path, sys.path), *programs]
