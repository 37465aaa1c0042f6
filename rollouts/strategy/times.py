"""Kubernetes times: RFC 3339, UTC, whole seconds."""

from __future__ import annotations

from datetime import UTC, datetime

from analysis.spec.base import write_time


def text(moment: datetime) -> str:
    """`2026-01-02T03:04:05Z`: how the API server keeps a time."""
    return write_time(moment)


def moment(value: object) -> datetime | None:
    """The time in an API field; None when it is missing or not a time."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if not isinstance(value, str) or not value:
        return None
    try:
        parsed = datetime.fromisoformat(value.replace("Z", "+00:00"))
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
