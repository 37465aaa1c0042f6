"""Marked values in YAML files: found by parsing, changed byte for byte.

A marker is a comment behind a value, Flux's own: `image: web:1.2 # {"$imagepolicy": "shop:web"}` stands for the whole
image, `shop:web:name`, `:tag` and `:digest` for a part of it. Only the characters of the value are replaced. Comments,
order, quotes, line ends and everything unmarked stay as they are; a file that would read differently anywhere else
afterwards is not written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from rollouts.gitops.errors import ImageError, RenderError
from rollouts.gitops.render.documents import Loader, documents
from rollouts.gitops.render.scalars import plain_scalar

KEY = "$imagepolicy"
SUFFIXES = (".yaml", ".yml")
MAX_BYTES = 1024 * 1024

_MARK = "\ufeff"
_COMMENT = re.compile(r'[ \t]*#[ \t]*(\{[^\r\n]*"\$imagepolicy"[^\r\n]*\})[ \t]*(?=\r|\n|\Z)')
_PARTS = ("", "name", "tag", "digest")
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?.*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Marker:
    """A marked value: where it is in the text (`start` to `end`, with its quotes), what it says, and what it is for.

    `part` is empty for the whole image, else `name`, `tag` or `digest`.
    """

    file: str
    line: int
    start: int
    end: int
    quote: str
    value: str
    namespace: str
    policy: str
    part: str


def find(data: bytes, *, file: str) -> tuple[Marker, ...]:
    """The markers of a file. ImageError when it has some but can't be edited safely."""
    if KEY.encode() not in data:
        return ()
    if len(data) > MAX_BYTES:
        raise ImageError(f"{file} has {len(data)} bytes, more than {MAX_BYTES}: markers in it are not looked for")
    text = _text(data, file)
    try:
        return tuple(_markers(text, file))
    except yaml.YAMLError as error:
        raise ImageError(f"{file} is not readable as YAML: {error}") from None


def edited(data: bytes, changes: Mapping[Marker, str], *, file: str) -> bytes:
    """The file with the marked values replaced. ImageError when anything else would change by it."""
    text = _text(data, file)
    for marker in sorted(changes, key=lambda marker: marker.start, reverse=True):
        text = text[: marker.start] + _quoted(changes[marker], marker.quote) + text[marker.end :]
    result = (_MARK if data.startswith(_MARK.encode()) else "") + text
    _prove(data, result, changes, file)
    return result.encode()


def _text(data: bytes, file: str) -> str:
    try:
        return data.decode().removeprefix(_MARK)
    except UnicodeDecodeError as error:
        raise ImageError(f"{file} is not UTF-8 (byte {error.start})") from None


def _markers(text: str, file: str) -> Iterator[Marker]:
    for event in yaml.parse(text, Loader=Loader):
        if not isinstance(event, yaml.ScalarEvent) or event.style in ("|", ">") or not event.value:
            continue
        start, end, line = _place(event)
        comment = _COMMENT.match(text, end)
        if comment and (target := _target(comment[1])):
            quote = event.style or ""
            if text[start:end] != f"{quote}{event.value}{quote}":
                raise ImageError(f"{file}:{line}: a marked value has an anchor, a tag or an escape")
            namespace, policy, part = target
            yield Marker(
                file=file, line=line, start=start, end=end, quote=quote, value=event.value,
                namespace=namespace, policy=policy, part=part,
            )  # fmt: skip


def _place(event: Any) -> tuple[int, int, int]:
    return event.start_mark.index, event.end_mark.index, event.start_mark.line + 1


def _target(comment: str) -> tuple[str, str, str] | None:
    """Namespace, policy and part of a marker; None when it is not well formed, as Flux does."""
    try:
        value: Any = json.loads(comment).get(KEY)
    except (ValueError, AttributeError):
        return None
    parts = value.split(":") if isinstance(value, str) else []
    if len(parts) not in (2, 3) or not all(parts) or [*parts, ""][2] not in _PARTS:
        return None
    return parts[0], parts[1], [*parts, ""][2]


def _quoted(value: str, quote: str) -> str:
    return f"{quote}{value}{quote}" if quote or _is_text(value) else f'"{value}"'


def _is_text(value: str) -> bool:
    """Whether the value, without quotes, is text to every YAML parser."""
    try:
        return isinstance(plain_scalar(value), str) and not _DATE.fullmatch(value) and not value.endswith(":")
    except ValueError:
        return False


def _prove(before: bytes, after: str, changes: Mapping[Marker, str], file: str) -> None:
    """Read both, and compare: they may differ in the changed values and nowhere else."""
    try:
        old, new = (_leaves(text, file) for text in (_text(before, file), after.removeprefix(_MARK)))
    except RenderError as error:
        raise ImageError(f"{file} could not be read after the edit: {error}") from None
    different = [(a, b) for a, b in zip(old, new, strict=False) if a != b]
    wanted = set(changes.values())
    if len(old) != len(new) or len(different) > len(changes) or any(b[1] not in wanted for _, b in different):
        raise ImageError(f"{file} would change in more than the marked values; it is left as it is")


def _leaves(text: str, file: str) -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for index, document in enumerate(documents(text, file=file)):
        found += _walk(document.value, f"{index}")
    return found


def _walk(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _walk(item, f"{path}/{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _walk(item, f"{path}/{index}")
    else:
        yield path, value
