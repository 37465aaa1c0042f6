"""Names a repository does not have, beside those it has."""

from __future__ import annotations

import pytest

from rollouts.gitops.nearest import advice, versions


def heads(*names: str) -> list[str]:
    return [f"refs/heads/{name}" for name in names]


@pytest.mark.parametrize(
    ("wanted", "references", "text"),
    [
        ("x", [], "it has no branch at all: push the first commit"),
        ("mian", heads("main", "other"), "did you mean 'main'? It has the branches main, other"),
        ("release/2", heads("release/1", "release-2"), "did you mean 'release/1' or 'release-2'?"),
        ("abcdef0", heads("main"), "a commit is named by all of its 40 digits; it has the branches main"),
        ("zz", heads(*"abcdefg"), "it has the branches a, b, c, d, e and 2 more"),
        ("zz", ["refs/tags/v1", "refs/tags/v1^{}"], "it has no branches, and the tags v1"),
        ("zz", heads("a", "evil\x1b[31m"), "it has the branches a"),
    ],
)
def test_which_was_meant(wanted: str, references: list[str], text: str) -> None:
    assert text in advice(wanted, references)
    assert "\x1b" not in advice(wanted, references)


@pytest.mark.parametrize(
    ("tags", "text"),
    [
        (["latest"], "no tag is a version such as 1.2.3"),
        ([], "no tag is a version"),
        (["v1.2.0", "v1.10.0", "nightly"], "the greatest are v1.10.0, v1.2.0; pre-releases count only"),
    ],
)
def test_which_versions_there_are(tags: list[str], text: str) -> None:
    assert versions(tags).startswith(text)
