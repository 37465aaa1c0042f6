"""Tells a forge one bundle, call by call: statuses, then deployments, then requests to merge.

What is refused does not keep the rest from being told: a token that may do one thing does that. What this
process has not told itself is asked for first: a lost answer, or a process that died, may have told it already.
"""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import aiohttp

from rollouts.api import kinds
from rollouts.api.gitsync import GitSync
from rollouts.engine.client import Api
from rollouts.engine.errors import ApiError
from rollouts.gitops.errors import ForgeError, ForgeUnavailableError, SyncError
from rollouts.gitops.forges import FORGES
from rollouts.gitops.forges.client import Client
from rollouts.gitops.forges.project import project_of
from rollouts.gitops.forges.values import Deployment, Note, Opened, Proposal, State, Told, id_of
from rollouts.gitops.gitsync.access import decoded
from rollouts.gitops.gitsync.telling import Bundle

_GONE = (404, 422)
_SURE = 500
"""So many things are remembered as told by this process; beyond that the forge is asked."""
T = TypeVar("T")
U = TypeVar("U")


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


async def _each(items: Iterable[T], tell: Callable[[T], Awaitable[U]]) -> tuple[tuple[U, ...], ForgeError | None]:
    """What was told, and the first reason why something was not. A forge that does not answer is not asked further."""
    told: tuple[U, ...] = ()
    first: ForgeError | None = None
    for item in items:
        try:
            told = (*told, await tell(item))
        except ForgeError as error:
            first = first or error
            if error.retriable:
                break
    return told, first


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """Tells one bundle. `sure` grows by what was told, and loses what failed."""

    client: Client
    bundle: Bundle
    sure: set[str]

    async def tell(self) -> tuple[Told, ForgeError | None]:
        """What was told, and the error that kept the rest from it."""
        notes, first = await _each(self.bundle.notes, self._note)
        deployments, second = await _each(self.bundle.deployments, self._deployment)
        proposals, third = await _each(self.bundle.proposals, self._opened)
        told = Told(notes=notes, deployments=deployments, proposals=proposals)
        return told, first or second or third

    async def _note(self, note: Note) -> Note:
        """Told. Of a commit that was overtaken, and that the forge does not have any more, nothing can be told."""
        try:
            return await self._told(note)
        except ForgeError as error:
            if note.state is State.SUPERSEDED and error.status in _GONE:
                return note
            raise

    async def _told(self, note: Note) -> Note:
        client = self.client
        forge, project, key = client.forge, client.project, f"{note.context} {note.revision}"
        if key not in self.sure and forge.knows(await client.send(forge.statuses(project, note)), note):
            self.sure.add(key)
            return note
        self.sure.discard(key)
        for call in forge.status(project, note, before=self.bundle.before.get(note.revision)):
            await client.send(call)
        if len(self.sure) > _SURE:
            self.sure.clear()
        self.sure.add(key)
        return note

    async def _deployment(self, wanted: Deployment) -> Deployment:
        """Told, likewise."""
        try:
            return await self._deployed(wanted)
        except ForgeError as error:
            if wanted.state is State.SUPERSEDED and error.status in _GONE:
                return wanted
            raise

    async def _deployed(self, wanted: Deployment) -> Deployment:
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
