"""Reads the numbers of a `compare` block: written as text, with a percent sign, or still to be filled in."""

from __future__ import annotations

import math


def number(value: int | str | None) -> float | None:
    """The number, percent sign or not; None when there is none, or it is still to be filled in. Raises ValueError."""
    if value is None or (isinstance(value, str) and "{{" in value):
        return None
    found = float(str(value).strip().removesuffix("%"))
    if not math.isfinite(found):
        raise ValueError(value)
    return found
