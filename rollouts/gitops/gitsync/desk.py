"""What the steps of one pass share: the GitSync, its Secrets, its repository, and a pipeline with two sets of rights.

Rights are kept apart. What belongs to the GitSync itself (its Secret, its status, what Rollouts and autoscalers steer)
is read and written as the controller. Everything Git asks for is looked at, tried and applied **as the ServiceAccount**
the spec names, so that a tenant's repository can do what the tenant may do, and nothing more.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from rollouts.api import kinds
from rollouts.api.gitsync import GitSync
from rollouts.api.kinds import Kind
from rollouts.engine.client import Api
from rollouts.engine.errors import ApiError, ForbiddenError, NotFoundError
from rollouts.gitops import url
from rollouts.gitops.budgets import Budgets
from rollouts.gitops.cluster import Cluster
from rollouts.gitops.errors import SourceError, SourceUnavailableError
from rollouts.gitops.git import Access
from rollouts.gitops.gitsync import reading
from rollouts.gitops.gitsync.access import access_of, decoded
from rollouts.gitops.gitsync.glance import Steady
from rollouts.gitops.gitsync.sharing import Answer, Question, Sharing
from rollouts.gitops.gitsync.terms import account, terms
from rollouts.gitops.gitsync.values import Finding
from rollouts.gitops.health import Part
from rollouts.gitops.objects import JSON, Ref
from rollouts.gitops.passes import Pipeline
from rollouts.gitops.records import StatusRecords
from rollouts.gitops.render.renderer import Renderer
from rollouts.gitops.signatures import Keys
from rollouts.gitops.source import Repository, Source
from rollouts.gitops.terms import Terms
from rollouts.gitops.verify import Mode, Verification

SHARED = 15.0
"""Seconds for which an answer to what a branch means is good for other syncs of the same repository."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a pass is told about its GitSync while it runs. Each is a question, so that the answer is never old.

    `current`: the GitSync now; None when it is gone. `blockers`: dependencies that are not ready. `heals`: how often
    in a row, and when last, drift was set back. `news`: a webhook says that there is something newer. `calm`: the last
    pass, if it left everything as Git says; `steady`: whether an object is known to be as it was. `follows` is told
    what the sync has asked of its repository, and whether that has just been found to mean another commit. `reported`:
    how healthy the objects were, and the few that a look is to be about, with their kinds; none: about all.
    """

    current: Callable[[], JSON | None]
    blockers: Callable[[], tuple[str, ...]]
    heals: Callable[[], tuple[int, datetime | None]]
    news: Callable[[], bool]
    calm: Callable[[], Finding | None] = lambda: None
    steady: Steady = lambda ref, mark: False
    follows: Callable[[Question, bool], None] = lambda question, moved: None
    absorbed: Callable[[Kind, JSON], object]
    reported: Callable[[], tuple[Mapping[Ref, Part], Mapping[Ref, Kind]]] = lambda: ({}, {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What all passes share. `directory` holds the object stores; `allow_local` permits file://."""

    api: Api
    directory: Path
    sharing: Sharing
    account: str = ""
    allow_local: bool = False
    insecure: frozenset[str] = frozenset()
    renderer: Renderer = field(default_factory=Renderer)
    budgets: Budgets = field(default_factory=Budgets)
    dry_runs: asyncio.Semaphore | None = None


