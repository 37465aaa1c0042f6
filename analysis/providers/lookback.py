"""The stretch of time a query looks back over: from `interval` before now until now; five minutes by default."""

from __future__ import annotations

from datetime import datetime

from analysis.providers.base import Misconfigured
from analysis.spec import parse_duration

DEFAULT_SECONDS = 300.0


def span(interval: str | None, now: datetime, *, where: str) -> tuple[float, float]:
    """Begin and end as seconds since 1970. `where` names the field. Raises Misconfigured."""
    try:
        seconds = parse_duration(interval) if interval else DEFAULT_SECONDS
    except ValueError as error:
        raise Misconfigured(f"{where}: {error}") from error
    if seconds <= 0:
        raise Misconfigured(f"{where} must be longer than 0")
    end = now.timestamp()
    return max(0.0, end - seconds), end
