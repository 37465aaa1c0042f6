"""Durations as people write them in the API: Go's `1m30s`, `500ms`, `1h`; sign, fractions and several units allowed.

A bare number is not a duration (Go refuses it too), except `0`. Where the API takes bare numbers as seconds, the
caller says so: see `rollouts.api.durations`.
"""

from __future__ import annotations

import re
from datetime import timedelta

_SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_WHOLE = re.compile(rf"([+-]?)((?:(?:{_PART.pattern}))+)")
_LONGEST = (2**63 - 1) * 1e-9
"""Go keeps a duration as 64 bits of nanoseconds: 292 years."""


def parse_duration(text: str) -> float:
    """Seconds of a Go duration: `parse_duration("1m30s") == 90.0`. Raises ValueError with a message for people."""
    if text in ("0", "+0", "-0"):
        return 0.0
    found = _WHOLE.fullmatch(text) if len(text) <= 100 else None
    if found is None:
        raise ValueError(f'invalid duration "{text[:100]}": write a number with a unit, such as 30s, 5m or 1h30m')
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(found[2]))
    if seconds > _LONGEST:
        raise ValueError(f'invalid duration "{text}": longer than 292 years')
    return -seconds if found[1] == "-" else seconds


def as_timedelta(text: str) -> timedelta:
    """`parse_duration` as a timedelta."""
    return timedelta(seconds=parse_duration(text))
