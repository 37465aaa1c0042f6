"""Which tag wins: the candidates in order, best first. Pure.

Filter, extract and order are Flux's. Where Flux leaves something to chance it is fixed here: of two tags with the same
rank the greater by bytes wins, and a tag that is no number is no candidate of a numerical policy instead of an error.

    >>> ranked(["1.2.0", "1.10.0", "2.0.0-rc1", "latest"], Rule(order="semver", range="1.x"))
    ('1.10.0', '1.2.0')
"""

from __future__ import annotations

import fnmatch
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import re2

from rollouts.api.gitsync_images import FollowedImage
from rollouts.gitops import semver
from rollouts.gitops.errors import ImageError

EXCLUDED = (r".*\.(?:sig|att|sbom)", r"sha256-[0-9a-f]{64}.*")
_NO_LOG = re2.Options()
_NO_LOG.log_errors = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A policy. `order` is `semver`, `alphabetical`, `numerical` or `tag`; `smallest`: the least one wins.

    `pattern` and `extract`: what of a tag is compared; `glob` instead of a pattern; `exclude`: whole tags that are out.
    """

    order: str
    range: str = ""
    tag: str = ""
    smallest: bool = False
    pattern: str = ""
    extract: str = ""
    glob: str = ""
    exclude: tuple[str, ...] = EXCLUDED

    @classmethod
    def of(cls, image: FollowedImage) -> Rule:
        """From the API. ImageError when not exactly one policy is set."""
        given = image.policy
        orders = {"semver": given.semver, "alphabetical": given.alphabetical, "numerical": given.numerical}
        chosen = [name for name, value in (*orders.items(), ("tag", given.tag)) if value is not None]
        if len(chosen) != 1:
            raise ImageError(f"image {image.name!r}: set exactly one of semver, alphabetical, numerical and tag")
        ordered = given.alphabetical or given.numerical
        filter_ = image.filter_tags
        return cls(
            order=chosen[0],
            range=given.semver.range if given.semver else "",
            tag=given.tag or "",
            smallest=bool(ordered and ordered.order == "desc"),
            pattern=(filter_.pattern or "") if filter_ else "",
            extract=(filter_.extract or "") if filter_ else "",
            glob=(filter_.glob or "") if filter_ else "",
            exclude=EXCLUDED if image.exclude is None else tuple(image.exclude),
        )


def ranked(tags: Iterable[str], rule: Rule) -> tuple[str, ...]:
    """The candidates, best first. ImageError when the rule itself is wrong."""
    if rule.order == "tag":
        return tuple(tag for tag in tags if tag == rule.tag)
    try:
        ranks = {tag: rank for tag in tags if (rank := rank_of(tag, rule)) is not None}
    except ValueError as error:
        raise ImageError(str(error)) from None
    return tuple(sorted(ranks, key=lambda tag: (ranks[tag], tag.encode()), reverse=True))


def rank_of(tag: str, rule: Rule) -> Any:
    """Where a tag stands, greater is better; None when it is no candidate."""
    if any(_whole(pattern).fullmatch(tag) for pattern in rule.exclude):
        return None
    value = compared(tag, rule)
    if value is None:
        return None
    if rule.order == "semver":
        version = semver.parse(value)
        return version.order if version and semver.within(version, semver.constraints(rule.range)) else None
    rank = _number(value) if rule.order == "numerical" else value.encode()
    return _Reversed(rank) if rule.smallest and rank is not None else rank


def compared(tag: str, rule: Rule) -> str | None:
    """What of the tag is compared; None when the filter leaves it out."""
    if rule.glob:
        return tag if fnmatch.fnmatchcase(tag, rule.glob) else None
    if not rule.pattern:
        return tag
    found = _whole(rule.pattern).search(tag)
    if found is None:
        return None
    return _filled(rule.extract, found) if rule.extract else tag


def _filled(template: str, found: Any) -> str:
    """`$1`, `$name` and `${name}` replaced by what was found, `$$` by a dollar; unknown names by nothing."""
    groups = found.groupdict()

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name is None:
            return "$"
        if name.isdigit():
            return (found.group(int(name)) or "") if int(name) <= found.re.groups else ""
        return groups.get(name) or ""

    return re.sub(r"\$(?:\$|\{(\w+)\}|(\w+))", value, template)


@lru_cache(maxsize=256)
def _whole(pattern: str) -> Any:
    try:
        return re2.compile(pattern, options=_NO_LOG)
    except re2.error as error:
        reason = error.args[0]
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise ImageError(f"{pattern!r} is no regular expression: {text}") from None


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


@dataclass(frozen=True, slots=True)
class _Reversed:
    """Sorts the other way round."""

    rank: Any

    def __lt__(self, other: _Reversed) -> bool:
        return bool(other.rank < self.rank)
