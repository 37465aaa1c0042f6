"""`maxSurge`, `maxUnavailable` and their like: a number of pods, or a share of them.

A whole number is a number of pods. A string is a percentage, with or without the sign: `"25%"` and `"25"` are both a
quarter, because the peer reads them so (and its defaults are written without the sign).
"""

from __future__ import annotations

import re

_PERCENTAGE = re.compile(r"([0-9]{1,9})%?")


def percentage(text: str) -> int:
    """The number in `"25%"` or `"25"`. Raises ValueError with a message for people."""
    found = _PERCENTAGE.fullmatch(text)
    if found is None:
        raise ValueError(f'"{text[:50]}" is neither a whole number nor a percentage such as 25%')
    return int(found[1])


def resolve(value: int | str, *, total: int, up: bool) -> int:
    """Pods meant by `value` out of `total`; a share is rounded up (`up`) or down.

    `resolve("25%", total=10, up=True) == 3`; `resolve("25%", total=10, up=False) == 2`; `resolve(2, …) == 2`.
    """
    if isinstance(value, int):
        return value
    share = percentage(value) * total
    return -(-share // 100) if up else share // 100
