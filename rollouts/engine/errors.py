"""What the API server may answer instead of what was asked for.

ApiError
├── NotFoundError, GoneError
├── ConflictError            somebody was faster: plan again from fresh state
│   └── AlreadyExistsError
├── InvalidError             the object breaks a rule of its kind
├── ForbiddenError           our rights don't suffice
├── TooManyRequestsError     asked to wait; carries `retry_after` (seconds)
└── UnavailableError         5xx, or no answer at all
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What was to be done to which object: `create`, `update`, or `scale up`, `scale down`."""

    verb: str
    kind: str
    name: str


class ApiError(Exception):
    """A request that did not succeed. `status`: HTTP status, 0 when there was no answer. `attempt`: what was to be
    done, where the writer says so."""

    attempt: Attempt | None = None

    def __init__(self, message: str, *, status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after = retry_after


class NotFoundError(ApiError):
    """404."""


class GoneError(ApiError):
    """410."""


class ConflictError(ApiError):
    """409."""


class AlreadyExistsError(ConflictError):
    """409 of a creation."""


class InvalidError(ApiError):
    """400 and 422."""


class ForbiddenError(ApiError):
    """401 and 403."""


class TooManyRequestsError(ApiError):
    """429."""


class UnavailableError(ApiError):
    """5xx, refused connections, time-outs."""


_BY_STATUS: Mapping[int, type[ApiError]] = {
    400: InvalidError,
    401: ForbiddenError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    422: InvalidError,
    429: TooManyRequestsError,
}


def from_response(status: int, body: Mapping[str, Any], *, request: str, retry_after: str | None) -> ApiError:
    """The error for an answer. `request`: `PATCH Rollout ns/name`, for the message."""
    kind = _BY_STATUS.get(status, UnavailableError if status >= 500 else ApiError)
    if body.get("reason") == "AlreadyExists":
        kind = AlreadyExistsError
    text = body.get("message") or f"HTTP status {status}"
    wait = float(retry_after) if retry_after and retry_after.isdigit() else None
    return kind(f"{request}: {text}", status=status, retry_after=wait)
