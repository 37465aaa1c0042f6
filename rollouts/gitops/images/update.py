"""One look at the images of a sync: what Git marks, what the registries have, what follows, one commit with all of it.

Images are looked at one by one, and a registry that fails stops its own image only. The registries are asked once per
look; the Git side is done anew, up to five times, when somebody else pushes in between. Nothing to change: no commit.

A branch of its own (`git.push`, or a pull request's: `targets.py`) is rebuilt on the followed branch when either has
changed, and only while its newest commit is one of ours, which its message says in a trailer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import PurePosixPath

import aiohttp

from rollouts.api.gitsync_images import ImageUpdate
from rollouts.gitops.errors import ImageError, SourceUnavailableError, SyncError
from rollouts.gitops.images import plan, reference
from rollouts.gitops.images.branches import ours, same
from rollouts.gitops.images.commit import Author, Draft, PushBeatenError, branch_of, head_of, push, write
from rollouts.gitops.images.credentials import Login
from rollouts.gitops.images.markers import SUFFIXES, Marker, edited, find
from rollouts.gitops.images.plan import Change, Decision, Held, Memory
from rollouts.gitops.images.registry import Registry
from rollouts.gitops.images.scan import Question, Scan, rejections, scanned
from rollouts.gitops.images.signing import SigningKey
from rollouts.gitops.images.targets import targets
from rollouts.gitops.materialise import materialise
from rollouts.gitops.source import Repository

ATTEMPTS = 5
MARKERS = 1_000
"""So many marked values are looked after; what is remembered of each is in the status."""
TRAILER = "Image-Update"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is to be looked at. `namespace` and `name` are the sync's, `path` is its folder.

    `logins` by name of the image; `rejected`: digests (`image@sha256:…`) whose release was aborted.
    """

    namespace: str
    name: str
    spec: ImageUpdate
    repository: Repository
    path: str = "."
    memory: Memory = field(default_factory=Memory)
    logins: Mapping[str, Mapping[str, Login]] = field(default_factory=dict)
    rejected: frozenset[str] = frozenset()
    key: SigningKey | None = None

    @property
    def sync(self) -> str:
        """`namespace/name`."""
        return f"{self.namespace}/{self.name}"

    @property
    def trailer(self) -> str:
        """What tells a commit of ours."""
        return f"{TRAILER}: {self.sync}"

    @property
    def question(self) -> Question:
        """What a scan must know."""
        return Question(memory=self.memory, rejected=self.rejected)

    @property
    def folder(self) -> str:
        """Where markers are looked for."""
        return (self.spec.update and self.spec.update.path) or self.path


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a look. `commit` is empty when nothing was pushed; `errors` by name of the image.

    `latest`: what each policy yields now, as `image:tag@digest`. `base`: the branch that is followed.
    """

    memory: Memory
    commit: str = ""
    branch: str = ""
    base: str = ""
    changes: tuple[Change, ...] = ()
    held: tuple[Held, ...] = ()
    errors: Mapping[str, SyncError] = field(default_factory=dict)
    latest: Mapping[str, str] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict, repr=False)


async def update(
    work: Work, *, session: aiohttp.ClientSession, now: datetime, insecure: frozenset[str] = frozenset()
) -> Outcome:
    """Look, and commit what is due. SyncError when the repository itself can't be worked with.

    `insecure`: hosts of registries that are asked without TLS.
    """
    scans: dict[str, Scan | SyncError] = {}
    for _ in range(ATTEMPTS):
        try:
            return await _attempt(work, scans, session=session, now=now, insecure=insecure)
        except PushBeatenError:
            continue
    raise SourceUnavailableError(f"others pushed to the branch {ATTEMPTS} times in a row; the next look tries again")


async def _attempt(
    work: Work, scans: dict[str, Scan | SyncError], *, session: aiohttp.ClientSession, now: datetime,
    insecure: frozenset[str],
) -> Outcome:  # fmt: skip
    await work.repository.prepare()
    branch = await branch_of(work.repository)
    base = await head_of(work.repository, branch)
    if not base:
        raise ImageError(f"the repository has no branch {branch!r}: image updates need one, not a tag or a commit")
    await work.repository.fetch(base)
    files, markers = await _marked(work, base)
    for item in work.spec.images:
        if item.name in markers and item.name not in scans:
            registry = Registry(session=session, logins=work.logins.get(item.name, {}), insecure=insecure)
            scans[item.name] = await scanned(item, markers[item.name], work.question, registry)
    outcome = _decided(work, scans, markers)
    if not outcome.changes:
        return outcome
    contents = await asyncio.to_thread(_contents, files, outcome.changes)
    draft = Draft(
        parent=base,
        files=contents,
        author=_author(work),
        message=_message(work, outcome.changes),
        when=now,
        key=work.key,
    )
    return await _pushed(work, outcome, draft, branch)


async def _marked(work: Work, commit: str) -> tuple[Mapping[str, bytes], dict[str, list[Marker]]]:
    """The files below the folder, and the markers of this sync in them by name of the image."""
    tree = await materialise(work.repository.git, commit=commit, path=work.folder, links=False)
    found: dict[str, list[Marker]] = {}
    for file, data in tree.files.items():
        for marker in await asyncio.to_thread(find, data, file=file) if _may_be_marked(file) else ():
            if marker.namespace == work.namespace:
                found.setdefault(marker.policy, []).append(marker)
    if sum(map(len, found.values())) > MARKERS:
        raise ImageError(f"more than {MARKERS} values below {work.folder!r} are marked: set update.path to less")
    return tree.files, found


def _may_be_marked(file: str) -> bool:
    return file.endswith(SUFFIXES) or PurePosixPath(file).name == "Kustomization"


def _decided(work: Work, scans: Mapping[str, Scan | SyncError], markers: Mapping[str, list[Marker]]) -> Outcome:
    errors: dict[str, SyncError] = {}
    decisions: list[Decision] = []
    latest: dict[str, str] = {}
    tags = dict(work.memory.tags)
    for name, scan in scans.items():
        try:
            if isinstance(scan, SyncError):
                raise scan
            decisions.append(plan.decide(scan.image, markers.get(name, ()), scan.candidate, work.memory))
            tags[name] = plan.remembered(len(scan.tags), tags.get(name, 0))
            latest[name] = reference.written(scan.image.image, scan.candidate.tag, scan.candidate.digest)
        except SyncError as error:
            errors[name] = error
            decisions.append(Decision(seen=_still_seen(markers.get(name, ()), work.memory)))
            tags[name] = plan.remembered(0, tags.get(name, 0))
    seen = {place: value for decision in decisions for place, value in decision.seen.items()}
    return Outcome(
        memory=Memory(tags=tags, seen=seen, rejected=rejections(work.question, scans.values())),
        changes=tuple(change for decision in decisions for change in decision.changes),
        held=tuple(held for decision in decisions for held in decision.held),
        errors=errors,
        latest=latest,
        written={place: value for decision in decisions for place, value in decision.written.items()},
    )


def _still_seen(markers: Iterable[Marker], memory: Memory) -> dict[str, str]:
    """What is remembered of places whose image could not be looked at."""
    by_file: dict[str, list[Marker]] = {}
    for marker in markers:
        by_file.setdefault(marker.file, []).append(marker)
    places = [place for here in by_file.values() for place in plan.places_of(here).values()]
    return {place: memory.seen[place] for place in places if place in memory.seen}


def _contents(files: Mapping[str, bytes], changes: Iterable[Change]) -> dict[str, bytes]:
    by_file: dict[str, dict[Marker, str]] = {}
    for change in changes:
        by_file.setdefault(change.marker.file, {})[change.marker] = change.new
    return {file: edited(files[file], wanted, file=file) for file, wanted in by_file.items()}


def _author(work: Work) -> Author:
    author = work.spec.git.commit.author
    return Author(name=author.name or author.email, email=author.email)


def _message(work: Work, changes: tuple[Change, ...]) -> str:
    from rollouts.gitops.images.message import message  # here: Jinja2 is 3 MB that most controllers never need

    commit = work.spec.git.commit
    text = message(commit.message_template, changes, sync=work.sync, values=commit.message_template_values or {})
    return f"{text}\n{work.trailer}\n"


async def _pushed(work: Work, outcome: Outcome, draft: Draft, branch: str) -> Outcome:
    """The commit where it is to go. Nothing is pushed before every branch was found to be ours, or not there."""
    to = targets(work.spec, followed=branch, sync=work.sync)
    there = {target: await _newest(work, target, draft, branch) for target in to}
    commit = await _known(work, await write(work.repository.git, draft), [there[to_] for to_ in to if to_ != branch])
    options = work.spec.git.push.options if work.spec.git.push else None
    for target in to:
        if there[target] != commit:
            await push(work.repository, commit, target=target, expected=there[target], options=options)
    seen = outcome.written if branch in to else {}
    return replace(
        outcome, commit=commit, branch=to[0].removeprefix("refs/heads/"), base=branch.removeprefix("refs/heads/"),
        memory=replace(outcome.memory, seen={**outcome.memory.seen, **seen}),
    )  # fmt: skip


async def _known(work: Work, commit: str, known: Iterable[str]) -> str:
    """The one of those that are there already which says the same; else the new one."""
    for other in known:
        if other and await same(work.repository, other, commit):
            return other
    return commit


async def _newest(work: Work, target: str, draft: Draft, branch: str) -> str:
    return draft.parent if target == branch else await ours(work.repository, target, trailer=work.trailer)
