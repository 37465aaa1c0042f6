"""Built-ins on strings, and the encodings JSON and base64. Every string made is bounded before it is made."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from analysis.language.builtins.base import Function, array, string, whole, wrong
from analysis.language.builtins.moments import go_duration
from analysis.language.errors import ConditionError
from analysis.language.values import LONGEST_TEXT, Frame, go_float, kind_of, text, weigh


def shown(value: Any) -> str:
    """A value as Go prints it: `nil` is `<nil>`, an array `[1 2]`, a map `map[a:1]`."""
    if value is None:
        return "<nil>"
    if type(value) is list:
        return f"[{' '.join(map(shown, value))}]"
    if type(value) is dict:
        return f"map[{' '.join(f'{key}:{shown(value[key])}' for key in sorted(value))}]"
    return _SHOWN.get(type(value), str)(value)


_SHOWN: dict[type, Callable[[Any], str]] = {
    bool: lambda value: "true" if value else "false",
    float: go_float,
    timedelta: go_duration,
    datetime: datetime.isoformat,
}


def _string(frame: Frame, value: Any) -> str:
    weigh(frame, value)
    return text(shown(value))


def _plain(name: str, change: Callable[[str], str]) -> Function:
    return Function(call=lambda frame, value: change(string(name, value)), returns="string", accepts=("string",))


def _trim(frame: Frame, value: Any, characters: Any = None) -> str:
    return string("trim", value).strip(None if characters is None else string("trim", characters))


def _trim_prefix(frame: Frame, value: Any, prefix: Any = " ") -> str:
    return string("trimPrefix", value).removeprefix(string("trimPrefix", prefix))


def _trim_suffix(frame: Frame, value: Any, suffix: Any = " ") -> str:
    return string("trimSuffix", value).removesuffix(string("trimSuffix", suffix))


def _split(frame: Frame, value: Any, separator: Any, limit: Any = -1) -> list[str]:
    plain, between, most = string("split", value), string("split", separator), whole("split", limit)
    frame.spend(plain.count(between) + 1)
    if most == 0:
        return []
    if between:
        return plain.split(between, -1 if most < 0 else most - 1)
    cut = len(plain) if most < 0 else most - 1
    return [*plain[:cut], *([plain[cut:]] if plain[cut:] else [])]


def _split_after(frame: Frame, value: Any, separator: Any, limit: Any = -1) -> list[str]:
    parts = _split(frame, value, separator, limit)
    return [part + separator for part in parts[:-1]] + parts[-1:]


def _replace(frame: Frame, value: Any, old: Any, new: Any, limit: Any = -1) -> str:
    plain, before, after = (string("replace", item) for item in (value, old, new))
    most = whole("replace", limit)
    times = plain.count(before) if most < 0 else min(most, plain.count(before))
    _within(len(plain) + times * len(after))
    return plain.replace(before, after, most)


def _repeat(frame: Frame, value: Any, times: Any) -> str:
    plain, count = string("repeat", value), whole("repeat", times)
    if count < 0:
        raise ConditionError(f"invalid argument for repeat: {count} times")
    _within(len(plain) * count)
    return plain * count


def _within(length: int) -> None:
    if length > LONGEST_TEXT:
        raise ConditionError(f"a string is too long (more than {LONGEST_TEXT} characters)")


def _join(frame: Frame, values: Any, separator: Any = "") -> str:
    parts = [string("join", item) for item in array("join", values)]
    between = string("join", separator)
    frame.spend(len(parts))
    _within(sum(map(len, parts)) + len(between) * len(parts))
    return between.join(parts)


def _find(name: str, search: Callable[[str, str], int]) -> Function:
    def call(frame: Frame, value: Any, part: Any) -> int:
        return search(string(name, value), string(name, part))

    return Function(call=call, least=2, most=2, returns="int", accepts=("string",))


def _holds(name: str, test: Callable[[str, str], bool]) -> Function:
    def call(frame: Frame, value: Any, part: Any) -> bool:
        return test(string(name, value), string(name, part))

    return Function(call=call, least=2, most=2, returns="bool", accepts=("string",))


def _to_json(frame: Frame, value: Any) -> str:
    weigh(frame, value)
    return text(json.dumps(_jsonable(value), indent=2, sort_keys=True, ensure_ascii=False))


def _jsonable(value: Any) -> Any:
    if type(value) is list:
        return [_jsonable(item) for item in value]
    if type(value) is dict:
        return {key: _jsonable(item) for key, item in value.items()}
    if type(value) is float:
        return _json_number(value)
    return _JSON.get(type(value), lambda same: same)(value)


_JSON: dict[type, Callable[[Any], Any]] = {
    datetime: datetime.isoformat,
    timedelta: lambda value: int(value.total_seconds() * 1e9),
}


def _json_number(value: float) -> int | float:
    if not math.isfinite(value):
        raise ConditionError(f"toJSON cannot write {go_float(value)}")
    return int(value) if value.is_integer() and abs(value) < 1e21 else value


def _from_json(frame: Frame, value: Any) -> Any:
    plain = string("fromJSON", value)
    frame.spend(len(plain) // 8)
    try:
        return json.loads(plain, parse_int=float)
    except ValueError as error:
        raise ConditionError(f"fromJSON cannot read this text: {error}") from error


def _to_base64(frame: Frame, value: Any) -> str:
    return text(base64.b64encode(string("toBase64", value).encode(errors="surrogatepass")).decode())


def _from_base64(frame: Frame, value: Any) -> str:
    try:
        return base64.b64decode(string("fromBase64", value), validate=True).decode(errors="replace")
    except (binascii.Error, ValueError) as error:
        raise ConditionError(f"fromBase64 cannot read this text: {error}") from error


def _type(frame: Frame, value: Any) -> str:
    if kind_of(value) == "time":
        return "time.Time"
    return "time.Duration" if kind_of(value) == "duration" else kind_of(value)


def _reverse(frame: Frame, value: Any) -> Any:
    if type(value) in (list, str):
        frame.spend(len(value))
        return value[::-1]
    raise wrong("reverse", value, "an array or a string")


_ONE_OR_TWO: dict[str, Any] = {"most": 2, "returns": "string", "accepts": ("string",)}

FUNCTIONS: dict[str, Function] = {
    "string": Function(call=_string, returns="string"),
    "type": Function(call=_type, returns="string"),
    "trim": Function(call=_trim, **_ONE_OR_TWO),
    "trimPrefix": Function(call=_trim_prefix, **_ONE_OR_TWO),
    "trimSuffix": Function(call=_trim_suffix, **_ONE_OR_TWO),
    "upper": _plain("upper", lambda value: text(value.upper())),
    "lower": _plain("lower", lambda value: text(value.lower())),
    "split": Function(call=_split, least=2, most=3, returns="array", accepts=("string",)),
    "splitAfter": Function(call=_split_after, least=2, most=3, returns="array", accepts=("string",)),
    "replace": Function(call=_replace, least=3, most=4, returns="string", accepts=("string",)),
    "repeat": Function(call=_repeat, least=2, most=2, returns="string", accepts=("string",)),
    "join": Function(call=_join, most=2, returns="string", accepts=("array",)),
    "indexOf": _find("indexOf", str.find),
    "lastIndexOf": _find("lastIndexOf", str.rfind),
    "hasPrefix": _holds("hasPrefix", str.startswith),
    "hasSuffix": _holds("hasSuffix", str.endswith),
    "toJSON": Function(call=_to_json, returns="string"),
    "fromJSON": Function(call=_from_json, accepts=("string",)),
    "toBase64": Function(call=_to_base64, returns="string", accepts=("string",)),
    "fromBase64": Function(call=_from_base64, returns="string", accepts=("string",)),
    "reverse": Function(call=_reverse, accepts=("array", "string")),
}
