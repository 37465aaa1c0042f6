"""R5: whether a branch went back, as far as a repository of which next to nothing is fetched can tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollouts.gitops import source
from rollouts.gitops.source import Repository, Source
from tests.gitops.bare import Bare


@pytest.fixture
def bare(tmp_path: Path) -> Bare:
    return Bare(tmp_path)


@pytest.fixture(scope="module")
def nine(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bare, list[str]]:
    """A branch of nine commits."""
    found = Bare(tmp_path_factory.mktemp("nine"))
    return found, [found.commit({"a": str(number)}) for number in range(9)]


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three commits are a long history here."""
    monkeypatch.setattr(source, "HISTORY", 3)


async def contains(bare: Bare, tmp_path: Path, *, applied: str, commit: str) -> bool | None:
    """As a pass asks that has just fetched the commit, and the one applied before that."""
    url = Source(url=bare.url, revision="main", allow_local=True)
    repository = Repository(source=url, directory=tmp_path / "store")
    if not await repository.has(applied):
        await repository.fetch(applied)
    await repository.fetch(commit)
    return await repository.contains(applied, commit)


@pytest.mark.parametrize(
    ("applied", "commit", "told"),
    [
        pytest.param(0, 1, False, id="forward"),
        pytest.param(1, 0, True, id="back"),
        pytest.param(2, 0, True, id="back by two"),
        pytest.param(5, 6, False, id="forward where the history is long"),
        pytest.param(4, 6, False, id="forward by two where it is long"),
        pytest.param(6, 5, True, id="back where it is long"),
        pytest.param(6, 0, None, id="so far back that nobody can tell"),
        pytest.param(0, 6, False, id="forward from the very first one"),
        pytest.param(4, 8, None, id="so far forward that nobody can tell"),
    ],
)
async def test_whether_a_branch_went_back(
    nine: tuple[Bare, list[str]], tmp_path: Path, applied: int, commit: int, told: bool | None
) -> None:
    """R5: and where it can't be told, nothing is claimed."""
    bare, commits = nine
    assert await contains(bare, tmp_path, applied=commits[applied], commit=commits[commit]) is told


async def test_a_branch_beside_the_one_before_is_not_behind_it(bare: Bare, tmp_path: Path) -> None:
    """R5: its history is known to the end."""
    first = bare.commit({"a": "1"})
    one = bare.commit({"a": "2"})
    bare.tag("kept")
    bare.reset(first)
    other = bare.commit({"a": "3"})
    assert await contains(bare, tmp_path, applied=one, commit=other) is False


async def test_a_branch_that_was_rewritten_can_not_be_told(bare: Bare, tmp_path: Path) -> None:
    """R5: the repository has forgotten what was applied before; the store still has it, and no more of it."""
    bare.commit({"a": "1"})
    applied = bare.commit({"a": "2"})
    url = Source(url=bare.url, revision="main", allow_local=True)
    await Repository(source=url, directory=tmp_path / "store").fetch(applied)
    bare.rewrite()
    commit = await Repository(source=url, directory=tmp_path / "store").resolve()
    assert await contains(bare, tmp_path, applied=applied, commit=commit) is None