class Desk:
    """What the steps of one pass share."""

    def __init__(self, obj: JSON, sync: GitSync, base: Finding, means: Means, around: Surroundings) -> None:
        self.obj, self.sync, self.base, self.means, self.around = obj, sync, base, means, around
        self.mandate = base.mandate
        self.status = reading.status_of(obj)
        self.began = time.monotonic()
        self.door = ""

    @property
    def name(self) -> str:
        return str(self.obj["metadata"]["name"])

    @property
    def revision(self) -> str:
        """What of the repository is wanted."""
        return self.sync.spec.source.target_revision or "HEAD"

    async def verification(self) -> Verification | None:
        """Which signatures are asked for, with the keys of the Secret that holds them."""
        wanted = self.sync.spec.source.verification
        if wanted is None:
            return None
        keys = Keys.of(await self.secret(wanted.secret_ref.name, "spec.source.verify.secretRef"))
        return Verification(keys=keys, mode=Mode(wanted.mode or "HEAD"))

    def pipeline(
        self, repository: Repository, verification: Verification | None = None, *, own_rights: bool = False
    ) -> Pipeline:
        """As the ServiceAccount, but for the record and for what only the controller may see."""
        api = self.means.api if own_rights else self.means.api.acting_as(account(self.sync, self.means.account))
        return Pipeline(
            cluster=Cluster(api, dry_runs=self.means.dry_runs),
            observer=Cluster(self.means.api),
            repository=repository,
            records=StatusRecords(api=self.means.api, owner=self.obj, absorbed=self.around.absorbed),
            terms=replace(
                self.terms(),
                verification=verification,
                tag=repository.tag or self.sync.spec.source.target_revision or "",
            ),
            renderer=self.means.renderer,
        )

    def terms(self) -> Terms:
        contested = () if self.mandate.settles else self.status.get("contested") or ()
        return terms(self.sync, self.mandate, contested)

    def repository(self, access: Access, revision: str | None = None) -> Repository:
        source = self.sync.spec.source
        return Repository(
            source=Source(
                url=source.repo_url,
                revision=revision or self.revision,
                path=source.path or ".",
                allow_local=self.means.allow_local,
                access=access,
            ),
            timeout=self.means.budgets["fetch-seconds"],
            most=self.means.budgets["fetch-bytes"],
            directory=self.means.directory / f"store-{self.door or self.obj['metadata']['uid']}",
            fetching=self.means.sharing.lock(self.door) if self.door else None,
        )

    async def resolved(self, repository: Repository) -> str:
        """The commit the revision means now. Syncs of one repository that poll together share an answer (R3)."""
        interval = reading.seconds(self.sync.spec.interval, reading.INTERVAL)
        good_for = interval if self.mandate.stirred else min(SHARED, interval / 2)
        asked = self.mandate.fresh or self.mandate.explicit
        question = Question(self.door, self.revision)

        async def ask() -> Answer:
            at = time.monotonic()
            commit = await repository.resolve()
            self.means.sharing.trim(self.door)
            return Answer(at, commit, repository.tag)

        newer_than = self.began if asked else time.monotonic() - good_for
        found, moved = await self.means.sharing.answer(question, newer_than=newer_than, ask=ask)
        repository.tag = found.tag
        self.around.follows(question, moved)
        return found.commit

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Access]:
        """The access its Secret gives, as files that are removed afterwards; and the store it opens."""
        reference = self.sync.spec.source.secret_ref
        address = url.parse(self.sync.spec.source.repo_url, allow_local=self.means.allow_local)
        # no credentials open a repository of this machine
        needed = None if address.transport is url.Transport.FILE else reference
        secret = None if needed is None else await self._raw_secret(needed.name, "spec.source.secretRef")
        self.door = self.means.sharing.door(address.text, decoded(secret) if secret else {})
        with self.means.sharing.store(self.door), self._access(secret, address) as access:
            yield access

    @contextmanager
    def _access(self, secret: JSON | None, address: url.RepositoryURL) -> Iterator[Access]:
        if secret is None:
            yield Access()
            return
        folder = Path(tempfile.mkdtemp(prefix="access-", dir=self.means.directory))
        try:
            yield access_of(secret, folder=folder, https=address.transport is url.Transport.HTTPS)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    async def secret(self, name: str, field: str) -> Mapping[str, bytes]:
        """What a Secret of the namespace holds. SourceError names it and the field that does."""
        return decoded(await self._raw_secret(name, field))

    async def _raw_secret(self, name: str, field: str) -> JSON:
        try:
            return await self.means.api.get(kinds.SECRET, self.obj["metadata"]["namespace"], name)
        except NotFoundError:
            space = self.obj["metadata"]["namespace"]
            raise SourceError(f"there is no Secret {name} in {space} ({field}): make it, or name another") from None
        except ForbiddenError as error:
            text = f"Secret {name} ({field}) could not be read: {error}: the controller needs the right to get it"
            raise SourceError(text) from error
        except ApiError as error:
            raise SourceUnavailableError(f"Secret {name} ({field}) could not be read: {error}") from error
