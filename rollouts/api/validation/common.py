"""Rules that several areas share: names, numbers, one-of choices, lists without duplicates, selectors.

Each takes a `Path` for the place and yields errors; none of them looks at more than it is given.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from rollouts.api import selectors
from rollouts.api.durations import parse_duration
from rollouts.api.errors import FieldError, Path
from rollouts.api.meta import LabelSelector
from rollouts.api.percentages import percentage

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_LABEL_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_DNS_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
TEMPLATED = re.compile(r"\{\{.*\}\}", re.DOTALL)


def at_least(least: int, value: int | None, path: Path) -> Iterator[FieldError]:
    """A number, if given, that must not be smaller than `least`."""
    if value is not None and value < least:
        yield path.error(f"must be {least} or more, not {value}")


def between(low: int, high: int, value: int | None, path: Path, *, words: str = "") -> Iterator[FieldError]:
    """A number, if given, within bounds. `words`: what the error begins with."""
    if value is not None and not low <= value <= high:
        yield path.error(f"{words or f'must be between {low} and {high}'}, not {value}")


def dns_label(name: str | None, path: Path) -> Iterator[FieldError]:
    """A name of at most 63 lower case letters, digits and hyphens."""
    if name is not None and not _DNS_LABEL.fullmatch(name):
        yield path.error(
            f'"{name[:80]}" is no name: use at most 63 lower case letters, digits and hyphens, '
            "beginning and ending with a letter or digit"
        )


def duration(text: str | None, path: Path) -> Iterator[FieldError]:
    """A Go duration, if given; one with `{{args.…}}` in it can't be judged yet."""
    if text is None or TEMPLATED.search(text):
        return
    try:
        parse_duration(text)
    except ValueError as error:
        yield path.error(str(error))


def number_or_share(value: int | str | None, path: Path, *, most: int | None = 100) -> Iterator[FieldError]:
    """A number of pods, or a percentage of at most `most` (None: any)."""
    if isinstance(value, int):
        yield from at_least(0, value, path)
    elif value is not None:
        yield from _share(value, path, most)


def _share(value: str, path: Path, most: int | None) -> Iterator[FieldError]:
    try:
        share = percentage(value)
    except ValueError as error:
        yield path.error(str(error))
    else:
        if most is not None and share > most:
            yield path.error(f'must not be more than {most}%, not "{value}"')


def exactly_one(model: BaseModel, path: Path, *, words: str = "") -> Iterator[FieldError]:
    """A model of which exactly one field must be set. `words`: what the error begins with."""
    known = f"{words}: " if words else ""
    names = [str(field.alias) for field in type(model).model_fields.values()]
    chosen = [str(field.alias) for name, field in type(model).model_fields.items() if getattr(model, name) is not None]
    if not chosen:
        yield path.error(f"{known}set one of {', '.join(names)}")
    if len(chosen) > 1:
        yield path.error(f"{known}set only one of {', '.join(chosen)}")


def no_duplicates(values: Iterable[Hashable], path: Path, field: str) -> Iterator[FieldError]:
    """A list in which `values`, the items' `field`s, must differ; the second and later ones are reported."""
    seen: Counter[Hashable] = Counter()
    for index, value in enumerate(values):
        seen[value] += 1
        if seen[value] > 1 and value is not None:
            yield (path / index / field).error(f'"{value}" is there already; each {field} must be unique')


def labels(values: Mapping[str, Any], path: Path) -> Iterator[FieldError]:
    """Label keys and values that Kubernetes takes."""
    for key, value in values.items():
        if not _is_label_key(key):
            yield (path / str(key)).error("is no label key: use [prefix/]name, the name with at most 63 characters")
        if not isinstance(value, str) or not _LABEL_VALUE.fullmatch(value):
            yield (path / str(key)).error("is no label value: use at most 63 letters, digits, '-', '_' and '.'")


def _is_label_key(key: Any) -> bool:
    if not isinstance(key, str):
        return False
    prefix, slash, name = key.rpartition("/")
    good_prefix = not slash or (len(prefix) <= 253 and bool(_DNS_NAME.fullmatch(prefix)))
    return good_prefix and bool(_LABEL_NAME.fullmatch(name))


def selector(value: LabelSelector, path: Path) -> Iterator[FieldError]:
    """A selector with good labels and expressions that fit their operators."""
    yield from labels(value.match_labels or {}, path / "matchLabels")
    for index, expression in enumerate(value.match_expressions or ()):
        place = path / "matchExpressions" / index
        wants_values = expression.operator in ("In", "NotIn")
        if wants_values and not expression.values:
            yield (place / "values").error(f"must have values with operator {expression.operator}")
        if not wants_values and expression.values:
            yield (place / "values").error(f"must have no values with operator {expression.operator}")


def is_empty(value: LabelSelector) -> bool:
    """Whether a selector matches everything."""
    return selectors.is_empty(_written(value))


def matches(value: LabelSelector, found: Mapping[str, Any]) -> bool:
    """Whether a selector matches these labels."""
    return selectors.selects(_written(value), found)


def _written(value: LabelSelector) -> dict[str, Any]:
    return value.model_dump(by_alias=True, exclude_none=True)


def mapping(value: Any) -> Mapping[str, Any]:
    """`value` if it is an object, else an empty one: a wrong type has been reported elsewhere."""
    return value if isinstance(value, Mapping) else {}


def items(value: Any) -> Sequence[Any]:
    """`value` if it is a list, else an empty one."""
    return value if isinstance(value, list | tuple) else ()
