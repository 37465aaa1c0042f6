"""Tells the forge: the shell around `telling`. Beside the passes, never in their way.

Each GitSync with a forge has at most one task that posts. It has time limits of its own, and no pass waits for it: a
forge that is away delays what is said about a sync, never the sync. What was told goes into the status by a decision;
what failed is tried again after a growing pause, or when the forge says. What may have been told by a process that
died, or by a request whose answer got lost, is asked for before it is told again.

Nothing is said before this process has compared once, nor while it applies something, nor before the store has seen
what it applied: an old Rollout must not speak for a new commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import aiohttp
import structlog

from rollouts.api import kinds
from rollouts.api.gitsync import GitSync
from rollouts.api.parsing import check
from rollouts.engine.client import Api
from rollouts.engine.store import Store
from rollouts.gitops.claims import dig
from rollouts.gitops.errors import ForgeUnavailableError, SyncError, redact
from rollouts.gitops.forges.values import Told
from rollouts.gitops.gitsync import reading, telling
from rollouts.gitops.gitsync.deployments import Release
from rollouts.gitops.gitsync.speaking import Speaker, client_of
from rollouts.gitops.gitsync.telling import Bundle
from rollouts.gitops.gitsync.values import Finding, Task
from rollouts.gitops.gitsync.words import words
from rollouts.gitops.objects import JSON, Ref, ref_of
from rollouts.gitops.seen import version

log = structlog.get_logger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 10.0, 600.0
AT_ONCE = 8
"""Forges that are spoken to at the same time."""


@dataclass(slots=True)
class Talk:
    """What is known of one GitSync. `sure`: what this process has told itself, so that nobody need be asked.

    `again`: when to try again after a failure; at once when a person changes the spec or asks for a pass (`asked`).
    """

    task: asyncio.Task[None] | None = None
    told: Told | None = None
    sure: set[str] = field(default_factory=set)
    failures: int = 0
    again: datetime | None = None
    asked: tuple[int, str] = (0, "")
    versions: Mapping[Ref, int] | None = None


class Teller:
    """Tells forges. `wake`: called with the GitSync when there is something to store."""

    def __init__(
        self,
        *,
        api: Api,
        store: Store,
        wake: Callable[[JSON], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._api, self._store, self._wake, self._clock = api, store, wake, clock
        self._talks: dict[str, Talk] = {}
        self._gate = asyncio.Semaphore(AT_ONCE)

    def told(self, obj: JSON) -> Told | None:
        """What is to be stored."""
        talk = self._talks.get(obj["metadata"]["uid"])
        return None if talk is None else talk.told

    def stored(self, obj: JSON) -> None:
        """The status says it."""
        if talk := self._talks.get(obj["metadata"]["uid"]):
            talk.told = None

    def found(self, uid: str, finding: Finding) -> None:
        """A pass has ended; remember which versions of Rollouts it saw."""
        if finding.mandate.task in (Task.SYNC, Task.LOOK) and (finding.parts or finding.mandate.task is Task.SYNC):
            rows = {part.ref: part.version for part in finding.parts if part.ref.kind == "Rollout" and part.version}
            self._talks.setdefault(uid, Talk()).versions = rows

    def consider(self, obj: JSON, rollouts: Iterable[JSON], now: datetime) -> float | None:
        """Begin to tell what is due; the seconds after which to ask again, None: when something happens."""
        talk = self._talks.get(obj["metadata"]["uid"])
        if talk is None or talk.task or talk.told or not dig(obj, "spec").get("forge"):
            return None
        asked = int(obj["metadata"].get("generation") or 0), reading.requested(obj)
        if talk.again is not None and now < talk.again and asked == talk.asked:
            return (talk.again - now).total_seconds()
        found = check(kinds.GIT_SYNC, obj)
        rows = list(rollouts)
        if found.model is None or found.errors or not _seen(talk, rows):
            return None
        bundle = telling.due(found.model, reading.status_of(obj), map(self._release, rows))
        talk.asked = asked
        if not bundle.empty:
            talk.task = asyncio.create_task(self._tell(obj, found.model, bundle, talk))
        return None

    def _release(self, rollout: JSON) -> Release:
        runs = self._store.shelf(kinds.ANALYSIS_RUN).find("owner", str(rollout["metadata"].get("uid")))
        name = f"{rollout['metadata'].get('namespace')}/{rollout['metadata']['name']}"
        return Release(name=name, digest=str(dig(rollout, "status").get("currentPodHash")), words=words(rollout, runs))

    async def _tell(self, obj: JSON, sync: GitSync, bundle: Bundle, talk: Talk) -> None:
        told, pause = Told(), 0.0
        try:
            async with self._gate, aiohttp.ClientSession(trust_env=True) as session:
                speaker = Speaker(client=await client_of(sync, self._api, session), bundle=bundle, sure=talk.sure)
                told, error = await speaker.tell()
            if error is not None:
                raise error
            talk.failures = 0
        except ForgeUnavailableError as error:
            told, pause = replace(told, error=redact(str(error))), error.pause
        except SyncError as error:
            told = replace(told, error=redact(str(error)))
        except Exception as error:
            log.exception("a forge was not told", gitsync=f"{sync.metadata.namespace}/{sync.metadata.name}")
            told = replace(told, error=f"unexpected {type(error).__name__}; the controller's log says more")
        self._ended(obj, talk, told, pause)

    def _ended(self, obj: JSON, talk: Talk, told: Told, pause: float) -> None:
        talk.task, talk.told, talk.again = None, told, None
        if told.error:
            growing = min(FIRST_PAUSE * 2.0 ** min(talk.failures, 10), LONGEST_PAUSE)
            talk.again = self._clock() + timedelta(seconds=max(pause, growing))
            talk.failures += 1
        self._wake(obj)

    def forget(self, uid: str) -> None:
        """The GitSync is gone."""
        talk = self._talks.pop(uid, None)
        if talk is not None and talk.task is not None:
            talk.task.cancel()

    async def stop(self) -> None:
        """End what is under way."""
        tasks = [talk.task for talk in self._talks.values() if talk.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _seen(talk: Talk, rollouts: Iterable[JSON]) -> bool:
    """Whether the store knows every Rollout as new as the last pass saw it."""
    if talk.versions is None:
        return False
    known = {ref_of(body): version(body) for body in rollouts}
    return all(known.get(ref, -1) >= version for ref, version in talk.versions.items())
