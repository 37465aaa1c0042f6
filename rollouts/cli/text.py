"""Words and glyphs: how ages, steps and states are written, the same everywhere.

A `Line` is a row of styled pieces; `terminal.py` turns it into plain text, ANSI colours or a live view.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

GOOD, BUSY, BAD, HELD, WARN, FAINT, BOLD, PLAIN = "good", "busy", "bad", "held", "warn", "faint", "bold", ""


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a line and its style, one of the names above."""

    text: str
    style: str = PLAIN


Line = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class State:
    """How something is: a word, and the glyph and style that go with it."""

    word: str
    glyph: str
    style: str

    def __str__(self) -> str:
        return f"{self.glyph} {self.word}".strip()


_LOOKS: dict[str, tuple[str, str]] = {
    GOOD: ("✔", GOOD),
    BUSY: ("◌", BUSY),
    BAD: ("✖", BAD),
    HELD: ("‖", HELD),
    WARN: ("⚠", WARN),
    FAINT: ("•", FAINT),
    PLAIN: ("?", WARN),
}

_WORDS: dict[str, str] = {
    "Healthy": GOOD,
    "Successful": GOOD,
    "Succeeded": GOOD,
    "Completed": GOOD,
    "Progressing": BUSY,
    "Pending": BUSY,
    "Running": BUSY,
    "Terminating": BUSY,
    "Paused": HELD,
    "Degraded": BAD,
    "Failed": BAD,
    "Error": WARN,
    "Inconclusive": PLAIN,
    "ScaledDown": FAINT,
}


def state(word: str, look: str | None = None) -> State:
    """The state of that word; `look` overrides the one the table gives."""
    glyph, style = _LOOKS[look if look is not None else _WORDS.get(word, PLAIN)]
    return State(word, glyph, style)


_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def age(seconds: float | None) -> str:
    """A span of time as kubectl writes it, its two largest parts: `8s`, `4m12s`, `3h5m`, `12d`; empty for None."""
    if seconds is None:
        return ""
    left = max(0, int(seconds))
    if left >= 10 * 86400:
        return f"{left // 86400}d"
    parts: list[str] = []
    for size, unit in _UNITS:
        amount, left = divmod(left, size)
        if amount or (unit == "s" and not parts):
            parts.append(f"{amount}{unit}")
        elif parts:
            break
    return "".join(parts[:2])


def _weight(value: Any) -> str:
    return f"setWeight: {value}"


def _pause(value: Any) -> str:
    duration = (value or {}).get("duration")
    unit = "s" if str(duration).isdecimal() else ""
    return "pause" if duration is None else f"pause: {duration}{unit}"


def _scale(value: Any) -> str:
    shown = ", ".join(f"{key}: {item}" for key, item in (value or {}).items())
    return f"setCanaryScale{{{shown}}}"


def _named(word: str) -> Any:
    return lambda value: f"{word}: {(value or {}).get('name', '')}"


STEPS: dict[str, Any] = {
    "setWeight": _weight,
    "pause": _pause,
    "setCanaryScale": _scale,
    "analysis": lambda value: "analysis",
    "experiment": lambda value: "experiment",
    "plugin": _named("plugin"),
    "setHeaderRoute": _named("setHeaderRoute"),
    "setMirrorRoute": _named("setMirrorRoute"),
}


def step_text(step: Mapping[str, Any]) -> str:
    """A canary step in the words of the peer's events: `setWeight: 20`, `pause: 10s`, `analysis`."""
    for key, teller in STEPS.items():
        if key in step:
            return str(teller(step[key]))
    return next(iter(step), "?")


def count(number: int, noun: str) -> str:
    """`1 pod`, `2 pods`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"
