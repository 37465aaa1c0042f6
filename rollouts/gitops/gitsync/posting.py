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
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import aiohttp
import structlog

from rollouts.api import kinds
from rollouts.api.gitsync import GitSync
from rollouts.api.parsing import check
from rollouts.engine.client import Api
from rollouts.engine.errors import ApiError
from rollouts.engine.store import Store
from rollouts.gitops.claims import dig
from rollouts.gitops.errors import ForgeError, ForgeUnavailableError, SyncError, redact
from rollouts.gitops.forges import FORGES
from rollouts.gitops.forges.client import Client
from rollouts.gitops.forges.project import project_of
from rollouts.gitops.forges.values import Deployment, Note, Opened, Proposal, Told, id_of
from rollouts.gitops.gitsync import reading, telling
from rollouts.gitops.gitsync.access import decoded
from rollouts.gitops.gitsync.telling import Bundle, Release
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
    """What is known of one GitSync. `sure`: what this process has told itself, so that nobody need be asked."""

    task: asyncio.Task[None] | None = None
    told: Told | None = None
    sure: set[str] = field(default_factory=set)
    failures: int = 0
    again: datetime | None = None
    versions: Mapping[Ref, int] | None = None


class Teller:
    """Tells forges. `wake`: called with the GitSync when there is something to store."""

    def __init__(self, *, api: Api, store: Store, wake: Callable[[JSON], None]) -> None:
        self._api, self._store, self._wake = api, store, wake
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
        if talk.again is not None and now < talk.again:
            return (talk.again - now).total_seconds()
        found = check(kinds.GIT_SYNC, obj)
        rows = list(rollouts)
        if found.model is None or found.errors or not _seen(talk, rows):
            return None
        bundle = telling.due(found.model, reading.status_of(obj), map(self._release, rows))
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
            talk.again = datetime.now(UTC) + timedelta(seconds=max(pause, growing))
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


async def client_of(sync: GitSync, api: Api, session: aiohttp.ClientSession) -> Client:
    """What speaks to the forge of a GitSync. ForgeError when the Secret or the address is not as it must be."""
    spec = sync.spec.forge
    if spec is None:
        raise ForgeError("spec.forge is not set")
    forge, name = FORGES[spec.provider], spec.secret_ref.name
    project = project_of(forge, sync.spec.source.repo_url, api=spec.api_url)
    try:
        data = decoded(await api.get(kinds.SECRET, str(sync.metadata.namespace), name))
    except (ApiError, SyncError) as error:
        raise ForgeUnavailableError(f"Secret {name} (spec.forge.secretRef) could not be read: {error}") from error
    token = data.get("token", b"").decode(errors="replace").strip()
    if not token or not token.isprintable() or not token.isascii():
        raise ForgeError(f"Secret {name} (spec.forge.secretRef) needs a key `token`: one line of printable text")
    return Client(session=session, forge=forge, project=project, token=token, ssl=_trusted(data, name))


def _trusted(data: Mapping[str, bytes], name: str) -> ssl.SSLContext | bool:
    if "ca.crt" not in data:
        return True
    try:
        return ssl.create_default_context(cadata=data["ca.crt"].decode())
    except (ssl.SSLError, ValueError):
        raise ForgeError(f"Secret {name}: the key `ca.crt` is no certificate in PEM form") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """Tells one bundle, in order; the first failure ends it. `sure` grows by what was told, and loses what failed."""

    client: Client
    bundle: Bundle
    sure: set[str]

    async def tell(self) -> tuple[Told, ForgeError | None]:
        """What was told, and the error that kept the rest from it."""
        told = Told()
        try:
            for note in self.bundle.notes:
                await self._note(note)
                told = replace(told, notes=(*told.notes, note))
            for wanted in self.bundle.deployments:
                told = replace(told, deployments=(*told.deployments, await self._deployment(wanted)))
            for proposal in self.bundle.proposals:
                told = replace(told, proposals=(*told.proposals, await self._opened(proposal)))
        except ForgeError as error:
            return told, error
        return told, None

    async def _note(self, note: Note) -> None:
        client = self.client
        forge, project, key = client.forge, client.project, f"{note.context} {note.revision}"
        if key not in self.sure and forge.knows(await client.send(forge.statuses(project, note)), note):
            self.sure.add(key)
            return
        self.sure.discard(key)
        for call in forge.status(project, note, before=self.bundle.before.get(note.revision)):
            await client.send(call)
        self.sure.add(key)

    async def _deployment(self, wanted: Deployment) -> Deployment:
        client = self.client
        forge, project = client.forge, client.project
        made = replace(wanted, id=wanted.id or await self._made(wanted))
        for call in forge.deployment_status(project, made, before=self.bundle.deployed.get(made.id)):
            await client.send(call)
        self.sure.add(wanted.environment)
        return made

    async def _made(self, wanted: Deployment) -> str:
        """The id of the deployment: of one that a lost request or another process has made, or of a new one."""
        client = self.client
        forge, project = client.forge, client.project
        if wanted.environment not in self.sure:
            answer = await client.send(forge.find_deployment(project, wanted))
            if found := id_of(answer, wanted.revision):
                return found
        self.sure.discard(wanted.environment)
        made = id_of(await client.send(forge.deployment(project, wanted)), wanted.revision)
        if not made:
            raise ForgeError(f"{client.host} made a deployment for {wanted.environment} without saying its id")
        return made

    async def _opened(self, proposal: Proposal) -> Opened:
        """The open request of the branch; opened if there is none."""
        client = self.client
        forge, project = client.forge, client.project
        for call in (forge.proposals, forge.propose, forge.proposals):
            if url := forge.proposal(await client.send(call(project, proposal)), proposal):
                return Opened(branch=proposal.branch, revision=proposal.revision, url=url)
        raise ForgeError(f"{client.host} opened no request for {proposal.branch}, and does not say why")
