"""Values of the language: their kinds, and the state one evaluation carries along.

Seven kinds come from JSON, two more from time functions. Python's own idea of them differs in one dangerous place,
`True == 1`, so every operation asks for the exact type. Whole numbers have 64 bits and wrap around, as in Go.

A `Frame` is made for each evaluation and dies with it. It holds the step budget: whatever loops or grows spends from
it, so a hostile condition ends with an error and not with the controller's time or memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from analysis.language.errors import ConditionError

STEPS = 250_000
"""Items visited plus list items made, over one evaluation. About a quarter of a second at worst."""
LONGEST_TEXT = 1_000_000
"""Characters of a string made by a condition."""

Eval = Callable[["Frame"], Any]
"""A compiled node."""

KINDS: dict[type, str] = {
    type(None): "nil",
    bool: "bool",
    int: "int",
    float: "float",
    str: "string",
    list: "array",
    dict: "map",
    datetime: "time",
    timedelta: "duration",
}
NUMBERS = frozenset((int, float))
UNKNOWN = "unknown"


class Frame:
    """State of one evaluation: variables, the item of the innermost predicate, and what may still be spent."""

    __slots__ = ("acc", "index", "item", "now", "steps", "variables")

    def __init__(self, *, variables: dict[str, Any], now: datetime | None = None, steps: int = STEPS) -> None:
        self.variables = variables
        self.now = now
        self.steps = steps
        self.item: Any = None
        self.index = 0
        self.acc: Any = None

    def spend(self, steps: int) -> None:
        """Take from the budget; raises ConditionError when it is used up."""
        self.steps -= steps
        if self.steps < 0:
            raise ConditionError(f"the condition takes too long (more than {STEPS} steps)")


def kind_of(value: Any) -> str:
    """The name of a value's kind, as messages call it."""
    found = KINDS.get(type(value))
    if found is None:
        found = "timezone" if isinstance(value, tzinfo) else UNKNOWN
    return found


def adopt(value: Any) -> Any:
    """A result of any provider as a value: JSON's whole numbers become floats, as in the peer.

    Tuples become arrays, mappings maps; anything else that is not a value is refused with ConditionError.
    """
    if type(value) is int:
        return float(value)
    if isinstance(value, Mapping):
        return {str(key): adopt(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [adopt(item) for item in value]
    if type(value) not in KINDS:
        raise ConditionError(f"a result of type {type(value).__name__} cannot be judged")
    return value


def wrap(number: int) -> int:
    """A whole number in 64 bits."""
    return (number + 2**63) % 2**64 - 2**63


def text(value: str) -> str:
    """A string that was made, unless it is too long."""
    if len(value) > LONGEST_TEXT:
        raise ConditionError(f"a string is too long (more than {LONGEST_TEXT} characters)")
    return value


def equal(frame: Frame, left: Any, right: Any) -> bool:
    """`==`: numbers by value, everything else only within its kind, arrays and maps in depth."""
    kind = type(left)
    if kind in NUMBERS and type(right) in NUMBERS:
        return bool(left == right)
    if kind is not type(right):
        return False
    if kind is list:
        frame.spend(1 + len(left))
        return len(left) == len(right) and all(equal(frame, a, b) for a, b in zip(left, right, strict=True))
    if kind is dict:
        frame.spend(1 + len(left))
        return left.keys() == right.keys() and all(equal(frame, item, right[key]) for key, item in left.items())
    return bool(left == right)


def weigh(frame: Frame, value: Any) -> None:
    """Spend one step for each value inside, before something is done that takes as long."""
    frame.spend(1)
    if type(value) is dict:
        value = list(value.values())
    if type(value) is list:
        for item in value:
            weigh(frame, item)


def go_float(value: float) -> str:
    """A float as Go prints it: `0.95`, `1e+06`, `NaN`, `+Inf`."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    mantissa, _, exponent = f"{value!r}".partition("e")
    digits = mantissa.replace("-", "").replace(".", "").lstrip("0")
    power = int(exponent or 0) + _leading(mantissa)
    if value == 0 or -4 <= power < 6:
        return plain_float(value)
    digits = digits.rstrip("0") or "0"
    shown = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{'-' if value < 0 else ''}{shown}e{'-' if power < 0 else '+'}{abs(power):02d}"


def _leading(mantissa: str) -> int:
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    if whole.strip("0"):
        return len(whole.lstrip("0")) - 1
    return len(fraction.lstrip("0")) - len(fraction) - 1


def plain_float(value: float) -> str:
    """A float without an exponent, as Prometheus prints samples: `0.95`, `1000000`, `NaN`, `+Inf`."""
    if value != value or value in (float("inf"), float("-inf")):
        return go_float(value)
    shown = format(value, "f") if value.is_integer() else f"{_exact(value)}"
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def _exact(value: float) -> str:
    return format(Decimal(repr(value)), "f")
