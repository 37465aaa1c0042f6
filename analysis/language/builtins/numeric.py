"""Built-ins on numbers, and conversions to and from them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from statistics import median as middle
from typing import Any

from analysis.language.builtins.base import Function, array, number, whole, wrong
from analysis.language.errors import ConditionError
from analysis.language.values import Frame, wrap

_INTEGER = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?(([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?|inf|infinity|nan)", re.IGNORECASE)
_LONGEST_NUMBER = 400


def to_int(frame: Frame, value: Any) -> int:
    """`int(x)`, `asInt(x)`: a number cut to its whole part, or a string of digits."""
    if type(value) is str and len(value) <= _LONGEST_NUMBER and _INTEGER.fullmatch(value):
        return _checked(int(value), value)
    if type(value) is float and math.isfinite(value):
        return wrap(int(value))
    if type(value) is int:
        return value
    raise wrong("int", value, f"a number or a string holding one, not {value!r:.40}")


def _checked(found: int, value: str) -> int:
    if wrap(found) != found:
        raise ConditionError(f"{value[:40]} is too large for a whole number (64 bits)")
    return found


def to_float(frame: Frame, value: Any) -> float:
    """`float(x)`, `asFloat(x)`: a number, or a string holding one."""
    if type(value) in (int, float):
        return float(value)
    if type(value) is str and len(value) <= _LONGEST_NUMBER and _FLOAT.fullmatch(value):
        return float(value)
    raise wrong("float", value, f"a number or a string holding one, not {value!r:.40}")


def _numbers(name: str, frame: Frame, values: tuple[Any, ...]) -> Iterator[int | float]:
    for value in values:
        frame.spend(1)
        if type(value) is list:
            yield from _numbers(name, frame, tuple(value))
        else:
            yield number(name, value)


def _extreme(name: str, choose: Callable[[list[int | float]], int | float]) -> Callable[..., Any]:
    def call(frame: Frame, *values: Any) -> Any:
        found = list(_numbers(name, frame, values))
        if not found:
            raise ConditionError(f"not enough arguments to call {name}: the array is empty")
        return choose(found)

    return call


def _mean(frame: Frame, *values: Any) -> float:
    found = list(_numbers("mean", frame, values))
    return math.fsum(found) / len(found) if found and all(map(math.isfinite, found)) else _unsteady(found)


def _unsteady(found: list[int | float]) -> float:
    return sum(map(float, found)) / len(found) if found else 0.0


def _median(frame: Frame, *values: Any) -> float:
    found = list(_numbers("median", frame, values))
    return float(middle(found)) if found else 0.0


def _rounded(name: str, change: Callable[[float], float]) -> Callable[..., float]:
    def call(frame: Frame, value: Any) -> float:
        plain = float(number(name, value))
        return float(change(plain)) if math.isfinite(plain) else plain

    return call


def _half_away(value: float) -> float:
    return math.copysign(math.floor(abs(value) + 0.5), value)


def _absolute(frame: Frame, value: Any) -> Any:
    return abs(number("abs", value))


def _bits(name: str, change: Callable[[int, int], int]) -> Callable[..., int]:
    def call(frame: Frame, left: Any, right: Any) -> int:
        return wrap(change(whole(name, left), whole(name, right)))

    return call


def _shift(name: str, change: Callable[[int, int], int]) -> Callable[..., int]:
    def call(frame: Frame, left: Any, right: Any) -> int:
        places = whole(name, right)
        if places < 0:
            raise ConditionError(f"invalid operation: {name} by {places} places")
        return wrap(change(whole(name, left), min(places, 64)))

    return call


def _is_nan(frame: Frame, value: Any) -> bool:
    return math.isnan(_float_only("isNaN", value))


def _is_inf(frame: Frame, value: Any) -> bool:
    return math.isinf(_float_only("isInf", value))


def _float_only(name: str, value: Any) -> float:
    if type(value) is float:
        return value
    raise wrong(name, value, "a float")


def _sized(frame: Frame, value: Any) -> int:
    if type(value) in (str, list, dict):
        return len(value)
    raise wrong("len", value, "an array, a map or a string")


def flat(frame: Frame, value: Any) -> list[Any]:
    """`flatten(xs)`: arrays within arrays, all the way down."""
    found: list[Any] = []
    for item in array("flatten", value):
        frame.spend(1)
        found.extend(flat(frame, item) if type(item) is list else [item])
    return found


_MANY = 1000
_NUMERIC = ("int", "float")

FUNCTIONS: dict[str, Function] = {
    "len": Function(call=_sized, returns="int", accepts=("string", "array", "map")),
    "int": Function(call=to_int, returns="int", accepts=(*_NUMERIC, "string")),
    "asInt": Function(call=to_int, returns="int"),
    "float": Function(call=to_float, returns="float", accepts=(*_NUMERIC, "string")),
    "asFloat": Function(call=to_float, returns="float"),
    "isNaN": Function(call=_is_nan, returns="bool", accepts=("float",)),
    "isInf": Function(call=_is_inf, returns="bool", accepts=("float",)),
    "abs": Function(call=_absolute, accepts=_NUMERIC),
    "ceil": Function(call=_rounded("ceil", math.ceil), returns="float", accepts=_NUMERIC),
    "floor": Function(call=_rounded("floor", math.floor), returns="float", accepts=_NUMERIC),
    "round": Function(call=_rounded("round", _half_away), returns="float", accepts=_NUMERIC),
    "max": Function(call=_extreme("max", max), most=_MANY, accepts=(*_NUMERIC, "array")),
    "min": Function(call=_extreme("min", min), most=_MANY, accepts=(*_NUMERIC, "array")),
    "mean": Function(call=_mean, most=_MANY, returns="float", accepts=(*_NUMERIC, "array")),
    "median": Function(call=_median, most=_MANY, returns="float", accepts=(*_NUMERIC, "array")),
    "flatten": Function(call=flat, returns="array", accepts=("array",)),
    "bitand": Function(call=_bits("bitand", lambda a, b: a & b), least=2, most=2, returns="int"),
    "bitor": Function(call=_bits("bitor", lambda a, b: a | b), least=2, most=2, returns="int"),
    "bitxor": Function(call=_bits("bitxor", lambda a, b: a ^ b), least=2, most=2, returns="int"),
    "bitnand": Function(call=_bits("bitnand", lambda a, b: a & ~b), least=2, most=2, returns="int"),
    "bitnot": Function(call=lambda frame, value: ~whole("bitnot", value), returns="int"),
    "bitshl": Function(call=_shift("bitshl", lambda a, b: a << b), least=2, most=2, returns="int"),
    "bitshr": Function(call=_shift("bitshr", lambda a, b: a >> b), least=2, most=2, returns="int"),
    "bitushr": Function(call=_shift("bitushr", lambda a, b: (a % 2**64) >> b), least=2, most=2, returns="int"),
}
