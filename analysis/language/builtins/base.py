"""What a built-in function is, and how built-ins refuse arguments of the wrong kind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from analysis.language.errors import ConditionError
from analysis.language.values import UNKNOWN, kind_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A built-in: `call(frame, *arguments)`, with the number of arguments it takes and the kind it returns.

    `accepts` names the kinds its first argument may have; empty: any. `predicate`: the second argument is given
    as a compiled node instead of a value.
    """

    call: Callable[..., Any]
    least: int = 1
    most: int = 1
    returns: str = UNKNOWN
    accepts: tuple[str, ...] = ()
    predicate: bool = False


def wrong(name: str, value: Any, wanted: str) -> ConditionError:
    """The error for an argument of the wrong kind."""
    return ConditionError(f"invalid argument for {name} (type {kind_of(value)}), it takes {wanted}")


def number(name: str, value: Any) -> int | float:
    """A number, or an error."""
    if type(value) in (int, float):
        return value  # type: ignore[no-any-return]  # the line above is the check
    raise wrong(name, value, "a number")


def whole(name: str, value: Any) -> int:
    """A whole number, or an error; a float without a fraction will do, for numbers from JSON are floats."""
    if type(value) is float and value.is_integer():
        return int(value)
    if type(value) is int:
        return value
    raise wrong(name, value, "a whole number")


def string(name: str, value: Any) -> str:
    """A string, or an error."""
    if type(value) is str:
        return value
    raise wrong(name, value, "a string")


def array(name: str, value: Any) -> list[Any]:
    """An array, or an error."""
    if type(value) is list:
        return value
    raise wrong(name, value, "an array")


def mapping(name: str, value: Any) -> dict[str, Any]:
    """A map, or an error."""
    if type(value) is dict:
        return value
    raise wrong(name, value, "a map")
