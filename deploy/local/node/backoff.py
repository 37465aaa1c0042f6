"""How long a container that ended waits before it is started again.

base 1 s, limit 30 s: at once, then 1, 2, 4, 8, 16, 30, 30, … s; one that ran for 60 s starts over
"""

from __future__ import annotations


class BackOff:
    """The delays of one container, in seconds."""

    def __init__(self, *, base: float, limit: float) -> None:
        self._base, self._limit = base, limit
        self._failures = 0

    def next(self, *, ran_for: float) -> float:
        """The delay after a run of `ran_for` seconds."""
        if ran_for > 2 * self._limit:
            self._failures = 0
        delay = min(self._limit, self._base * 2.0 ** (self._failures - 1)) if self._failures else 0.0
        # 2 ** 32 would do no harm, but a container that crashes for days need not get there
        self._failures = min(self._failures + 1, 32)
        return delay
