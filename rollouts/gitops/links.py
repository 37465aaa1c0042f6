"""Symbolic links of a commit, followed on paper: which file of the repository each stands for.

No link is ever made on disk. A link is text in a blob; here it is resolved against the list of files of the same
commit, and whoever renders gets a copy of what it points to. A link that leaves the repository, points to nothing, or
to a folder it lies in can't be followed, and the reason is told. Pure.

    >>> follow(["base/a.yaml"], {"prod/a.yaml": "../base/a.yaml", "all": "base"}, limit=10).names
    {'prod/a.yaml': 'base/a.yaml', 'all/a.yaml': 'base/a.yaml'}
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from rollouts.gitops.errors import TreeError

HOPS = 8
"""So many links may lead to each other."""

_OUT = "points out of the repository"
_ROUND = "points to a folder it lies in"
_NOWHERE = "points to nothing in the repository, or to a link that can't be followed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """`names`: new path -> the file it stands for. `refused`: link -> why it can't be followed."""

    names: Mapping[str, str]
    refused: Mapping[str, str]


def follow(files: Collection[str], links: Mapping[str, str], *, limit: int) -> Followed:
    """Resolve the links (path -> what they say). TreeError when they multiply the files beyond `limit`."""
    pending = {link: target_of(link, text) for link, text in links.items()}
    refused = {link: reason for link, (target, reason) in pending.items() if target is None}
    left = {link: target for link, (target, _) in pending.items() if target is not None}
    known = {path: path for path in files}
    for _ in range(HOPS):
        reached = [link for link in left if _reach(link, left, known, limit=limit)]
        for link in reached:
            del left[link]
        if not reached:
            break
    refused |= dict.fromkeys(left, _NOWHERE)
    return Followed(names={path: file for path, file in known.items() if path != file}, refused=refused)


def target_of(link: str, text: str) -> tuple[str | None, str]:
    """The path in the repository that a link says, or None and why not."""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(link), text))
    if not text or text.startswith("/") or not text.isprintable() or target.split("/")[0] == "..":
        return None, _OUT
    if target == "." or f"{link}/".startswith(f"{target}/"):
        return None, _ROUND
    return target, ""


def _reach(link: str, left: Mapping[str, str], known: dict[str, str], *, limit: int) -> bool:
    """Take over what the link points to, if all of that is known by now."""
    target = left[link]
    if target in known:
        known.setdefault(link, known[target])
        return True
    inside = f"{target}/"
    below = [path for path in known if path.startswith(inside)]
    if not below or any(other.startswith(inside) or other == target for other in left if other != link):
        return False
    if len(known) + len(below) > limit:
        raise TreeError(f"the links of the repository make more than {limit} files of it")
    for path in below:
        known.setdefault(f"{link}/{path.removeprefix(inside)}", known[path])
    return True
