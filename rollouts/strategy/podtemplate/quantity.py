"""Resource quantities (`500m`, `1.5Gi`, `1e3`) as Kubernetes reads and writes them.

Two things are needed of a quantity: the text Go's encoder writes for it, which enters the hash, and its value, by
which two templates are compared. The value is plain arithmetic on `Fraction`s. The text has rules of its own:

* A text that is already in (what the parser takes for) canonical form is kept letter by letter: `1.500` stays.
* Else it is written anew as digits and a suffix: decimal exponents are multiples of three (`0.5` → `500m`,
  `1000` → `1k`), binary ones multiples of ten (`1536Mi` stays, `2048Mi` → `2Gi`). Binary below 1024 turns decimal
  (`0.5Ki` → `512`), as do binary quantities with a fraction (`1025.0005Ki`).
* What is finer than a billionth is rounded away from zero; binary values are capped at 2^63 - 1.
* There is no suffix above `E`: `1000E` loses its size and becomes `1`. Odd, but part of the hash.

Worked: `0.1` has the digits `01` and the exponent -1. Not a multiple of three, so it is rewritten: 1 x 10^-1, to
the exponent -3 below it, 100 x 10^-3, `100m`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

_DECIMAL: Final = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY: Final = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL_SUFFIX: Final = {exponent: suffix for suffix, exponent in _DECIMAL.items()}
_BINARY_SUFFIX: Final = {0: ""} | {exponent: suffix for suffix, exponent in _BINARY.items()}
_SHAPE: Final = re.compile(r"([+-]?)0*([0-9]*)(?:\.([0-9]*))?([eE][+-]?[0-9]+|[a-zA-Z]*)", re.ASCII)
_INT64: Final = 2**63 - 1
_NANO: Final = -9


class QuantityError(ValueError):
    """The text is not a quantity."""

    def __init__(self, text: str) -> None:
        super().__init__(f"{text!r} is not a quantity; write a number with or without suffix, such as 500m or 2Gi")


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A parsed quantity. `style` is `decimal`, `binary` or `exponent`; `kept` is the text where it stays as written."""

    value: Fraction
    style: str
    kept: str | None = None


def parse(raw: str | int | float) -> Quantity:
    """Read a quantity from its JSON value. Raises `QuantityError`."""
    text = str(raw).strip(" \t\n\v\f\r\x85\xa0")
    match = _SHAPE.fullmatch(text)
    if match is None or not text:
        raise QuantityError(text)
    sign, whole, part, suffix = match[1], match[2] or "0", match[3] or "", match[4]
    style, exponent = _suffix(suffix, text)
    size = Fraction(2) ** exponent if style == "binary" else Fraction(10) ** exponent
    value = Fraction(int(whole + part), 10 ** len(part)) * size
    if _fits(whole, part, style, exponent, value):
        kept = text if _stays(whole + part, style, exponent - len(part)) else None
    elif not re.search("[0-9]", text.removesuffix(suffix)):
        raise QuantityError(text)
    else:
        value, style, kept = *_limited(value, style), None
    return Quantity(value=-value if sign == "-" else value, style=style, kept=kept)


def _suffix(suffix: str, text: str) -> tuple[str, int]:
    if suffix in _DECIMAL:
        return "decimal", _DECIMAL[suffix]
    if suffix in _BINARY:
        return "binary", _BINARY[suffix]
    if re.fullmatch(r"[eE][+-]?[0-9]+", suffix):
        return "exponent", int(suffix[1:])
    raise QuantityError(text)


def _fits(whole: str, part: str, style: str, exponent: int, value: Fraction) -> bool:
    """Whether the parser's short way takes it: digits fit 64 bits, no binary fraction, nothing below nano."""
    if style == "binary":
        return not part and 15 - len(whole) - exponent * 3 // 10 - 1 >= 0 and value <= _INT64
    return len(whole) + len(part) <= 18 and exponent - len(part) >= _NANO


def _stays(digits: str, style: str, exponent: int) -> bool:
    """Whether the parser takes the text for canonical and keeps it."""
    if style == "binary":
        return int(digits) % 8 != 0
    return exponent % 3 == 0 and not digits.endswith("000") and digits[0] != "0"


def _limited(value: Fraction, style: str) -> tuple[Fraction, str]:
    rounded = Fraction(math.ceil(value * 10**9), 10**9)
    if style != "binary":
        return rounded, style
    rounded = min(rounded, Fraction(_INT64))
    return rounded, "decimal" if 0 < rounded < 1 else "binary"


def canonical(raw: str | int | float) -> str:
    """The text Go's JSON encoder writes for this quantity, without quotes. Raises `QuantityError`."""
    quantity = parse(raw)
    if quantity.kept is not None:
        return quantity.kept
    if quantity.value == 0:
        return "0"
    if quantity.style == "binary" and abs(quantity.value) >= 1024 and quantity.value.denominator == 1:
        digits, exponent = _factored(int(quantity.value), 1024)
        return f"{digits}{_BINARY_SUFFIX.get(exponent * 10, '')}"
    return _decimal(quantity.value, quantity.style)


def _decimal(value: Fraction, style: str) -> str:
    places = _places(value)
    digits, exponent = _factored(int(value * 10**places), 10)
    exponent -= places
    shift = exponent % 3
    digits, exponent = digits * 10**shift, exponent - shift
    if style == "exponent":
        return f"{digits}e{exponent}" if exponent else str(digits)
    return f"{digits}{_DECIMAL_SUFFIX.get(exponent, '')}"


def _places(value: Fraction) -> int:
    """How many decimal places write the value in full: 9 at most, parsing rounds to nano."""
    return next(places for places in range(10) if (value * 10**places).denominator == 1)


def _factored(number: int, base: int) -> tuple[int, int]:
    """Move factors of `base` into an exponent: 2048, 1024 → (2, 1)."""
    exponent = 0
    while number % base == 0:
        number, exponent = number // base, exponent + 1
    return number, exponent
