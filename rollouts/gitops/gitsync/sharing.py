"""What syncs of one repository have in common: what its branches mean, and the objects that were fetched.

*One repository* is the same address opened with the same credentials, byte for byte (`door`). So nobody is answered
from what another's credentials have opened: whoever shares could have asked himself. Five hundred syncs of one
repository fetch a commit once, ask what a branch means a few times a minute, and when one of them finds that it has
moved, the others are told (`GitSyncs._follows`) instead of finding out one after the other.

A store is made anew when it has seen many commits and nobody else uses it: old ones are seldom needed again.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import shutil
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

MOST_ANSWERS = 10_000
COMMITS_KEPT = 100
_KEYS = ("username", "password", "bearerToken", "identity", "known_hosts", "ca.crt")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a revision means. `at`: monotonic seconds; `tag`: the tag it was found by, empty when by none."""

    at: float
    commit: str
    tag: str


@dataclass(frozen=True, slots=True)
class Question:
    """A revision of a repository, opened by certain credentials."""

    door: str
    revision: str


class Sharing:
    """Answers and stores below `directory`, for as long as the process lives."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._salt = secrets.token_bytes(32)
        self._answers: dict[Question, Answer] = {}
        self._asking: defaultdict[Question, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._users: Counter[str] = Counter()

    def door(self, address: str, credentials: Mapping[str, bytes]) -> str:
        """The name of a repository as these credentials open it. It can't be turned back into them."""
        text = b"\0".join([address.encode(), *(part for key in _KEYS for part in _framed(key, credentials.get(key)))])
        return hmac.new(self._salt, text, hashlib.sha256).hexdigest()[:40]

    @contextmanager
    def store(self, door: str) -> Iterator[Path]:
        """The folder of a repository's objects, not to be removed meanwhile."""
        self._users[door] += 1
        try:
            yield self._folder(door)
        finally:
            self._users[door] -= 1
            if not self._users[door]:
                del self._users[door]

    def trim(self, door: str) -> None:
        """Make a store anew when it has seen many commits. Only for its one user, who has just heard from Git: while
        Git is away, a store is all there is to go back to."""
        refs = self._folder(door) / "refs" / "sync"
        if self._users[door] == 1 and refs.exists() and sum(1 for _ in refs.iterdir()) > COMMITS_KEPT:
            shutil.rmtree(self._folder(door), ignore_errors=True)

    def _folder(self, door: str) -> Path:
        return self._directory / f"store-{door}"

    def lock(self, door: str) -> asyncio.Lock:
        """Held by whoever fetches into the store."""
        return self._locks[door]

    async def answer(
        self, question: Question, *, newer_than: float, ask: Callable[[], Awaitable[Answer]]
    ) -> tuple[Answer, bool]:
        """What the revision means, asked after `newer_than` (monotonic); and whether it is another commit than before.

        Several who want to know ask once.
        """
        async with self._asking[question]:
            before = self._answers.get(question)
            if before is not None and before.at > newer_than:
                return before, False
            found = await ask()
            if len(self._answers) > MOST_ANSWERS:
                self._answers.clear()
            self._answers[question] = found
            return found, before is not None and before.commit != found.commit


def _framed(key: str, value: bytes | None) -> tuple[bytes, bytes]:
    """Never the same for two different pairs."""
    return key.encode(), b"-" if value is None else hashlib.sha256(value).digest()
