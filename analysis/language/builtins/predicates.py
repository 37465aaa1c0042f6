"""Built-ins that ask a predicate about each item: `all(result, # < 0.05)`.

They receive the predicate compiled, and set the frame's item and index before each call; an outer predicate finds
its own item again afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from analysis.language.builtins.base import Function, array
from analysis.language.builtins.sequences import in_order
from analysis.language.errors import ConditionError
from analysis.language.operators import BINARY
from analysis.language.values import Eval, Frame, kind_of


def answers(
    frame: Frame, name: str, values: Any, predicate: Eval, *, backwards: bool = False
) -> Iterator[tuple[int, Any]]:
    """Index and answer of the predicate for each item, in order."""
    items = list(enumerate(array(name, values)))
    outer = frame.item, frame.index
    try:
        for index, item in reversed(items) if backwards else items:
            frame.spend(1)
            frame.item, frame.index = item, index
            yield index, predicate(frame)
    finally:
        frame.item, frame.index = outer


def _verdicts(
    frame: Frame, name: str, values: Any, predicate: Eval, *, backwards: bool = False
) -> Iterator[tuple[int, bool]]:
    for index, answer in answers(frame, name, values, predicate, backwards=backwards):
        if type(answer) is not bool:
            raise ConditionError(f"the predicate of {name} should give a bool, it gave {kind_of(answer)}")
        yield index, answer


def _all(frame: Frame, values: Any, predicate: Eval) -> bool:
    return all(answer for _, answer in _verdicts(frame, "all", values, predicate))


def _any(frame: Frame, values: Any, predicate: Eval) -> bool:
    return any(answer for _, answer in _verdicts(frame, "any", values, predicate))


def _none(frame: Frame, values: Any, predicate: Eval) -> bool:
    return not any(answer for _, answer in _verdicts(frame, "none", values, predicate))


def _one(frame: Frame, values: Any, predicate: Eval) -> bool:
    return sum(answer for _, answer in _verdicts(frame, "one", values, predicate)) == 1


def _same(frame: Frame) -> Any:
    return frame.item


def _count(frame: Frame, values: Any, predicate: Eval = _same) -> int:
    return sum(answer for _, answer in _verdicts(frame, "count", values, predicate))


def _filter(frame: Frame, values: Any, predicate: Eval) -> list[Any]:
    return [values[index] for index, answer in _verdicts(frame, "filter", values, predicate) if answer]


def _map(frame: Frame, values: Any, predicate: Eval) -> list[Any]:
    return [answer for _, answer in answers(frame, "map", values, predicate)]


def _sum(frame: Frame, values: Any, predicate: Eval = _same) -> Any:
    total: Any = 0
    for _, answer in answers(frame, "sum", values, predicate):
        total = BINARY["+"](frame, total, answer)
    return total


def _finder(name: str, *, backwards: bool, item: bool) -> Callable[..., Any]:
    def call(frame: Frame, values: Any, predicate: Eval) -> Any:
        found = _verdicts(frame, name, values, predicate, backwards=backwards)
        index = next((index for index, answer in found if answer), None)
        return values[index] if item and index is not None else index

    return call


def _group_by(frame: Frame, values: Any, predicate: Eval) -> dict[str, Any]:
    groups: dict[str, Any] = {}
    for index, answer in answers(frame, "groupBy", values, predicate):
        if type(answer) not in _GROUPED:
            raise ConditionError(f"groupBy cannot group by {kind_of(answer)}")
        groups.setdefault(_GROUPED[type(answer)](answer), []).append(values[index])
    return groups


_GROUPED: dict[type, Callable[[Any], str]] = {
    str: str,
    int: str,
    float: lambda value: str(int(value)) if value.is_integer() else str(value),
    bool: lambda value: "true" if value else "false",
    type(None): lambda value: "<nil>",
}


def _sort_by(frame: Frame, values: Any, predicate: Eval, order: Any = "asc") -> list[Any]:
    keys = [answer for _, answer in answers(frame, "sortBy", values, predicate)]
    return in_order(frame, values, keys, order)


def _reduce(frame: Frame, values: Any, predicate: Eval, *initial: Any) -> Any:
    items = array("reduce", values)
    if not items and not initial:
        raise ConditionError("reduce of an empty array needs an initial value")
    outer = frame.acc
    frame.acc, rest = (initial[0], items) if initial else (items[0], items[1:])
    try:
        for _, answer in answers(frame, "reduce", rest, predicate):
            frame.acc = answer
        return frame.acc
    finally:
        frame.acc = outer


def _asking(call: Callable[..., Any], returns: str, *, least: int = 2, most: int = 2) -> Function:
    return Function(call=call, least=least, most=most, returns=returns, accepts=("array",), predicate=True)


FUNCTIONS: dict[str, Function] = {
    "all": _asking(_all, "bool"),
    "any": _asking(_any, "bool"),
    "none": _asking(_none, "bool"),
    "one": _asking(_one, "bool"),
    "count": _asking(_count, "int", least=1),
    "filter": _asking(_filter, "array"),
    "map": _asking(_map, "array"),
    "sum": _asking(_sum, "unknown", least=1),
    "find": _asking(_finder("find", backwards=False, item=True), "unknown"),
    "findIndex": _asking(_finder("findIndex", backwards=False, item=False), "unknown"),
    "findLast": _asking(_finder("findLast", backwards=True, item=True), "unknown"),
    "findLastIndex": _asking(_finder("findLastIndex", backwards=True, item=False), "unknown"),
    "groupBy": _asking(_group_by, "map"),
    "sortBy": _asking(_sort_by, "array", most=3),
    "reduce": _asking(_reduce, "unknown", most=3),
}
