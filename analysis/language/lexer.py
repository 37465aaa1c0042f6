"""From text to tokens, by one regular expression.

Numbers come out as int or float, strings with their escapes resolved; keywords that are operators (`and`, `not`,
`in`, ...) come out as operators in their symbolic spelling, so that the parser knows one spelling only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

from analysis.language.errors import ConditionError

LONGEST_SOURCE = 20_000
"""Characters. A condition longer than this is refused before it is looked at."""

Kind = Literal["number", "string", "name", "pointer", "operator", "end"]

WORDS = {"and": "&&", "or": "||", "not": "!"}
WORD_OPERATORS = frozenset(("in", "matches", "contains", "startsWith", "endsWith"))

_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r\n]+|//[^\n]*|/\*.*?\*/)
  | (?P<radix>0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+)
  | (?P<float>(?:[0-9][0-9_]*)?\.[0-9][0-9_]*(?:[eE][+-]?[0-9]+)?|[0-9][0-9_]*[eE][+-]?[0-9]+)
  | (?P<int>[0-9][0-9_]*)
  | (?P<bytes>b(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))
  | (?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')
  | (?P<raw>`[^`]*`)
  | (?P<name>[^\W\d]\w*|\$\w*)
  | (?P<pointer>\#\w*)
  | (?P<operator>\?\.(?![0-9])|\?\?|\.\.|\*\*|&&|\|\||==|!=|<=|>=|[-+*/%^<>!?:.,;|()\[\]{}=])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[0-7]{3}|.)", re.DOTALL)
_SIMPLE = dict(zip("abfnrtv\\'\"`?", "\a\b\f\n\r\t\v\\'\"`?", strict=True))
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One token. `value` is the number, the string's text, the name, or the operator's symbol."""

    kind: Kind
    value: Any
    position: int
    text: str = ""

    def is_operator(self, *symbols: str) -> bool:
        """Whether this is one of these operators."""
        return self.kind == "operator" and self.value in symbols


def tokens(source: str) -> tuple[Token, ...]:
    """All tokens of a text, the last of kind `end`. Raises ConditionError at the first that cannot be read."""
    if len(source) > LONGEST_SOURCE:
        raise ConditionError(f"the condition is too long ({len(source)} characters, at most {LONGEST_SOURCE})")
    return (*_scan(source), Token(kind="end", value="end of expression", position=len(source.rstrip())))


def _scan(source: str) -> Iterator[Token]:
    position = 0
    while position < len(source):
        found = _TOKEN.match(source, position)
        if found is None:
            raise ConditionError(_unreadable(source[position]), source=source, position=position)
        if found.lastgroup != "space":
            yield _token(found, source)
        position = found.end()


def _unreadable(character: str) -> str:
    if character in "\"'`":
        return "this string is not closed"
    return f"unexpected character {character!r}"


def _token(found: re.Match[str], source: str) -> Token:
    kind, value = _READERS[str(found.lastgroup)](found.group())
    if isinstance(value, ConditionError):
        raise value.at(source=source, position=found.start())
    return Token(kind=kind, value=value, position=found.start(), text=found.group())


def _integer(text: str, base: int = 10) -> tuple[Kind, Any]:
    try:
        value = int(text.replace("_", "") or "0", base)
    except ValueError:  # a radix prefix with nothing but underscores; thousands of digits
        return "number", ConditionError("this number cannot be read")
    return "number", value if value <= _LARGEST else ConditionError("this whole number is too large (64 bits)")


def _radix(text: str) -> tuple[Kind, Any]:
    return _integer(text, 0)


def _float(text: str) -> tuple[Kind, Any]:
    return "number", float(text.replace("_", ""))


def _unescape(found: re.Match[str]) -> str:
    code = found[1]
    if code[0] in "xuU" and len(code) > 1:
        return chr(int(code[1:], 16))
    if len(code) == 3:
        return chr(int(code, 8))
    return _SIMPLE[code]


def _string(text: str) -> tuple[Kind, Any]:
    try:
        return "string", _ESCAPE.sub(_unescape, text[1:-1])
    except (KeyError, ValueError, OverflowError):
        return "string", ConditionError("this string has an escape that is not known")


def _word(text: str) -> tuple[Kind, Any]:
    if text in WORDS:
        return "operator", WORDS[text]
    return ("operator", text) if text in WORD_OPERATORS else ("name", text)


_READERS: dict[str, Callable[[str], tuple[Kind, Any]]] = {
    "radix": _radix,
    "float": _float,
    "int": _integer,
    "bytes": lambda text: _string(text[1:]),
    "string": _string,
    "raw": lambda text: ("string", text[1:-1]),
    "name": _word,
    "pointer": lambda text: ("pointer", text[1:]),
    "operator": lambda text: ("operator", {"^": "**"}.get(text, text)),
}
