"""Refspecs of `git.push.refspec`: `refs/heads/main:refs/heads/auto`, `HEAD:refs/heads/auto`, or `refs/heads/auto`.

Git's own are a language: they delete (`:x`), force (`+a:b`) and take patterns (`refs/*:refs/*`), and a name without
`refs/` means what the server happens to have. Here a refspec says one thing, to which branch a commit goes, and
everything else is refused with the reason. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

HEADS = "refs/heads/"
_BRANCH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./@+-]*")
_NO_BRANCH = re.compile(r"\.\.|//|\.lock(/|$)|/\.|/$|\.$|@\{")
_WRITE = "write refs/heads/FROM:refs/heads/TO"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refspec:
    """`source`: the branch a commit is made on, empty for whichever it is (`HEAD`, or none named); `target`: the
    branch it goes to. Both without `refs/heads/`."""

    source: str
    target: str


def is_branch(name: str) -> bool:
    """Whether git takes it for the name of a branch, and nobody for an option."""
    return bool(_BRANCH.fullmatch(name)) and not _NO_BRANCH.search(name)


def refspec(text: str) -> Refspec:
    """The refspec; ValueError with what is wrong and what to write."""
    if text.startswith("+"):
        raise ValueError("is never forced: take out the `+`; a branch is replaced while its newest commit is ours")
    source, colon, target = text.rpartition(":")
    if colon and not source:
        raise ValueError(f"would delete {target}: {_WRITE}")
    if not target.startswith(HEADS):
        raise ValueError(f'"{target}" is no branch: {_WRITE}; other references are not written to')
    named = "" if source in ("", "HEAD") else _named(source)
    return Refspec(source=named, target=_named(target))


def _named(reference: str) -> str:
    name = reference.removeprefix(HEADS)
    if not is_branch(name) or name.startswith("refs/"):
        raise ValueError(f'"{name}" is no name of a branch: {_WRITE}')
    return name
