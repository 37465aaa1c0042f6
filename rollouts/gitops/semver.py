"""Versions and ranges, as Flux, Helm and Argo CD understand them (the dialect of Masterminds/semver).

No library on PyPI speaks it: `1.2` means `1.2.x`, `!=`, `~` and `^` take partial versions, a comma is "and", `||` is
"or", `1.2 - 2.3` is a range, and a pre-release fits only where the range itself names one.

    >>> fits("1.2.3", "~1.2"), fits("1.3.0-rc.1", ">=1.2"), fits("1.3.0-rc.1", ">=1.2-0")
    (True, False, True)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import zip_longest

_SUFFIX = r"(?:-(?P<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?"
_VERSION = re.compile(rf"v?(?P<major>\d{{1,18}})\.(?P<minor>\d{{1,18}})\.(?P<patch>\d{{1,18}}){_SUFFIX}")
_LOOSE = rf"v?(?P<major>\d{{1,18}}|[xX*])(?:\.(?P<minor>\d{{1,18}}|[xX*]))?(?:\.(?P<patch>\d{{1,18}}|[xX*]))?{_SUFFIX}"
_OPERATOR = r"(?P<operator>>=|=>|<=|=<|~>|!=|[=<>~^])?"
_CONSTRAINT = re.compile(rf"\s*{_OPERATOR}\s*{_LOOSE}\s*,?")
_PLAIN = r"v?[0-9xX*]+(?:\.[0-9xX*]+)*(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?"
_HYPHEN = re.compile(rf"({_PLAIN})\s+-\s+({_PLAIN})")
_MARKS = re.compile(r"[<>=^~*|,\s]|\.[xX](?:\.|$)")
_LONGEST_RANGE = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """A version; `pre` is the pre-release, empty for none."""

    major: int
    minor: int
    patch: int
    pre: str = ""

    @property
    def order(self) -> tuple[object, ...]:
        """What versions are sorted by: a pre-release comes before its release, numbers before words."""
        parts = tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in self.pre.split("."))
        return (self.major, self.minor, self.patch, not self.pre, parts if self.pre else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """One comparison. `given`: how many of the three numbers the range names, 0 for `*`."""

    operator: str
    version: Version
    given: int


def is_range(text: str) -> bool:
    """Whether the text can only be meant as a range: it has an operator, or an `x` for a number."""
    if not _MARKS.search(text):
        return False
    try:
        constraints(text)
    except ValueError:
        return False
    return True


def parse(text: str) -> Version | None:
    """The version of a tag with three numbers, None when it is none. `v` and leading zeros are fine."""
    found = _VERSION.fullmatch(text)
    if not found:
        return None
    return Version(
        major=int(found["major"]), minor=int(found["minor"]), patch=int(found["patch"]), pre=found["pre"] or ""
    )


def fits(text: str, range_: str) -> bool:
    """Whether a version is in a range; False for what is no version. ValueError for what is no range."""
    version = parse(text)
    return version is not None and within(version, constraints(range_))


def within(version: Version, groups: tuple[tuple[Constraint, ...], ...]) -> bool:
    """Whether every comparison of one of the groups holds."""
    return any(_all(version, group) for group in groups)


@lru_cache(maxsize=256)
def constraints(range_: str) -> tuple[tuple[Constraint, ...], ...]:
    """The comparisons of a range, "or" outside, "and" inside. ValueError when it is no range."""
    if len(range_) > _LONGEST_RANGE:
        raise ValueError(f"the range is longer than {_LONGEST_RANGE} letters")
    return tuple(_group(part, range_) for part in range_.split("||"))


def _group(text: str, whole: str) -> tuple[Constraint, ...]:
    rest = _HYPHEN.sub(r">=\1 <=\2", text).strip()
    found: list[Constraint] = []
    while rest:
        match = _CONSTRAINT.match(rest)
        if not match or not _apart(match[0], rest[match.end() :]):
            raise ValueError(f"{whole!r} is no range of versions: use >=1.2.0 <2.0.0, ~1.2, ^1.2.3, 1.x or *")
        found.append(_constraint(match))
        rest = rest[match.end() :].strip()
    if not found:
        raise ValueError(f"{whole!r} is no range of versions: a part of it is empty")
    return tuple(found)


def _apart(taken: str, rest: str) -> bool:
    """Whether what was taken ends where a comparison may end: `1x` is not `1` and `x`."""
    return not rest or taken[-1] in ", \t" or rest[0] in "<>=!~^"


def _constraint(match: re.Match[str]) -> Constraint:
    numbers: list[int] = []
    for name in ("major", "minor", "patch"):
        if match[name] is None or match[name] in "xX*":
            break
        numbers.append(int(match[name]))
    given = len(numbers)
    major, minor, patch = [*numbers, 0, 0, 0][:3]
    version = Version(major=major, minor=minor, patch=patch, pre=match["pre"] or "")
    return Constraint(
        operator=_SAME.get(match["operator"] or "=", match["operator"] or "="), version=version, given=given
    )


_SAME = {"=>": ">=", "=<": "<=", "~>": "~"}


def _all(version: Version, group: tuple[Constraint, ...]) -> bool:
    if version.pre and not any(constraint.version.pre for constraint in group):
        return False
    return all(_CHECKS[constraint.operator](version, constraint) for constraint in group)


def _equal(version: Version, wanted: Constraint) -> bool:
    return _tilde(version, wanted) if wanted.given < 3 else version.order == wanted.version.order


def _unequal(version: Version, wanted: Constraint) -> bool:
    if wanted.given == 3:
        return version.order != wanted.version.order
    pairs = zip_longest(_numbers(version), _numbers(wanted.version)[: wanted.given])
    return any(a != b for a, b in pairs if b is not None)


def _greater(version: Version, wanted: Constraint) -> bool:
    if wanted.given == 3:
        return version.order > wanted.version.order
    return _numbers(version)[: wanted.given] > _numbers(wanted.version)[: wanted.given]


def _at_most(version: Version, wanted: Constraint) -> bool:
    if wanted.given == 3:
        return version.order <= wanted.version.order
    return _numbers(version)[: wanted.given] <= _numbers(wanted.version)[: wanted.given]


def _tilde(version: Version, wanted: Constraint) -> bool:
    """The same major and minor number, as far as they are given, and not less."""
    if version.order < wanted.version.order:
        return False
    if wanted.given == 3 and _numbers(wanted.version) == (0, 0, 0):
        return True
    compared = min(wanted.given, 2)
    return _numbers(version)[:compared] == _numbers(wanted.version)[:compared]


def _caret(version: Version, wanted: Constraint) -> bool:
    """The first number that is not zero stays, and not less."""
    if version.order < wanted.version.order:
        return False
    numbers = _numbers(wanted.version)[: wanted.given]
    kept = next((index for index, number in enumerate(numbers) if number), len(numbers) - 1)
    return _numbers(version)[: kept + 1] == numbers[: kept + 1]


def _numbers(version: Version) -> tuple[int, int, int]:
    return version.major, version.minor, version.patch


_CHECKS: Mapping[str, Callable[[Version, Constraint], bool]] = {
    "=": _equal,
    "!=": _unequal,
    ">": _greater,
    "<": lambda version, wanted: version.order < wanted.version.order,
    ">=": lambda version, wanted: version.order >= wanted.version.order,
    "<=": _at_most,
    "~": _tilde,
    "^": _caret,
}
