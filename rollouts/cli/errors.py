"""What goes wrong on the command line, in words for the person who typed it.

`CliError` is the one exception a verb lets through; `main.py` prints it and ends with its exit code. `ApiError` is
what the API server answered; `explain` turns it into a CliError by a table: what is wrong, where, what to do next.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any


class CliError(Exception):
    """An error for people. `hint`: what to do next, on a line of its own. `code`: the exit code, 1 by default."""

    def __init__(self, message: str, *, hint: str = "", code: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code


class ApiError(Exception):
    """The API server's refusal. `status`: the HTTP status; `reason`, `message`, `details`: of its Status object."""

    def __init__(self, *, status: int, body: Mapping[str, Any], request: str) -> None:
        self.status = status
        self.reason = str(body.get("reason") or "")
        self.message = str(body.get("message") or f"HTTP {status}")
        self.details: Mapping[str, Any] = body.get("details") or {}
        self.request = request
        super().__init__(f"{request}: {self.message}")

    @property
    def missing_object(self) -> bool:
        """A 404 of an object, as opposed to one of a path the server does not know at all."""
        return self.status == 404 and bool(self.details.get("name"))


class UnreachableError(CliError):
    """No connection to the API server."""


def near(name: str, names: Iterable[str]) -> str:
    """A sentence that suggests names like `name`; the few there are when none is like it; empty when there are none."""
    known = sorted(names)
    alike = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if alike:
        return "Did you mean " + " or ".join(f'"{item}"' for item in alike) + "?"
    listed = ", ".join(known[:5]) + (", …" if len(known) > 5 else "")
    return f"There are: {listed}." if known else ""


def explain(error: ApiError) -> CliError:
    """`error` in words for people."""
    return _TELLERS.get(error.status, _other)(error)


def _other(error: ApiError) -> CliError:
    return CliError(f"the API server refused {error.request}: {error.message}")


def _unknown_path(error: ApiError) -> CliError:
    if error.missing_object:
        return CliError(error.message)
    path = error.request.split(" ")[-1]
    group = path.removeprefix("/apis/").partition("/")[0] if path.startswith("/apis/") else "argoproj.io"
    return CliError(
        f"the API server does not know {path}",
        hint=f"Are the CRDs installed? `kubectl api-resources --api-group {group}` lists them.",
    )


def _unauthorized(error: ApiError) -> CliError:
    return CliError(
        "the API server does not accept your credentials",
        hint="Log in again, or choose another user with --context or --user.",
    )


def _forbidden(error: ApiError) -> CliError:
    return CliError(
        error.message, hint="Ask for a role with that verb; `kubectl auth can-i --list` shows what you may do."
    )


def _conflict(error: ApiError) -> CliError:
    if error.reason == "AlreadyExists":
        return CliError(error.message, hint="Look at it, and delete it first if that is meant.")
    return CliError(
        f"somebody else changed the object at the same moment: {error.message}", hint="Run the command again."
    )


def _invalid(error: ApiError) -> CliError:
    causes = [f"  {cause.get('field', '?')}: {cause.get('message', '')}" for cause in error.details.get("causes") or ()]
    return CliError("\n".join([error.message if not causes else "the API server finds the object invalid:", *causes]))


def _busy(error: ApiError) -> CliError:
    return CliError(f"the API server is overloaded or not ready: {error.message}", hint="Try again in a moment.")


_TELLERS: dict[int, Callable[[ApiError], CliError]] = {
    401: _unauthorized,
    403: _forbidden,
    404: _unknown_path,
    409: _conflict,
    422: _invalid,
    429: _busy,
    503: _busy,
    504: _busy,
}
