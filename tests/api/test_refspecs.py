"""Refspecs of `git.push.refspec`: a branch, and nothing of what else git does with them."""

from __future__ import annotations

import re

import pytest

from rollouts.api.refspecs import Refspec, is_branch, refspec


@pytest.mark.parametrize(
    ("text", "source", "target"),
    [
        ("refs/heads/main:refs/heads/auto", "main", "auto"),
        ("main:refs/heads/a/b", "main", "a/b"),
        ("HEAD:refs/heads/auto", "", "auto"),
        ("refs/heads/auto", "", "auto"),
    ],
)
def test_what_is_taken(text: str, source: str, target: str) -> None:
    assert refspec(text) == Refspec(source=source, target=target)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("+refs/heads/a:refs/heads/b", "never forced"),
        (":refs/heads/main", "would delete refs/heads/main"),
        ("refs/heads/main:", "is no branch"),
        ("", "is no branch"),
        ("auto", "is no branch"),
        ("main:auto", "is no branch"),
        ("HEAD:refs/for/main", "other references are not written to"),
        ("HEAD:refs/tags/v1", "other references are not written to"),
        ("refs/heads/*:refs/heads/*", "no name of a branch"),
        ("HEAD:refs/heads/", "no name of a branch"),
        ("refs/heads/a:b:refs/heads/c", "no name of a branch"),
        ("refs/tags/v1:refs/heads/a", "no name of a branch"),
        ("HEAD:refs/heads/--upload-pack=x", "no name of a branch"),
        ("HEAD:refs/heads/a b", "no name of a branch"),
        ("HEAD:refs/heads/a\nb", "no name of a branch"),
        ("HEAD:refs/heads/a..b", "no name of a branch"),
        ("HEAD:refs/heads/a.lock", "no name of a branch"),
        ("refs/heads/:refs/heads/a", "no name of a branch"),
    ],
)
def test_what_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=re.escape(says)):
        refspec(text)


@pytest.mark.parametrize(
    ("name", "good"),
    [("main", True), ("a/b-c.d", True), ("-x", False), ("a/.b", False), ("a@{1}", False), ("x.lock/y", False)],
)
def test_names_of_branches(name: str, good: bool) -> None:
    assert is_branch(name) is good
