"""Landlock: from here on the process sees the given files and folders, and no others.

So a renderer that is tricked into opening a path outside its folder, a service account's token say, is refused by the
kernel and not by a check on strings. Rights are handled as far as the running kernel knows them (its "ABI"); from
version 4 on TCP is refused too, from version 6 on signals to processes outside. Where the kernel has no Landlock,
`confine` says False and the other walls stand alone. Only the standard library is used.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

_CREATE, _ADD, _RESTRICT = 444, 445, 446
_VERSION, _PATH_BENEATH = 1, 1
_SET_NO_NEW_PRIVILEGES = 38

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_TRUNCATE, _IOCTL = 1 << 14, 1 << 15
_FOR_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL
_READING = _EXECUTE | _READ_FILE | _READ_DIR
#: ABI version -> how many of the file rights it knows.
_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_TCP, _OUTSIDE_SOCKETS_AND_SIGNALS = 0b11, 0b11


def version() -> int:
    """The kernel's ABI version, 0 when there is no Landlock."""
    return max(0, int(_libc().syscall(_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(_VERSION))))


def confine(*, readable: Iterable[Path], writable: Iterable[Path]) -> bool:
    """Leave this process and its children only these; programs in `readable` may be run. False without Landlock."""
    abi = version()
    if not abi:
        return False
    handled = (1 << _RIGHTS[min(abi, 5)]) - 1
    attributes = struct.pack("=QQQ", handled, _TCP, _OUTSIDE_SOCKETS_AND_SIGNALS)
    size = {1: 8, 2: 8, 3: 8, 4: 16, 5: 16}.get(abi, 24)
    libc = _libc()
    ruleset = libc.syscall(_CREATE, attributes[:size], ctypes.c_size_t(size), ctypes.c_uint(0))
    if ruleset < 0:
        return False
    for paths, rights in ((readable, _READING), (writable, handled)):
        for path in paths:
            _allow(ruleset, path, rights & handled)
    libc.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    done = bool(libc.syscall(_RESTRICT, ruleset, ctypes.c_uint(0)) == 0)
    os.close(ruleset)
    return done


def _allow(ruleset: int, path: Path, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        rule = struct.pack("=Qi", rights if path.is_dir() else rights & _FOR_FILES, handle)
        _libc().syscall(_ADD, ruleset, _PATH_BENEATH, rule, ctypes.c_uint(0))
    finally:
        os.close(handle)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
