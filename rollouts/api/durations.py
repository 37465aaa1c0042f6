"""Durations of the API in seconds: Go's notation, and the pause step's, which also takes bare numbers.

`pause: {duration: 30}`, `{duration: "30"}` and `{duration: 30s}` are the same half minute.
"""

from __future__ import annotations

import re

from analysis.spec.durations import parse_duration

_WHOLE_NUMBER = re.compile(r"[+-]?[0-9]{1,18}")
_LONGEST_PAUSE = 2**31 - 1


def seconds(duration: int | str) -> float:
    """Seconds of a pause step's duration. Raises ValueError with a message for people.

    A whole number, bare or quoted, is in seconds; other text is a Go duration. The peer counts whole seconds only:
    `1500ms` pauses one second.
    """
    amount = _read(duration)
    if not 0 <= amount <= _LONGEST_PAUSE:
        raise ValueError(f"duration must be between 0 and {_LONGEST_PAUSE} seconds")
    return float(int(amount))


def _read(duration: int | str) -> float:
    if isinstance(duration, int):
        return duration
    return int(duration) if _WHOLE_NUMBER.fullmatch(duration) else parse_duration(duration)


__all__ = ["parse_duration", "seconds"]
