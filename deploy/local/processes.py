"""The owner's end of the supervisor: start and stop processes by name, and notice the ones that died.

`Processes` is what `Plane` and `Prometheus` are built on. `check()` is cheap (one line over a pipe) and is called in
every wait, so that a server that died is reported with the end of its log instead of being waited for.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from deploy.local.errors import LocalError, ProcessDiedError
from deploy.local.namespaces import Namespace

REPOSITORY = Path(__file__).resolve().parents[2]
POLL_SECONDS = 0.03
STOP_SECONDS = 40.0


class Processes:
    """A supervisor and what it runs.

    `directory` is the working folder of every process and holds `NAME.log` for each. With a `namespace` they run in a
    new one with `address` on its `lo`. With `scratch` that folder is removed when the last process is gone, even
    if the owner was killed.
    """

    def __init__(
        self, *, directory: Path, namespace: Namespace | None = None, address: str = "", scratch: Path | None = None
    ) -> None:
        self.directory = directory
        self.namespace = namespace
        self._lock = threading.Lock()
        self._expected: set[str] = set()
        self._supervisor = self._launch(_options(address=address, scratch=scratch))
        self.pid: int = self._reply()["pid"]

    def _launch(self, options: list[str]) -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "deploy.local.supervisor", *options]
        with self._log("supervisor").open("ab") as log:
            return subprocess.Popen(
                self.namespace.wrap_new(argv) if self.namespace else argv,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                cwd=REPOSITORY, start_new_session=True,
            )  # fmt: skip

    def start(
        self,
        *,
        name: str,
        argv: Sequence[str],
        rank: int,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> int:
        """Start a process; returns its pid. Higher ranks are stopped first."""
        order = {"op": "start", "name": name, "argv": [str(part) for part in argv], "rank": rank,
                 "env": dict(os.environ if env is None else env), "cwd": str(cwd or self.directory),
                 "log": str(self._log(name))}  # fmt: skip
        pid: int = self._ask(order)["pid"]
        self._expected.add(name)
        return pid

    def stop(self, name: str, *, grace: float = 5.0) -> None:
        """SIGTERM, and SIGKILL after `grace` seconds; returns when it is gone."""
        self._expected.discard(name)
        self._ask({"op": "stop", "name": name, "grace": grace})

    def signal(self, name: str, number: int) -> None:
        """Send a signal; an end that follows is *not* expected, so `check` will report it."""
        self._ask({"op": "signal", "name": name, "signal": number})

    def pids(self) -> dict[str, int]:
        """The pid of each process that runs."""
        return {name: entry["pid"] for name, entry in self._poll().items() if entry["returncode"] is None}

    def check(self) -> None:
        """Raise ProcessDiedError for a process that ended without being stopped."""
        for name, entry in self._poll().items():
            if name in self._expected and entry["returncode"] is not None:
                raise ProcessDiedError(name=name, returncode=entry["returncode"], log=self._log(name))

    def wait_for(self, *, what: str, probe: Callable[[], Any], seconds: float = 60.0) -> Any:
        """Call `probe` until it returns something true, and return that.

        A refused or broken connection counts as 'not yet'. Raises ProcessDiedError at once when one died, LocalError
        after `seconds`.
        """
        deadline = time.monotonic() + seconds
        while True:
            self.check()
            if result := _attempt(probe):
                return result
            if time.monotonic() > deadline:
                raise LocalError(f"{what} was not there after {seconds:.0f} s; logs are in {self.directory}")
            time.sleep(POLL_SECONDS)

    def close(self) -> None:
        """Stop everything, latest rank first, and wait for it; may be called again."""
        if self._supervisor.stdin and not self._supervisor.stdin.closed:
            with contextlib.suppress(BrokenPipeError):  # it was killed
                self._supervisor.stdin.close()
        try:
            self._supervisor.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._supervisor.kill()
            self._supervisor.wait()
        if self._supervisor.stdout:
            self._supervisor.stdout.close()

    def _log(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    def _poll(self) -> dict[str, dict[str, Any]]:
        return self._ask({"op": "poll"})

    def _ask(self, order: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            try:
                assert self._supervisor.stdin
                self._supervisor.stdin.write(json.dumps(order) + "\n")
                self._supervisor.stdin.flush()
            except (BrokenPipeError, ValueError) as error:
                raise self._gone() from error
            return self._reply()

    def _reply(self) -> dict[str, Any]:
        assert self._supervisor.stdout
        line = self._supervisor.stdout.readline()
        if not line:
            raise self._gone()
        reply = json.loads(line)
        if "error" in reply:
            raise LocalError(f"the supervisor could not do that: {reply['error']}")
        result: dict[str, Any] = reply["result"]
        return result

    def _gone(self) -> ProcessDiedError:
        returncode = self._supervisor.wait(timeout=STOP_SECONDS)
        return ProcessDiedError(name="supervisor", returncode=returncode, log=self._log("supervisor"))


def _options(*, address: str, scratch: Path | None) -> list[str]:
    return [*(["--address", address] if address else []), *(["--scratch", str(scratch)] if scratch else [])]


def _attempt(probe: Callable[[], Any]) -> Any:
    try:
        return probe()
    except OSError:
        return None
