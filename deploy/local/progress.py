"""One line for each thing that takes a while: seconds tick on a terminal, elsewhere a line at start and end."""

from __future__ import annotations

import sys
import time
from typing import TextIO


class Progress:
    """The line of one piece of work; call `tick` now and then, and `done` or `failed` at the end."""

    def __init__(self, *, title: str, hint: str = "", stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._title = title
        self._hint = f" ({hint})" if hint else ""
        self._started = time.monotonic()
        self._live = self._stream.isatty()
        self._write(f"{title} …{self._hint}", end="" if self._live else "\n")

    def tick(self) -> None:
        """Show the seconds so far, on a terminal."""
        if self._live:
            self._write(f"\r\x1b[K{self._title} … {self._elapsed()}{self._hint}", end="")

    def done(self, outcome: str = "done") -> None:
        """Finish the line."""
        self._finish(outcome)

    def failed(self) -> None:
        """Finish the line; the error itself is told by an exception."""
        self._finish("failed")

    def _finish(self, outcome: str) -> None:
        start = "\r\x1b[K" if self._live else ""
        self._write(f"{start}{self._title}: {outcome} after {self._elapsed()}", end="\n")

    def _elapsed(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self._started), 60)
        return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"

    def _write(self, text: str, *, end: str) -> None:
        print(text, end=end, file=self._stream, flush=True)
