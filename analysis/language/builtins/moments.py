"""Built-ins on times and durations, and their methods.

`now()` is the time the measurement is judged at, given by the caller: the language itself has no clock.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from analysis.language.builtins.base import Function, string, wrong
from analysis.language.errors import ConditionError
from analysis.language.values import Frame, go_float
from analysis.spec.durations import parse_duration

_LAYOUTS = ("%Y-%m-%d", "%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%d %b %y %H:%M %z", "%a, %d %b %Y %H:%M:%S %z")
_GO_LAYOUT = re.compile("2006|01|02|15|03|04|05|Jan|January|Mon|Monday|PM|Z07:00|-0700|-07:00|MST|06|1|2|3|4|5")
_DIRECTIVES = {
    "2006": "%Y", "06": "%y", "01": "%m", "1": "%m", "Jan": "%b", "January": "%B", "02": "%d", "2": "%d",
    "Mon": "%a", "Monday": "%A", "15": "%H", "03": "%I", "3": "%I", "04": "%M", "4": "%M", "05": "%S", "5": "%S",
    "PM": "%p", "Z07:00": "%z", "-0700": "%z", "-07:00": "%z", "MST": "%Z",
}  # fmt: skip


def go_duration(value: timedelta) -> str:
    """A duration as Go prints it: `1h30m0s`, `1.5s`, `250ms`, `0s`."""
    micros = round(value.total_seconds() * 1e6)
    sign, micros = ("-", -micros) if micros < 0 else ("", micros)
    if micros < 1_000_000:
        small = f"{go_float(micros / 1000)}ms" if micros >= 1000 else f"{micros}µs"
        return sign + (small if micros else "0s")
    minutes, rest = divmod(micros, 60_000_000)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{go_float(rest / 1e6)}s"
    return sign + (f"{hours}h{minutes}m{seconds}" if hours else f"{minutes}m{seconds}" if minutes else seconds)


def _now(frame: Frame, zone: Any = None) -> datetime:
    if frame.now is None:
        raise ConditionError("now() is not known here")
    return frame.now.astimezone(zone) if isinstance(zone, tzinfo) else frame.now


def _duration(frame: Frame, value: Any) -> timedelta:
    try:
        return timedelta(seconds=parse_duration(string("duration", value)))
    except (ValueError, OverflowError) as error:
        raise ConditionError(str(error)) from error


def _timezone(frame: Frame, value: Any) -> tzinfo:
    try:
        return ZoneInfo(string("timezone", value))
    except (KeyError, ValueError, OSError) as error:
        raise ConditionError(f"unknown time zone {value[:60]!r}") from error


def _date(frame: Frame, value: Any, layout: Any = None, zone: Any = None) -> datetime:
    plain = string("date", value)
    if isinstance(layout, tzinfo):
        layout, zone = None, layout
    zone = _zone(frame, zone)
    found = _read(plain, None if layout is None else string("date", layout))
    return found if found.tzinfo else found.replace(tzinfo=zone)


def _zone(frame: Frame, zone: Any) -> tzinfo:
    if zone is None:
        return UTC
    return zone if isinstance(zone, tzinfo) else _timezone(frame, zone)


def _read(plain: str, layout: str | None) -> datetime:
    if layout is None and (found := _iso(plain)):
        return found
    formats = _LAYOUTS if layout is None else (_GO_LAYOUT.sub(lambda part: _DIRECTIVES[part[0]], layout),)
    for form in formats:
        try:
            return datetime.strptime(plain, form)  # the zone is added by the caller
        except (ValueError, re.error):
            continue
    raise ConditionError(f"invalid date {plain[:60]!r}")


def _iso(plain: str) -> datetime | None:
    try:
        return datetime.fromisoformat(plain)
    except ValueError:
        return None


def _instant(name: str, value: Any) -> datetime:
    if type(value) is datetime:
        return value
    raise wrong(name, value, "a time")


def _span(name: str, value: Any) -> timedelta:
    if type(value) is timedelta:
        return value
    raise wrong(name, value, "a duration")


def _nothing(take: Callable[[Any], Any]) -> tuple[Callable[..., Any], int]:
    return (lambda value: take(value)), 0


METHODS: dict[tuple[type, str], tuple[Callable[..., Any], int]] = {
    (datetime, "Unix"): _nothing(lambda at: int(at.timestamp())),
    (datetime, "UnixMilli"): _nothing(lambda at: int(at.timestamp() * 1000)),
    (datetime, "Year"): _nothing(lambda at: at.year),
    (datetime, "Month"): _nothing(lambda at: at.month),
    (datetime, "Day"): _nothing(lambda at: at.day),
    (datetime, "Hour"): _nothing(lambda at: at.hour),
    (datetime, "Minute"): _nothing(lambda at: at.minute),
    (datetime, "Second"): _nothing(lambda at: at.second),
    (datetime, "Weekday"): _nothing(lambda at: at.isoweekday() % 7),
    (datetime, "YearDay"): _nothing(lambda at: at.timetuple().tm_yday),
    (datetime, "UTC"): _nothing(lambda at: at.astimezone(UTC)),
    (datetime, "Add"): (lambda at, span: at + _span("Add", span), 1),
    (datetime, "Sub"): (lambda at, other: at - _instant("Sub", other), 1),
    (datetime, "Before"): (lambda at, other: at < _instant("Before", other), 1),
    (datetime, "After"): (lambda at, other: at > _instant("After", other), 1),
    (datetime, "Equal"): (lambda at, other: at == _instant("Equal", other), 1),
    (timedelta, "Hours"): _nothing(lambda span: span.total_seconds() / 3600),
    (timedelta, "Minutes"): _nothing(lambda span: span.total_seconds() / 60),
    (timedelta, "Seconds"): _nothing(timedelta.total_seconds),
    (timedelta, "Milliseconds"): _nothing(lambda span: int(span.total_seconds() * 1e3)),
    (timedelta, "String"): _nothing(go_duration),
}
"""Methods by the type of their base and name: the function, and how many arguments it takes beside the base."""

FUNCTIONS: dict[str, Function] = {
    "now": Function(call=_now, least=0, most=1, returns="time"),
    "duration": Function(call=_duration, returns="duration", accepts=("string",)),
    "date": Function(call=_date, most=3, returns="time", accepts=("string",)),
    "timezone": Function(call=_timezone, accepts=("string",)),
}
