"""Built-ins on arrays and maps that take no predicate."""

from __future__ import annotations

from typing import Any

from analysis.language.builtins.base import Function, array, mapping, string, whole, wrong
from analysis.language.errors import ConditionError
from analysis.language.values import Frame, equal, kind_of

_SORTABLE = ({"int", "float"}, {"string"}, {"time"}, {"duration"})


def _first(frame: Frame, value: Any) -> Any:
    return next(iter(array("first", value)), None)


def _last(frame: Frame, value: Any) -> Any:
    return array("last", value)[-1] if array("last", value) else None


def _get(frame: Frame, value: Any, key: Any) -> Any:
    if type(value) is dict:
        return value.get(key) if type(key) is str else None
    if type(value) is list:
        index = whole("get", key)
        return value[index] if -len(value) <= index < len(value) else None
    return None


def _take(frame: Frame, value: Any, count: Any) -> list[Any]:
    most = whole("take", count)
    if most < 0:
        raise ConditionError(f"cannot take {most} items")
    frame.spend(most)
    return array("take", value)[:most]


def _keys(frame: Frame, value: Any) -> list[Any]:
    frame.spend(len(mapping("keys", value)))
    return list(value)


def _values(frame: Frame, value: Any) -> list[Any]:
    frame.spend(len(mapping("values", value)))
    return list(value.values())


def _to_pairs(frame: Frame, value: Any) -> list[Any]:
    frame.spend(2 * len(mapping("toPairs", value)))
    return [[key, item] for key, item in value.items()]


def _from_pairs(frame: Frame, value: Any) -> dict[str, Any]:
    frame.spend(len(array("fromPairs", value)))
    return dict(_pair(item) for item in value)


def _pair(item: Any) -> tuple[str, Any]:
    if type(item) is not list or len(item) != 2:
        raise wrong("fromPairs", item, "an array of pairs [key, value]")
    return string("fromPairs", item[0]), item[1]


def _uniq(frame: Frame, value: Any) -> list[Any]:
    found: list[Any] = []
    for item in array("uniq", value):
        frame.spend(1 + len(found))
        if not any(equal(frame, item, other) for other in found):
            found.append(item)
    return found


def _concat(frame: Frame, *values: Any) -> list[Any]:
    frame.spend(sum(len(array("concat", value)) for value in values))
    return [item for value in values for item in value]


def in_order(frame: Frame, values: list[Any], keys: list[Any], order: Any) -> list[Any]:
    """`values` sorted by `keys` (all of one kind), stable; `order` is "asc" or "desc"."""
    if order not in ("asc", "desc"):
        raise ConditionError(f'invalid order {order!r:.40}: write "asc" or "desc"')
    kinds = {kind_of(key) for key in keys}
    if kinds and not any(kinds <= allowed for allowed in _SORTABLE):
        raise ConditionError(f"cannot sort values of types {', '.join(sorted(kinds))}")
    frame.spend(2 * len(keys))
    ranks = sorted(range(len(keys)), key=keys.__getitem__, reverse=order == "desc")
    return [values[rank] for rank in ranks]


def _sort(frame: Frame, value: Any, order: Any = "asc") -> list[Any]:
    return in_order(frame, array("sort", value), value, order)


FUNCTIONS: dict[str, Function] = {
    "first": Function(call=_first, accepts=("array",)),
    "last": Function(call=_last, accepts=("array",)),
    "get": Function(call=_get, least=2, most=2),
    "take": Function(call=_take, least=2, most=2, returns="array", accepts=("array",)),
    "keys": Function(call=_keys, returns="array", accepts=("map",)),
    "values": Function(call=_values, returns="array", accepts=("map",)),
    "toPairs": Function(call=_to_pairs, returns="array", accepts=("map",)),
    "fromPairs": Function(call=_from_pairs, returns="map", accepts=("array",)),
    "uniq": Function(call=_uniq, returns="array", accepts=("array",)),
    "concat": Function(call=_concat, most=1000, returns="array", accepts=("array",)),
    "sort": Function(call=_sort, most=2, returns="array", accepts=("array",)),
}
