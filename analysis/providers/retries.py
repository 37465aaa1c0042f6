"""When a question is asked again: on a 429, a 5xx or a lost connection, a few times, within the time it may take.

attempt 1 ─ 503 ─ 0.1 s or so ─ attempt 2 ─ 429, Retry-After: 3 ─ 3 s ─ attempt 3 ─ …      at most 3, in 30 s
attempt 1 ─ 429, Retry-After: 120 ─ error: it asks to wait 120 s, which is longer than the timeout of 30 s
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NoReturn

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    stop_before_delay,
    wait_random_exponential,
)

from analysis.providers.base import ProviderError, Unavailable, Unreachable

ATTEMPTS = 3
_LONGEST_RETRY_AFTER = 366 * 86400.0
"""Seconds. Larger numbers are no durations (others put a moment into the same header)."""


def retry_after(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Seconds a server asks to wait: Retry-After in seconds or as a date, or Datadog's X-RateLimit-Reset in seconds."""
    text = headers.get("Retry-After") or headers.get("X-RateLimit-Reset") or ""
    try:
        seconds = float(text) if text[:1].isdigit() else _until(text, now or datetime.now(UTC))
    except (TypeError, ValueError):
        return None
    return max(0.0, seconds) if seconds < _LONGEST_RETRY_AFTER else None


def _until(text: str, now: datetime) -> float:
    moment = parsedate_to_datetime(text)
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds()


def retrying(seconds: float) -> AsyncRetrying:
    """Try a request that only reads again on a 429, a 5xx or a lost connection: `await retrying(30)(request)`.

    Three attempts at most, none begun later than `seconds` after the first. A server that asks to wait is given its
    time; when that is too long, the error says so.
    """
    return AsyncRetrying(
        retry=retry_if_exception_type((Unavailable, Unreachable)),
        stop=stop_after_attempt(ATTEMPTS) | stop_before_delay(seconds),
        wait=_pause,
        sleep=asyncio.sleep,
        retry_error_callback=lambda state: _given_up(state, seconds),
    )


_backing_off = wait_random_exponential(multiplier=0.1, max=2)


def _pause(state: RetryCallState) -> float:
    """Seconds until the next attempt: what the server asked for, else growing at random."""
    asked = _asked(state)
    return asked if asked is not None else _backing_off(state)


def _asked(state: RetryCallState) -> float | None:
    error = state.outcome.exception() if state.outcome else None
    return error.retry_after if isinstance(error, Unavailable) else None


def _given_up(state: RetryCallState, seconds: float) -> NoReturn:
    error = state.outcome.exception() if state.outcome else None
    asked = _asked(state)
    if asked is not None and asked >= seconds:
        wait = f"it asks to wait {asked:g} s, which is longer than the timeout of {seconds:g} s"
        raise Unavailable(f"{error}; {wait}", retry_after=asked) from error
    raise error or ProviderError("no answer")
