"""A network namespace for a plane: how to make one, and how to get a command into it.

A namespace lives as long as a process in it, here the supervisor. Root makes one directly; others need a user
namespace around it (`unshare -r`), in which they are root. To enter one from outside, `nsenter` takes the
supervisor's pid; `setpriv --pdeathsig` sits after it, since entering a user namespace clears that signal.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass

from deploy.local.errors import NamespacesRefusedError


@dataclass(frozen=True, kw_only=True)
class Namespace:
    """How a namespace is made: `flags` for unshare, `enter` for nsenter."""

    flags: tuple[str, ...]
    enter: tuple[str, ...]

    def wrap_new(self, argv: list[str]) -> list[str]:
        """The command, in a new namespace."""
        return ["unshare", *self.flags, *argv]

    def wrap_enter(self, argv: list[str], *, pid: int) -> list[str]:
        """The command, in the namespace of the process `pid`; it is killed when the forking thread ends."""
        return ["nsenter", f"--target={pid}", *self.enter, "setpriv", "--pdeathsig=KILL", *argv]


AS_ROOT = Namespace(flags=("--net",), enter=("--net",))
AS_USER = Namespace(flags=("--map-root-user", "--net"), enter=("--user", "--net", "--preserve-credentials"))


def find_namespace() -> Namespace:
    """The way that works here; raises NamespacesRefusedError, saying why, where none does."""
    if missing := [tool for tool in ("unshare", "nsenter", "setpriv") if not shutil.which(tool)]:
        raise NamespacesRefusedError(reason=f"{', '.join(missing)} of util-linux is not installed")
    reason = ""
    for way in (AS_ROOT, AS_USER) if os.geteuid() == 0 else (AS_USER,):
        tried = subprocess.run(way.wrap_new(["true"]), capture_output=True, text=True)
        if tried.returncode == 0:
            return way
        reason = tried.stderr.strip()
    raise NamespacesRefusedError(reason=reason)
