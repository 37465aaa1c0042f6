"""What the operators do to values, as two tables: binary and unary.

Each function takes the frame and its operands and returns a value, or raises ConditionError. Division is always of
floats (`7 / 2` is 3.5, by zero infinite), `%` takes whole numbers only, ordering compares within a kind.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import re2

from analysis.language.errors import ConditionError
from analysis.language.values import NUMBERS, Frame, equal, kind_of, text, wrap

Binary = Callable[[Frame, Any, Any], Any]
Unary = Callable[[Frame, Any], Any]

_ORDERED = frozenset(("string", "time", "duration"))
_REGEX = re2.Options()
_REGEX.log_errors = False
_REGEX.max_mem = 1 << 20


def mismatch(symbol: str, left: str, right: str) -> str:
    """The sentence for two kinds an operator cannot combine."""
    return f"invalid operation: {symbol} (mismatched types {left} and {right})"


def _fail(symbol: str, left: Any, right: Any) -> ConditionError:
    return ConditionError(mismatch(symbol, kind_of(left), kind_of(right)))


def _whole(left: Any, right: Any) -> bool:
    return type(left) is int and type(right) is int


def _numbers(left: Any, right: Any) -> bool:
    return type(left) in NUMBERS and type(right) in NUMBERS


def _add(frame: Frame, left: Any, right: Any) -> Any:
    if _whole(left, right):
        return wrap(left + right)
    if _numbers(left, right):
        return float(left) + float(right)
    if type(left) is str and type(right) is str:
        return text(left + right)
    kinds = (kind_of(left), kind_of(right))
    if kinds in (("time", "duration"), ("duration", "time"), ("duration", "duration")):
        return left + right
    raise _fail("+", left, right)


def _subtract(frame: Frame, left: Any, right: Any) -> Any:
    if _whole(left, right):
        return wrap(left - right)
    if _numbers(left, right):
        return float(left) - float(right)
    if (kind_of(left), kind_of(right)) in (("time", "duration"), ("time", "time"), ("duration", "duration")):
        return left - right
    raise _fail("-", left, right)


def _multiply(frame: Frame, left: Any, right: Any) -> Any:
    if _whole(left, right):
        return wrap(left * right)
    if _numbers(left, right):
        return float(left) * float(right)
    if {type(left) in NUMBERS, type(right) in NUMBERS} == {True, False} and timedelta in (type(left), type(right)):
        return left * right
    raise _fail("*", left, right)


def _divide(frame: Frame, left: Any, right: Any) -> Any:
    if type(left) is timedelta and type(right) in NUMBERS and right:
        return left / right
    if not _numbers(left, right):
        raise _fail("/", left, right)
    over, under = float(left), float(right)
    if under:
        return over / under
    return math.nan if over == 0 or math.isnan(over) else math.copysign(math.inf, over) * math.copysign(1.0, under)


def _remainder(frame: Frame, left: Any, right: Any) -> Any:
    if not _whole(left, right):
        raise _fail("%", left, right)
    if right == 0:
        raise ConditionError("integer divide by zero")
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


def _power(frame: Frame, left: Any, right: Any) -> Any:
    if not _numbers(left, right):
        raise _fail("**", left, right)
    try:
        return math.pow(left, right)
    except OverflowError:
        return -math.inf if left < 0 and float(right) % 2 == 1 else math.inf
    except ValueError:
        return math.inf if left == 0 else math.nan


def _range(frame: Frame, left: Any, right: Any) -> Any:
    if not _whole(left, right):
        raise _fail("..", left, right)
    frame.spend(max(0, right - left + 1))
    return list(range(left, right + 1))


def _ordering(symbol: str, compare: Callable[[Any, Any], bool]) -> Binary:
    def ordered(frame: Frame, left: Any, right: Any) -> bool:
        kind = kind_of(left)
        if _numbers(left, right) or (kind in _ORDERED and kind == kind_of(right)):
            return compare(left, right)
        raise _fail(symbol, left, right)

    return ordered


def _in(frame: Frame, left: Any, right: Any) -> bool:
    if type(right) is list:
        frame.spend(len(right))
        return any(equal(frame, left, item) for item in right)
    if type(right) is dict:
        return left in right if type(left) is str else False
    if right is None:
        return False
    raise _fail("in", left, right)


def _of_texts(symbol: str, holds: Callable[[str, str], bool]) -> Binary:
    def judged(frame: Frame, left: Any, right: Any) -> bool:
        if type(left) is str and type(right) is str:
            return holds(left, right)
        raise _fail(symbol, left, right)

    return judged


def matches(value: str, pattern: str) -> bool:
    """Whether a regular expression occurs in a text. RE2: linear time whatever the pattern."""
    try:
        return re2.search(pattern, value, options=_REGEX) is not None
    except (re2.error, UnicodeEncodeError) as error:
        reason = error.args[0].decode(errors="replace") if isinstance(error, re2.error) else "not valid text"
        raise ConditionError(f"cannot use the regular expression {pattern[:100]!r}: {reason}") from error


def _negate(frame: Frame, value: Any) -> Any:
    if type(value) is int:
        return wrap(-value)
    if type(value) in (float, timedelta):
        return -value
    raise ConditionError(f"invalid operation: - on {kind_of(value)}")


def _plus(frame: Frame, value: Any) -> Any:
    if type(value) in NUMBERS:
        return value
    raise ConditionError(f"invalid operation: + on {kind_of(value)}")


def _not(frame: Frame, value: Any) -> bool:
    if type(value) is bool:
        return not value
    raise ConditionError(f"invalid operation: ! on {kind_of(value)}")


ORDERINGS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

BINARY: dict[str, Binary] = {
    "+": _add,
    "-": _subtract,
    "*": _multiply,
    "/": _divide,
    "%": _remainder,
    "**": _power,
    "..": _range,
    "==": equal,
    "!=": lambda frame, left, right: not equal(frame, left, right),
    "in": _in,
    "matches": _of_texts("matches", matches),
    "contains": _of_texts("contains", lambda left, right: right in left),
    "startsWith": _of_texts("startsWith", str.startswith),
    "endsWith": _of_texts("endsWith", str.endswith),
    **{symbol: _ordering(symbol, compare) for symbol, compare in ORDERINGS.items()},
}
UNARY: dict[str, Unary] = {"!": _not, "-": _negate, "+": _plus}
