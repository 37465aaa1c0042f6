"""What can go wrong in a sync, as one small tree of errors for people.

Each error says what is wrong, where (a file and a line, an object, or a repository) and what to do next. The step that
raised it is part of the type, so a report can name it and a metric can count it. Nothing here ever carries
credentials or the values of an object: text of Git and of the API server passes through `redact` first.
"""

from __future__ import annotations

import re
from typing import ClassVar

_USERINFO = re.compile(r"(?P<scheme>[A-Za-z0-9+.-]*)://(?P<who>[^/\s]+)@")


def role_advice(error: Exception) -> str:
    """What to do about a refused right of a ServiceAccount; empty for all other errors."""
    denied = 'User "system:serviceaccount:' in str(error) and "forbidden" in str(error)
    return ": give the ServiceAccount a Role that allows it" if denied else ""


def redact(text: str) -> str:
    """The text without what may be secret in any URL: user and password, but not the mere user name of ssh."""
    return _USERINFO.sub(_without_secrets, text)


def _without_secrets(found: re.Match[str]) -> str:
    harmless = found["scheme"].endswith("ssh") and not set(found["who"]) & set(":@%")
    return found[0] if harmless else f"{found['scheme']}://"


class SyncError(Exception):
    """A sync pass could not complete. `step` names the part of the pipeline, `retriable` whether waiting may help."""

    step: ClassVar[str] = "sync"
    retriable: ClassVar[bool] = False
    budget: str = ""
    """Which budget (`budgets.py`) was exceeded, empty for none."""

    def __init__(self, *arguments: object, budget: str = "") -> None:
        super().__init__(*arguments)
        self.budget = budget


class SourceError(SyncError):
    """The repository, the branch or the commit can't be had. The address or the access must be mended by a person."""

    step = "fetch"


class RevisionError(SourceError):
    """The repository answers, and has no such branch, tag or version."""

    step = "revision"


class SourceUnavailableError(SourceError):
    """The repository did not answer (now)."""

    retriable = True


class VerificationError(SyncError):
    """A revision is not signed as it must be. Nothing of it is looked at any further."""

    step = "verify"


class TreeError(SyncError):
    """The files of the commit break a rule: a link, a strange name, a limit, a missing folder."""

    step = "checkout"


class RenderError(SyncError):
    """A file can't be turned into objects. Carries the place, so that an editor can jump there."""

    step = "render"

    def __init__(self, message: str, *, file: str, line: int | None = None, budget: str = "") -> None:
        self.file = file
        self.line = line
        self.reason = message
        super().__init__(f"{file}:{line}: {message}" if line else f"{file}: {message}", budget=budget)


class RenderFailedError(SyncError):
    """Everything that is wrong with the files of a commit, all at once."""

    step = "render"

    def __init__(self, errors: tuple[RenderError, ...]) -> None:
        self.errors = errors
        budget = next((error.budget for error in errors if error.budget), "")
        super().__init__("\n".join(str(error) for error in errors), budget=budget)


class RenderUnavailableError(SyncError):
    """Nothing can be rendered here at the moment: no room for the files, no process to be had."""

    step = "render"
    retriable = True


class InvalidObjectsError(SyncError):
    """Objects of this commit that their controller would refuse. One line for each mistake: place, object, field."""

    step = "validate"

    def __init__(self, lines: tuple[str, ...]) -> None:
        self.lines = lines
        super().__init__("\n".join(lines))


class RefusedError(SyncError):
    """The API server refuses objects of this commit. One line for each: place, object, reason."""

    step = "diff"

    def __init__(self, lines: tuple[str, ...]) -> None:
        self.lines = lines
        super().__init__("\n".join(lines))


class ClusterError(SyncError):
    """The cluster could not be read, or refused a write that its own dry run had accepted."""

    step = "apply"
    retriable = True


class UnreadError(ClusterError):
    """The cluster could not be read, so nothing is known, and nothing is done."""

    step = "compare"


class DeniedError(UnreadError):
    """The ServiceAccount may not read an object that Git has."""


class RecordError(ClusterError):
    """The record of what was applied could not be read or written (now)."""

    step = "record"


class ImageError(SyncError):
    """An image, a policy or a marker is not as it must be. A person must mend it."""

    step = "images"


class RegistryError(ImageError):
    """A registry did not answer, or not in full. Nothing is decided on half an answer."""

    retriable = True


class RevertError(SyncError):
    """A rejected commit can't be taken back in Git. A person must see to it."""

    step = "revert"


class ForgeError(SyncError):
    """A forge refuses what it is told, or asked for. A person must mend it. `status`: of its answer, 0 without one."""

    step = "forge"

    def __init__(self, message: str, *, status: int = 0) -> None:
        self.status = status
        super().__init__(message)


class ForgeUnavailableError(ForgeError):
    """A forge did not answer (now). `pause`: seconds it asks to wait, 0 when it does not say."""

    retriable = True

    def __init__(self, message: str, *, pause: float = 0.0) -> None:
        self.pause = pause
        super().__init__(message)


class InventoryError(SyncError):
    """The record of what this sync has applied is unreadable. Nothing is applied or deleted on a guess."""

    step = "record"
