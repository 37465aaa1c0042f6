"""The parent of a plane's processes: starts them, stops them in order, and lets none outlive the plane.

It runs as a process of its own (inside the plane's network namespace, if there is one) and takes orders as JSON lines
on standard input, one reply a line. When its input ends, because the plane was stopped or its owner was killed in
whatever way, it stops everything, latest rank first, then sweeps up what they left behind: it is a *subreaper*,
so a grandchild whose parent is gone becomes its child. Should the supervisor itself be killed, its children go with
it (PR_SET_PDEATHSIG). That signal follows the death of the *thread* that forked, which is why threaded owners, such as
pytest or an event loop, don't fork the servers themselves.

    {"op": "start", "name": "etcd", "argv": [...], "env": {...}, "cwd": "/…", "log": "/…/etcd.log", "rank": 0}
    {"op": "stop", "name": "etcd", "grace": 5.0}     seconds between SIGTERM and SIGKILL
    {"op": "signal", "name": "etcd", "signal": 9}
    {"op": "poll"}                                   -> {"etcd": {"pid": 12, "returncode": null}}
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from deploy.local.loopback import configure_loopback

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
GRACE_SECONDS = 5.0
LIBC = ctypes.CDLL(None, use_errno=True)

Reply = dict[str, Any]


def die_with_parent() -> None:
    """Run in a child between fork and exec: it is killed when the thread that forked it ends."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Supervisor:
    """The processes by name; a name may be started again once its process has ended."""

    def __init__(self) -> None:
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._ranks: dict[str, int] = {}

    def start(self, *, name: str, argv: list[str], env: dict[str, str], cwd: str, log: str, rank: int) -> Reply:
        with Path(log).open("ab") as output:
            self._processes[name] = subprocess.Popen(
                argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True, preexec_fn=die_with_parent,
            )  # fmt: skip
        self._ranks[name] = rank
        return {"pid": self._processes[name].pid}

    def stop(self, *, name: str, grace: float = GRACE_SECONDS) -> Reply:
        self._stop([name], grace=grace)
        return {"returncode": self._processes[name].returncode}

    def signal(self, *, name: str, signal: int) -> Reply:
        self._processes[name].send_signal(signal)
        return {}

    def poll(self) -> Reply:
        _reap(known={process.pid for process in self._processes.values()})
        return {n: {"pid": p.pid, "returncode": p.poll()} for n, p in self._processes.items()}

    def stop_all(self) -> None:
        """Latest rank first, a rank at once; then whatever they forked and left."""
        for rank in sorted(set(self._ranks.values()), reverse=True):
            self._stop([name for name, its in self._ranks.items() if its == rank], grace=GRACE_SECONDS)
        _sweep()

    def _stop(self, names: list[str], *, grace: float) -> None:
        running = [self._processes[name] for name in names if self._processes[name].poll() is None]
        for process in running:
            _signal_group(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + grace
        for process in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=max(0.0, deadline - time.monotonic()))
            _signal_group(process.pid, signal.SIGKILL)
            process.wait()


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _children() -> list[int]:
    tasks = Path("/proc/self/task").glob("*/children")
    return [int(pid) for task in tasks for pid in task.read_text().split()]


def _reap(*, known: set[int]) -> None:
    """Collect orphans that ended; the known ones are collected by their Popen."""
    for pid in set(_children()) - known:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _sweep() -> None:
    """Killing a child may hand us its children in turn, so go on until there are none."""
    while pids := _children():
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _orders() -> Iterator[dict[str, Any]]:
    # readline, not iteration: iteration reads ahead and would sit on an order that is already there
    while line := sys.stdin.readline():
        yield json.loads(line)


def _serve(supervisor: Supervisor) -> None:
    operations: dict[str, Callable[..., Reply]] = {
        "start": supervisor.start, "stop": supervisor.stop, "signal": supervisor.signal, "poll": supervisor.poll,
    }  # fmt: skip
    for order in _orders():
        try:
            reply: Reply = {"result": operations[order.pop("op")](**order)}
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), flush=True)


def main() -> None:
    """Serve until standard input ends or SIGTERM comes, then stop all and remove `--scratch`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scratch", type=Path, help="a folder to remove at the end")
    parser.add_argument("--address", help="put this address, such as 10.244.0.1/16, on lo and bring it up")
    options = parser.parse_args()
    LIBC.prctl(PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if options.address:
        configure_loopback(address=options.address)
    supervisor = Supervisor()
    print(json.dumps({"result": {"pid": os.getpid()}}), flush=True)
    try:
        with contextlib.suppress(BrokenPipeError):
            _serve(supervisor)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        supervisor.stop_all()
        if options.scratch:
            shutil.rmtree(options.scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
