"""What is wrong with an object: a list of `FieldError`s, each with the place in the API's spelling.

All errors are reported at once, so that a person mends a manifest in one go. `explain` puts them into the one
sentence that a condition or an event shows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True, order=True)
class FieldError:
    """One thing that is wrong.

    `path`: where, such as `spec.strategy.canary.steps[2].setWeight`; empty for the object as a whole.
    `message`: what is wrong and what to do, such as `must be between 0 and 100`.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


@dataclass(frozen=True, slots=True)
class Path:
    """A place in an object, built downwards: `str(Path.of("spec") / "steps" / 2) == "spec.steps[2]"`."""

    parts: tuple[str | int, ...] = ()

    @classmethod
    def of(cls, *parts: str | int) -> Path:
        """The path through `parts`."""
        return cls(parts)

    def __truediv__(self, part: str | int) -> Path:
        return Path((*self.parts, part))

    def up(self) -> Path:
        """The place that holds this one."""
        return Path(self.parts[:-1])

    def __str__(self) -> str:
        return "".join(_shown(part) for part in self.parts).removeprefix(".")

    def error(self, message: str) -> FieldError:
        """An error at this place."""
        return FieldError(path=str(self), message=message)


def _shown(part: str | int) -> str:
    if isinstance(part, int) or not _PLAIN.fullmatch(part):
        return f"[{part}]"
    return f".{part}"


def explain(*, kind: str, name: str, errors: Sequence[FieldError]) -> str:
    """The errors as the message of an InvalidSpec condition: `The Rollout "app" is invalid: <path>: <error>`."""
    listed = ", ".join(str(error) for error in errors)
    return f'The {kind} "{name}" is invalid: {listed if len(errors) == 1 else f"[{listed}]"}'


def unique(errors: Iterable[FieldError]) -> tuple[FieldError, ...]:
    """The errors in order, each once."""
    return tuple(dict.fromkeys(errors))
