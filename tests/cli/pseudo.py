"""A program in a pseudo-terminal: what it shows, keys typed into it, how it ended."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

CTRL_C = "\x03"
PLUGIN = [sys.executable, "-c", "from rollouts.cli.main import plugin_app; plugin_app(prog_name='kubectl rollouts')"]
SECONDS = 45.0
_PIECES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\r\n]|[^\r\n\x1b]+")
_LEAD = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
"""Makes the terminal the session's own before the program begins, or Ctrl-C would be no signal."""
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Session:
    """The program and the terminal's other end. `shown`: all it has written, control sequences and all."""

    def __init__(self, process: subprocess.Popen[bytes], end: int) -> None:
        self.process = process
        self.shown = ""
        self._end = end

    @property
    def text(self) -> str:
        """What was written, without control sequences; a view that was redrawn is there again and again."""
        return _CONTROL.sub("", self.shown).replace("\r", "")

    def screen(self) -> list[str]:
        """The rows a person sees in the end: of the sequences, those that move up and that clear a row are obeyed."""
        rows, at, column = [""], 0, 0
        for piece in _PIECES.findall(self.shown):
            if piece == "\r":
                column = 0
            elif piece == "\n":
                at += 1
                rows += [""] * (at + 1 - len(rows))
            elif piece.startswith("\x1b["):
                at -= int(piece[2:-1] or 1) if piece.endswith("A") else 0
                rows[at] = "" if piece == "\x1b[2K" else rows[at]
            else:
                rows[at] = rows[at][:column].ljust(column) + piece + rows[at][column + len(piece) :]
                column += len(piece)
        return [row.rstrip() for row in rows]

    def type(self, keys: str) -> None:
        """Type keys; Ctrl-C becomes a signal only as the terminal makes one of it."""
        os.write(self._end, keys.encode())

    def until(self, pattern: str, *, times: int = 1) -> str:
        """Read until the text has the pattern so many times; returns the text. AssertionError when it ends before."""
        deadline = time.monotonic() + SECONDS
        while len(re.findall(pattern, self.text)) < times:
            assert time.monotonic() < deadline, f"{pattern!r} was not shown:\n{self.text}"
            assert self._read(), f"ended without {pattern!r}:\n{self.text}"
        return self.text

    def ended(self) -> int:
        """Read to the end; returns the exit code."""
        while self._read():
            pass
        return self.process.wait(timeout=SECONDS)

    def echoes(self) -> bool:
        """Whether the terminal echoes what is typed, as a shell expects to find it."""
        return bool(termios.tcgetattr(self._end)[3] & termios.ECHO)

    def _read(self) -> bool:
        ready, _, _ = select.select([self._end], [], [], 1.0)
        if not ready:
            return self.process.poll() is None
        try:
            found = os.read(self._end, 65536)
        except OSError:  # the program has closed its end
            return False
        self.shown += found.decode(errors="replace")
        return bool(found)


@contextlib.contextmanager
def session(line: str, *, kubeconfig: Path, environment: Mapping[str, str] | None = None) -> Iterator[Session]:
    """`kubectl rollouts LINE` in a terminal of 40 rows and 120 columns. Killed in the end if it still runs."""
    own, other = pty.openpty()
    termios.tcsetwinsize(own, (40, 120))
    known = {**os.environ, "KUBECONFIG": str(kubeconfig), "TERM": "xterm-256color", **(environment or {})}
    argv = [sys.executable, "-c", _LEAD, *PLUGIN, *line.split()]
    process = subprocess.Popen(argv, stdin=other, stdout=other, stderr=other, env=known, start_new_session=True)
    os.close(other)
    try:
        yield Session(process, own)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(own)
