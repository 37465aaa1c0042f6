"""Run a long command behind a progress line, so that it can be interrupted and leaves nothing running."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local.errors import LocalError, log_tail
from deploy.local.progress import Progress
from deploy.local.supervisor import die_with_parent

TICK_SECONDS = 1.0


def run_long(
    argv: Sequence[str], *, title: str, log: Path, hint: str = "", cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> None:  # fmt: skip
    """Run a command with its output in `log`; LocalError with the log's end if it fails."""
    progress = Progress(title=title, hint=hint)
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True, preexec_fn=die_with_parent,
        )  # fmt: skip
    try:
        _wait(process, progress)
    except BaseException:
        progress.failed()
        raise
    finally:
        # an interrupted `go build` has compilers under it: end the whole group
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.returncode:
        progress.failed()
        raise LocalError(f"{' '.join(argv)}\nfailed; the end of its output ({log}):\n{log_tail(log)}")
    progress.done()


def _wait(process: subprocess.Popen[bytes], progress: Progress) -> None:
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=TICK_SECONDS)
            return
        progress.tick()
