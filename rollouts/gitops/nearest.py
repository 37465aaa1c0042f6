"""A name that a repository does not have: which was meant, and which there are. Pure.

    it has no branch or tag 'mian': did you mean 'main'? It has the branches main, next, and the tags v1.2.0

Names are a stranger's texts: only those that git itself takes for names of references are shown, and few of them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

from rollouts.gitops import semver

HEADS, TAGS = "refs/heads/", "refs/tags/"
_SHOWN = 5
_COMPARED = 2000
_SHORT_ID = re.compile(r"[0-9a-f]{7,39}")


def advice(wanted: str, references: Iterable[str]) -> str:
    """What to say beside "there is no such": the names that are near, and what there is at all. `references`: full
    names, as a repository lists them."""
    listed = [name for name in references if name.isprintable() and not name.endswith("^{}")]
    heads = [name.removeprefix(HEADS) for name in listed if name.startswith(HEADS)]
    tags = [name.removeprefix(TAGS) for name in listed if name.startswith(TAGS)]
    if not heads and not tags:
        return (
            "it has no branch at all: push the first commit, or check whether the address is that of a Git repository"
        )
    digits = "a commit is named by all of its 40 digits; " if _SHORT_ID.fullmatch(wanted) else ""
    meant = _meant(wanted.removeprefix(HEADS).removeprefix(TAGS), [*heads, *tags])
    rest = f"{digits}{_there(heads, tags)}"
    return f"{meant} {rest[0].upper()}{rest[1:]}" if meant else rest


def versions(tags: Iterable[str]) -> str:
    """What to say beside "none of the tags is in the range": the greatest versions there are."""
    known = {tag: version for tag in tags if (version := semver.parse(tag))}
    if not known:
        return "no tag is a version such as 1.2.3: push one, or name a branch"
    best = sorted(known, key=lambda tag: (known[tag].order, tag), reverse=True)
    return f"the greatest are {_listed(best)}; pre-releases count only where the range names one, such as >=1.0.0-0"


def _meant(wanted: str, names: Sequence[str]) -> str:
    by_word = {name.lower(): name for name in reversed(names[:_COMPARED])}
    near = difflib.get_close_matches(wanted.lower(), by_word, n=2, cutoff=0.6)
    return "did you mean " + " or ".join(repr(by_word[word]) for word in near) + "?" if near else ""


def _there(heads: Sequence[str], tags: Sequence[str]) -> str:
    branches = f"the branches {_listed(heads)}" if heads else "no branches"
    return f"it has {branches}" + (f", and the tags {_listed(tags)}" if tags else "")


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
