"""What syncs share: one question at a time, an answer for all who hold the same credentials; a store in use stays."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from rollouts.gitops.gitsync.sharing import COMMITS_KEPT, Answer, Question, Sharing

URL = "https://git.example/shop.git"
BASE = {"username": b"git", "password": b"opens-it"}


@pytest.mark.parametrize(
    ("address", "credentials", "same"),
    [
        (URL, BASE, True),
        (URL, {**BASE, "token": b"of a webhook"}, True),
        ("https://git.example/other.git", BASE, False),
        (URL, {**BASE, "password": b"other"}, False),
        (URL, {}, False),
        (URL, {"username": b"gitopens-it", "password": b""}, False),
        (URL, {**BASE, "ca.crt": b"another authority"}, False),
    ],
)
def test_only_the_same_credentials_open_the_same_door(
    address: str, credentials: Mapping[str, bytes], same: bool, tmp_path: Path
) -> None:
    """§2.5 D: nobody is answered from what another's credentials have opened."""
    sharing = Sharing(tmp_path)
    assert (sharing.door(address, credentials) == sharing.door(URL, BASE)) is same
    assert sharing.door(URL, BASE) != Sharing(tmp_path).door(URL, BASE)


class Asked:
    """Counts, and answers with the commits given."""

    def __init__(self, *commits: str) -> None:
        self.commits = list(commits)
        self.times = 0

    async def __call__(self) -> Answer:
        self.times += 1
        at = time.monotonic()
        await asyncio.sleep(0)
        return Answer(at, self.commits.pop(0) if len(self.commits) > 1 else self.commits[0], "")


QUESTION = Question("door", "main")


async def test_those_who_ask_at_once_ask_once(tmp_path: Path) -> None:
    """R3."""
    sharing, asked = Sharing(tmp_path), Asked("a")
    since = time.monotonic() - 1
    answers = await asyncio.gather(*(sharing.answer(QUESTION, newer_than=since, ask=asked) for _ in range(9)))
    assert ({found.commit for found, _ in answers}, asked.times) == ({"a"}, 1)


async def test_an_answer_that_is_too_old_is_asked_for_again_and_a_move_is_told_once(tmp_path: Path) -> None:
    """R3."""
    sharing, asked = Sharing(tmp_path), Asked("a", "b")
    first = await sharing.answer(QUESTION, newer_than=0, ask=asked)
    second = await sharing.answer(QUESTION, newer_than=first[0].at, ask=asked)
    third = await sharing.answer(QUESTION, newer_than=0, ask=asked)
    assert [(found.commit, moved) for found, moved in (first, second, third)] == [
        ("a", False),
        ("b", True),
        ("b", False),
    ]
    other = await sharing.answer(Question("door", "other"), newer_than=0, ask=Asked("c"))
    assert (other[0].commit, other[1]) == ("c", False)


async def test_a_failure_is_nobody_elses_answer(tmp_path: Path) -> None:
    async def fails() -> Answer:
        raise OSError("away")

    sharing = Sharing(tmp_path)
    with pytest.raises(OSError, match="away"):
        await sharing.answer(QUESTION, newer_than=0, ask=fails)
    assert (await sharing.answer(QUESTION, newer_than=0, ask=Asked("a")))[0].commit == "a"


def test_a_store_with_many_commits_is_made_anew_but_not_under_anybodys_feet(tmp_path: Path) -> None:
    sharing = Sharing(tmp_path)
    with sharing.store("door") as folder:
        refs = folder / "refs" / "sync"
        refs.mkdir(parents=True)
        for number in range(COMMITS_KEPT):
            (refs / str(number)).touch()
        sharing.trim("door")
        assert folder.exists()
        (refs / "one-more").touch()
        with sharing.store("door"):
            sharing.trim("door")
            assert folder.exists()
        sharing.trim("door")
        assert not folder.exists()
