"""The language of successCondition and failureCondition: expr-lang, as the peer's users write it.

    >>> from analysis.language import compile_condition
    >>> compile_condition("len(result) > 0 && all(result, # >= 0.95)")([0.97, 0.99])
    True

The way of a text: `lexer` (tokens), `parser` (tree, precedence as a table), `check` (names and kinds known in advance),
`compile` (closures over the functions in `builtins` and the operators in `operators`). Nothing but `ConditionError`
comes out, whatever the text and the result; steps, nodes, depth and lengths are bounded.

Kinds are dynamic below the result. One class of mistakes is therefore found only when it is reached: a mismatch of
kinds inside the result, in a branch that is not evaluated. The peer finds it earlier in typed results only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from analysis.language.check import check
from analysis.language.compile import compiled
from analysis.language.errors import ConditionError
from analysis.language.parser import parse
from analysis.language.values import UNKNOWN, Eval, Frame, adopt, go_float, kind_of, plain_float

RESULT_KINDS = frozenset(("nil", "bool", "float", "string", "array", "map"))


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition ready to be judged on results: `condition(result)`.

    `source` is its text. A condition is a value: keep it, share it, call it from any thread.
    """

    source: str
    run: Eval

    def __call__(self, result: Any, *, now: datetime | None = None) -> bool:
        """Whether it holds. `result` is JSON-like; whole numbers count as floats. `now` is what `now()` gives.

        Raises ConditionError when it cannot be judged on this result, or gives anything but a bool.
        """
        found = _evaluate(self.source, self.run, result=result, now=now)
        if type(found) is not bool:
            raise ConditionError(f"expected bool, but got {kind_of(found)}", source=self.source, position=0)
        return found


def compile_condition(text: str, *, result_kind: str = UNKNOWN) -> Condition:
    """A condition from its text. `result_kind` (`float`, `array`, ...) lets mismatches show before evaluation.

    Raises ConditionError with line, column and a caret. Compiling the same text again costs a look-up.
    """
    return _compile(text, result_kind)


def judge_condition(text: str, result: Any, *, now: datetime | None = None) -> bool:
    """Compile a condition for the kind of this result, and judge it: what a measurement does."""
    kind = "float" if type(result) is int else kind_of(result)
    return compile_condition(text, result_kind=kind if kind in RESULT_KINDS else UNKNOWN)(result, now=now)


def evaluate_time(text: str, *, now: datetime) -> datetime:
    """The time an expression such as `now() - duration("5m")` stands for; a duration means that long before `now`.

    Raises ConditionError when it gives anything else.
    """
    source, run, _ = _prepared(text, ())
    found = _evaluate(source, run, result=None, now=now)
    if isinstance(found, timedelta):
        found = now - found
    if not isinstance(found, datetime):
        raise ConditionError(f"expected a time, but got {kind_of(found)}", source=text, position=0)
    return found


@lru_cache(maxsize=4096)
def _compile(text: str, result_kind: str) -> Condition:
    source, run, kind = _prepared(text, (("result", result_kind),))
    if kind not in ("bool", UNKNOWN):
        raise ConditionError(f"expected bool, but got {kind}", source=source, position=0)
    return Condition(source, run)


def _prepared(text: str, names: tuple[tuple[str, str], ...]) -> tuple[str, Eval, str]:
    try:
        tree = parse(text)
        kinds: Mapping[str, str] = dict(names)
        kind = check(tree, source=text, kinds=kinds)
        return text, compiled(tree, source=text), kind
    except RecursionError as error:
        raise ConditionError("the condition is nested too deeply") from error


def _evaluate(source: str, run: Eval, *, result: Any, now: datetime | None) -> Any:
    try:
        return run(Frame(variables={"result": adopt(result)}, now=now))
    except RecursionError as error:
        raise ConditionError("the result is nested too deeply") from error
    except (ArithmeticError, ValueError, TypeError, MemoryError) as error:
        raise ConditionError(f"cannot be computed: {error}", source=source, position=0) from error


__all__ = [
    "Condition",
    "ConditionError",
    "compile_condition",
    "evaluate_time",
    "go_float",
    "judge_condition",
    "plain_float",
]
