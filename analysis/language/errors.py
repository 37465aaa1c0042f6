"""The one error of the condition language.

Whatever text people write and whatever a provider answers, `ConditionError` is all that comes out. It knows the place
in the text, and shows it the way compilers do:

    unknown name foo (1:12)
     | result > foo
     |          ^
"""

from __future__ import annotations

_LONGEST_LINE = 160
"""Longer lines are cut around the caret, so that a status message stays readable."""


class ConditionError(Exception):
    """A condition that cannot be read, or cannot be judged on the result at hand.

    `reason` is the bare sentence, `line` and `column` count from 1 and are 0 where no place is known.
    """

    def __init__(self, reason: str, *, source: str = "", position: int | None = None) -> None:
        self.reason = reason
        self.line, self.column = locate(source, position) if position is not None else (0, 0)
        super().__init__(_render(reason, source=source, line=self.line, column=self.column))

    def at(self, *, source: str, position: int) -> ConditionError:
        """The same error with a place in the text, unless it already has one."""
        return self if self.line else ConditionError(self.reason, source=source, position=position)


def locate(source: str, position: int) -> tuple[int, int]:
    """Line and column, both from 1, of an offset into the text."""
    before = source[:position]
    return before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1


def _render(reason: str, *, source: str, line: int, column: int) -> str:
    if not line:
        return reason
    text = source.split("\n")[line - 1].replace("\t", " ")
    start = max(0, column - _LONGEST_LINE // 2)
    return f"{reason} ({line}:{column})\n | {text[start : start + _LONGEST_LINE]}\n | {' ' * (column - 1 - start)}^"
