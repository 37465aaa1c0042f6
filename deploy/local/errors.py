"""What can go wrong with a local control plane, said for a person: what, where, and what to do next."""

from __future__ import annotations

from pathlib import Path

TAIL_LINES = 25


class LocalError(Exception):
    """Anything the local control plane can't do; the message is all that a user needs to see."""


class ProcessDiedError(LocalError):
    """A part of the plane ended although nobody asked it to; the message ends with the last lines of its log."""

    def __init__(self, *, name: str, returncode: int, log: Path) -> None:
        super().__init__(f"{name} ended with {_how(returncode)}; the end of its log ({log}):\n{log_tail(log)}")
        self.name = name
        self.returncode = returncode


class NamespacesRefusedError(LocalError):
    """This machine lets us make no network namespace, so pods can't have addresses of their own."""

    def __init__(self, *, reason: str) -> None:
        super().__init__(
            f"no network namespace could be made here ({reason}). Allow unprivileged user namespaces "
            "(sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces>0, and on Ubuntu "
            "kernel.apparmor_restrict_unprivileged_userns=0), or use a real cluster instead: "
            "`kind create cluster`, then set ROLLOUTS_TEST_KUBECONFIG=$HOME/.kube/config."
        )


def log_tail(log: Path, *, lines: int = TAIL_LINES) -> str:
    """The last lines of a log, indented; a sentence if there is none."""
    if not log.exists() or not log.stat().st_size:
        return "  (it wrote nothing)"
    return "\n".join(f"  {line}" for line in log.read_text(errors="replace").splitlines()[-lines:])


def _how(returncode: int) -> str:
    return f"signal {-returncode}" if returncode < 0 else f"exit code {returncode}"
