"""Lines on a terminal: plain text, ANSI colours, and a live view that follows changes.

Static output needs no library; `rich` (a tenth of a second to import) draws the live view only. Colours are left out
when the output is no terminal, when NO_COLOR is set, or with --no-color.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rollouts.cli.text import BAD, BOLD, BUSY, FAINT, GOOD, HELD, WARN, Line

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

_ANSI = {GOOD: "32", BUSY: "36", BAD: "31", HELD: "33", WARN: "33", FAINT: "2", BOLD: "1"}
_RICH = {GOOD: "green", BUSY: "cyan", BAD: "red", HELD: "yellow", WARN: "yellow", FAINT: "dim", BOLD: "bold"}


def plain(lines: Iterable[Line]) -> str:
    """The lines as text."""
    return "\n".join("".join(span.text for span in line).rstrip() for line in lines)


def coloured(lines: Iterable[Line]) -> str:
    """The lines with ANSI colours."""
    return "\n".join("".join(_ansi(span.text, span.style) for span in line).rstrip() for line in lines)


def _ansi(text: str, style: str) -> str:
    code = _ANSI.get(style)
    return f"\x1b[{code}m{text}\x1b[0m" if code and text.strip() else text


class Terminal:
    """Where results and remarks go. `colour`: None finds out."""

    def __init__(self, *, colour: bool | None = None) -> None:
        self.is_terminal = sys.stdout.isatty()
        wanted = self.is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        self.colour = wanted if colour is None else colour

    @property
    def width(self) -> int | None:
        """Characters of a line; None when the output is no terminal."""
        return shutil.get_terminal_size().columns if self.is_terminal else None

    def show(self, lines: Iterable[Line]) -> None:
        """Print lines."""
        self.say(coloured(lines) if self.colour else plain(lines))

    def say(self, text: str) -> None:
        """Print text to standard output."""
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def remark(self, text: str) -> None:
        """Print text to standard error."""
        sys.stderr.write(text + "\n")
        sys.stderr.flush()

    def live(self) -> Screen:
        """A view that is redrawn in place; only for terminals."""
        return Screen(colour=self.colour)


class Screen:
    """A live view: `draw` replaces what was drawn before. Use as a context manager; the last view stays."""

    def __init__(self, *, colour: bool) -> None:
        from rich.console import Console
        from rich.live import Live

        console = Console(no_color=not colour, highlight=False)
        self._live: Live = Live(console=console, auto_refresh=False, vertical_overflow="crop")

    def __enter__(self) -> Screen:
        self._live.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        # The cropped view is of no use once it stays: the end is printed in full.
        self._live.vertical_overflow = "visible"
        self._live.__exit__(None, None, None)

    def draw(self, lines: Iterable[Line]) -> None:
        """Replace the view."""
        self._live.update(_rich_text(lines), refresh=True)


def _rich_text(lines: Iterable[Line]) -> Text:
    from rich.text import Text

    text = Text(no_wrap=True, overflow="ellipsis")
    for at, line in enumerate(lines):
        text.append("\n" if at else "")
        for span in line:
            text.append(span.text, style=_RICH.get(span.style, ""))
    return text
