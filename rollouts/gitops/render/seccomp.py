"""A seccomp filter that takes the network, and what could undo the other walls, from a process for good.

Refused with EPERM: making any socket, so nothing can be dialled, listened on or asked of a daemon; io_uring, which
could make sockets past this filter; namespaces and mounts; looking into other processes; kernel keys and modules. All
else works as always. The filter is inherited by every child and can't be taken off again.

The program is classic BPF, four numbers to an instruction, built here because the one binding on PyPI is abandoned.
Only the standard library is used: this runs before anything else is imported.
"""

from __future__ import annotations

import ctypes
import errno
import platform
import struct

_LOAD, _EQUALS, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | errno.EPERM
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4
_FOREIGN_NUMBERS = 0x40000000
_SET_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER = 38, 22, 2

#: Architecture -> its audit number, and the numbers of the calls that are refused.
ARCHITECTURES: dict[str, tuple[int, dict[str, int]]] = {
    "x86_64": (
        0xC000003E,
        {
            "socket": 41, "ptrace": 101, "pivot_root": 155, "chroot": 161, "mount": 165, "umount2": 166,
            "init_module": 175, "delete_module": 176, "kexec_load": 246, "add_key": 248, "request_key": 249,
            "keyctl": 250, "unshare": 272, "perf_event_open": 298, "open_by_handle_at": 304, "setns": 308,
            "process_vm_readv": 310, "process_vm_writev": 311, "finit_module": 313, "bpf": 321, "userfaultfd": 323,
            "io_uring_setup": 425,
        },
    ),
    "aarch64": (
        0xC00000B7,
        {
            "umount2": 39, "mount": 40, "pivot_root": 41, "chroot": 51, "unshare": 97, "kexec_load": 104,
            "init_module": 105, "delete_module": 106, "ptrace": 117, "socket": 198, "add_key": 217,
            "request_key": 218, "keyctl": 219, "perf_event_open": 241, "open_by_handle_at": 265, "setns": 268,
            "process_vm_readv": 270, "process_vm_writev": 271, "finit_module": 273, "bpf": 280, "userfaultfd": 282,
            "io_uring_setup": 425,
        },
    ),
}  # fmt: skip


#: The calls without which nobody can be dialled: for a process that starts others which put up all walls themselves.
NETWORK = frozenset({"socket", "io_uring_setup"})


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def program(architecture: str, *, only: frozenset[str] | None = None) -> bytes:
    """The filter for an architecture of `ARCHITECTURES`; KeyError for another one. `only`: some of its calls."""
    audit, calls = ARCHITECTURES[architecture]
    refused = [number for name, number in calls.items() if only is None or name in only]
    instructions = [
        (_LOAD, 0, 0, _ARCHITECTURE_AT),
        (_EQUALS, 1, 0, audit),
        (_RETURN, 0, 0, _KILL),
        (_LOAD, 0, 0, _NUMBER_AT),
        (_AT_LEAST, 0, 1, _FOREIGN_NUMBERS),
        (_RETURN, 0, 0, _REFUSE),
    ]
    for number in sorted(refused):
        instructions += [(_EQUALS, 0, 1, number), (_RETURN, 0, 0, _REFUSE)]
    instructions.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in instructions)


def refuse(*, only: frozenset[str] | None = None) -> bool:
    """Put the filter on this thread and all that it starts. False where the kernel or the architecture has none."""
    if platform.machine() not in ARCHITECTURES:
        return False
    code = program(platform.machine(), only=only)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0):
        return False
    filter_ = _Program(len(code) // 8, code)
    return bool(libc.prctl(_SET_SECCOMP, _FILTER, ctypes.byref(filter_), 0, 0) == 0)
