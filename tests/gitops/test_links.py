"""Symbolic links of a repository: followed on paper within it, refused beyond."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollouts.gitops.errors import TreeError
from rollouts.gitops.links import follow
from rollouts.gitops.materialise import Limits, materialise
from rollouts.gitops.source import Repository, Source
from tests.gitops.bare import Bare

FILES = ("base/a", "base/sub/b", "top")


@pytest.mark.parametrize(
    ("links", "names"),
    [
        ({"x": "top"}, {"x": "top"}),
        ({"p/x": "../base/a"}, {"p/x": "base/a"}),
        ({"p/x": "./../base/./a"}, {"p/x": "base/a"}),
        ({"p": "base"}, {"p/a": "base/a", "p/sub/b": "base/sub/b"}),
        ({"x": "y", "y": "top"}, {"x": "top", "y": "top"}),
        ({"q": "p/sub/b", "p": "base"}, {"p/a": "base/a", "p/sub/b": "base/sub/b", "q": "base/sub/b"}),
        ({"base/l": "../top", "p": "base"}, {"base/l": "top", "p/a": "base/a", "p/sub/b": "base/sub/b", "p/l": "top"}),
    ],
)
def test_links_that_are_followed(links: dict[str, str], names: dict[str, str]) -> None:
    found = follow(FILES, links, limit=100)
    assert (dict(found.names), dict(found.refused)) == (names, {})


@pytest.mark.parametrize(
    ("links", "fragment"),
    [
        ({"x": "/etc/passwd"}, "out of the repository"),
        ({"x": "../etc/passwd"}, "out of the repository"),
        ({"p/x": "../../etc"}, "out of the repository"),
        ({"p/x": "../p/../../etc"}, "out of the repository"),
        ({"x": ""}, "out of the repository"),
        ({"x": "a\nb"}, "out of the repository"),
        ({"p/x": ".."}, "a folder it lies in"),
        ({"p/x": "."}, "a folder it lies in"),
        ({"base/x": "../base"}, "a folder it lies in"),
        ({"x": "x"}, "a folder it lies in"),
        ({"x": "nope"}, "nothing in the repository"),
        ({"x": "y", "y": "x"}, "nothing in the repository"),
        ({"p/x": "../q", "q/y": "../p"}, "nothing in the repository"),
        ({"x": "y", "y": "/etc/passwd"}, "nothing in the repository"),
    ],
)
def test_links_that_are_not(links: dict[str, str], fragment: str) -> None:
    found = follow(FILES, links, limit=100)
    assert fragment in found.refused[min(links)]
    assert found.names == {}


def test_links_that_multiply_are_cut_off() -> None:
    """Each level doubles the files of the one before."""
    links = {f"l{level}/{side}": f"../l{level - 1}" for level in range(1, 30) for side in "ab"}
    with pytest.raises(TreeError, match="more than 1000 files"):
        for hops in range(10):
            follow([f"l0/{number}" for number in range(100)], links, limit=1000 + hops)


@pytest.fixture
def bare(tmp_path: Path) -> Bare:
    return Bare(tmp_path)


async def files(bare: Bare, tmp_path: Path, commit: str, path: str, **options: bool) -> dict[str, bytes]:
    repository = Repository(source=Source(url=bare.url, allow_local=True), directory=tmp_path / "store")
    await repository.fetch(commit)
    return dict((await materialise(repository.git, commit=commit, path=path, **options)).files)  # type: ignore[arg-type]


async def test_a_folder_with_links_into_the_rest_of_the_repository(bare: Bare, tmp_path: Path) -> None:
    commit = bare.commit(
        {"base/a.yaml": "a", "base/deep/b.yaml": "b", "prod/a.yaml": "-> ../base/a.yaml", "prod/all": "-> ../base",
         "other/out": "-> /etc/passwd"},
    )  # fmt: skip
    expected = {"prod/a.yaml": b"a", "prod/all/a.yaml": b"a", "prod/all/deep/b.yaml": b"b"}
    assert await files(bare, tmp_path, commit, "prod") == expected
    around = await files(bare, tmp_path, commit, "prod", around=True)
    assert around == {**expected, "base/a.yaml": b"a", "base/deep/b.yaml": b"b"}
    with pytest.raises(TreeError, match="a symbolic link that points out of the repository"):
        await files(bare, tmp_path, commit, "other")
    # image updates must never write through one
    with pytest.raises(TreeError, match="has no folder"):
        await files(bare, tmp_path, commit, "prod", links=False)


async def test_copies_count_towards_the_budgets(bare: Bare, tmp_path: Path) -> None:
    commit = bare.commit({"a.txt": "x" * 600, **{f"l{number}": "-> a.txt" for number in range(5)}})
    repository = Repository(source=Source(url=bare.url, allow_local=True), directory=tmp_path / "store")
    await repository.fetch(commit)
    with pytest.raises(TreeError, match="3600 bytes, more than 1000"):
        await materialise(repository.git, commit=commit, limits=Limits(total_bytes=1000))
