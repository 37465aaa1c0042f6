"""From a repository and a branch to one commit, present in a bare store on disk.

The branch name is resolved **once** per pass; everything after it speaks of the commit id alone, so a push in the
middle of a sync can't mix two revisions. The store keeps only objects: depth 1, no tags, no submodules, no work tree.
A commit that is there already is not fetched again, so an unchanged branch costs one `ls-remote` a poll.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rollouts.gitops import nearest, semver
from rollouts.gitops import url as urls
from rollouts.gitops.errors import RevisionError, SourceError, SourceUnavailableError
from rollouts.gitops.git import Access, Git
from rollouts.gitops.materialise import checked_path

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_REVISION = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./@+-]*")
_RANGE_ONLY = re.compile(r"[<>=^~*|,\s]")
_TIPS_ONLY = "unadvertised object"
HISTORY = 50
"""So many commits back are looked at, where history is asked for at all."""
_FORBIDDEN = re.compile(r"\.\.|@\{|//|\.lock$|/$|\.$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the manifests live.

    `revision` is a branch, a tag, a full commit id, a range of versions over the tags (`>=1.2 <2`, `1.x`), or `HEAD`
    (default: the repository's own main branch).
    `path` is the folder in the repository, `.` (default) its root.
    `allow_local` permits file:// and plain paths, for a developer's own machine.
    """

    url: str
    revision: str = "HEAD"
    path: str = "."
    allow_local: bool = False
    access: Access = field(default_factory=Access)


class Repository:
    """A bare object store for one source, in `directory` (created when missing).

    `timeout`: seconds of one git command, `most`: bytes of one file it writes.
    `fetching`: held while the store is written to, by all who share it.
    `tag`: the tag that `resolve` found by the revision's name or range, empty when it was none.
    """

    def __init__(
        self,
        *,
        source: Source,
        directory: Path,
        timeout: float = 60.0,
        most: int = 200 * 1024 * 1024,
        fetching: asyncio.Lock | None = None,
    ) -> None:
        self.url = urls.parse(source.url, allow_local=source.allow_local)
        self.revision = source.revision if semver.is_range(source.revision) else checked_revision(source.revision)
        self.tag = ""
        self._fetching = fetching or asyncio.Lock()
        self.git = Git(
            store=directory,
            protocols=self.url.transport.value,
            access=source.access,
            timeout=timeout,
            output_limit=most,
            file_limit=most,
            address=self.url.text,
        )

    async def resolve(self) -> str:
        """The commit id the revision means now. RevisionError names it when the repository has none such."""
        if _COMMIT.fullmatch(self.revision):
            return self.revision
        await self.prepare()
        exact = None if _RANGE_ONLY.search(self.revision) else await self._exact()
        self.tag, commit = exact or await self._greatest()
        return commit

    async def _exact(self) -> tuple[str, str] | None:
        """Tag (or none) and commit of the reference called so. None when there is none, and it may be a range."""
        found = await self._references(*filter(None, _patterns(self.revision)))
        chosen = _choose(found, revision=self.revision)
        if chosen is not None or semver.is_range(self.revision):
            return chosen
        raise await self._absent()

    async def _absent(self) -> RevisionError:
        """There is no such revision: with the names there are, if they can be had."""
        what = "no branch that HEAD means" if self.revision == "HEAD" else f"no branch or tag {self.revision!r}"
        text = f"{self.url.text} has {what} (spec.source.targetRevision)"
        try:
            listed = await self._references("refs/heads/*", "refs/tags/*")
        except SourceError:
            return RevisionError(f"{text}; look with: git ls-remote {self.url.text}")
        return RevisionError(f"{text}: {nearest.advice(self.revision, listed)}")

    async def _greatest(self) -> tuple[str, str]:
        """The greatest version among the tags that is in the range."""
        found = await self._references("refs/tags/*")
        tags = {name.removeprefix("refs/tags/") for name in found if not name.endswith("^{}")}
        versions = {tag: version for tag in tags if semver.fits(tag, self.revision) and (version := semver.parse(tag))}
        if not versions:
            text = f"none of the {len(tags)} tags of {self.url.text} is a version in {self.revision!r}"
            raise RevisionError(f"{text} (spec.source.targetRevision): {nearest.versions(tags)}")
        best = max(versions, key=lambda tag: (versions[tag].order, tag))
        return best, found.get(f"refs/tags/{best}^{{}}") or found[f"refs/tags/{best}"]

    async def _references(self, *patterns: str) -> dict[str, str]:
        listing = (await self.git.run("ls-remote", "-q", "--", self.url.text, *patterns)).decode()
        return {name: commit for commit, _, name in (line.partition("\t") for line in listing.splitlines())}

    async def fetch(self, commit: str) -> None:
        """Have the commit with its files in the store. Nothing to do when it is there."""
        if self._there and await self.has(commit):
            return
        async with self._fetching:
            await self._fetch(commit)

    async def _fetch(self, commit: str) -> None:
        await self._prepare()
        if await self.has(commit):
            return
        try:
            await self.git.run(*_fetching(depth=1), self.url.text, f"+{commit}:refs/sync/{commit}")
        except SourceError as error:
            if _TIPS_ONLY not in str(error):
                raise
            await self._out_of_history(commit)
        if not await self.has(commit):
            raise SourceUnavailableError(
                f"{self.url.text} did not hand out commit {commit}: was the branch rewritten meanwhile? The next look "
                "takes what it is then; a commit that spec.source.targetRevision names must be in the repository"
            )

    async def _out_of_history(self, commit: str) -> None:
        """From a server that hands out nothing but tips of branches (git's first protocol): an older commit comes with
        the history of its branch, if it is not too old."""
        plain = self.revision == "HEAD" or _COMMIT.fullmatch(self.revision) or semver.is_range(self.revision)
        reference = self.revision if self.revision.startswith("refs/") else f"refs/heads/{self.revision}"
        await self.git.run(*_fetching(depth=HISTORY), self.url.text, "+HEAD" if plain else f"+{reference}")
        if await self.git.succeeds("cat-file", "-e", f"{commit}^{{commit}}"):
            await self.git.run("update-ref", f"refs/sync/{commit}", commit)
            return
        raise SourceError(
            f"{self.url.text} hands out the tips of its branches only, and commit {commit} is none of the last "
            f"{HISTORY} of {self.revision}: have it speak git's protocol version 2, or set "
            "uploadpack.allowReachableSHA1InWant there"
        )

    async def contains(self, newer: str, older: str) -> bool | None:
        """Whether `older` is an ancestor of `newer`, looking at most 50 commits back from either; None when nobody can
        tell. It is told without the history of `newer` where `older` comes after it, as it mostly does.
        """
        if await self._deepened(older) and await self._leads(newer, older):
            return False
        if not await self._deepened(newer):
            return None
        if await self._leads(older, newer):
            return True
        return None if await self._cut_off(newer) else False

    async def _leads(self, older: str, newer: str) -> bool:
        return await self.git.succeeds("merge-base", "--is-ancestor", older, newer)

    async def _deepened(self, commit: str) -> bool:
        """Have the history of a commit, as far as it is looked at; False when it is not handed out."""
        async with self._fetching:
            return await self.git.succeeds(*_fetching(depth=HISTORY), self.url.text, f"+{commit}:refs/sync/{commit}")

    async def _cut_off(self, commit: str) -> bool:
        """Whether there is more history than was looked at."""
        shallow = self.git.store / "shallow"
        ends = frozenset(shallow.read_text().split()) if shallow.exists() else frozenset()
        known = (await self.git.run("rev-list", commit, "--")).decode().split()
        return not ends.isdisjoint(known)

    async def subject(self, commit: str) -> str:
        """The first line of the commit message, for people; at most 72 characters, printable ones only."""
        text = (await self.git.run("show", "-s", "--no-show-signature", "--format=%s", commit)).decode(errors="replace")
        return "".join(letter if letter.isprintable() else " " for letter in text.strip())[:72]

    async def folder(self, commit: str, path: str) -> str:
        """The id of a folder in a commit: the same id, the same files. Empty: no such folder, or not fetched."""
        if not self._there:
            return ""
        try:
            found = await self.git.run("rev-parse", "-q", "--verify", f"refs/sync/{commit}:{checked_path(path)}")
        except SourceError:
            return ""
        return found.decode().strip()

    async def prepare(self) -> None:
        """Make the store if it is not there, for whoever asks the repository something else."""
        if not self._there:
            async with self._fetching:
                await self._prepare()

    @property
    def _there(self) -> bool:
        # the last thing git makes of a new store
        return (self.git.store / "objects" / "info").exists()

    async def has(self, commit: str) -> bool:
        """Whether the store has the commit, whole. False when there is no store."""
        if not (self.git.store / "HEAD").exists():
            return False
        # The ref is written last, after every object arrived: an interrupted fetch leaves none.
        return await self.git.succeeds("rev-parse", "-q", "--verify", f"refs/sync/{commit}")

    async def _prepare(self) -> None:
        store = self.git.store
        if self._there:
            return
        store.mkdir(parents=True, exist_ok=True, mode=0o700)
        await self.git.run("init", "--bare", "-q", "--template=", ".")


def _fetching(*, depth: int) -> tuple[str, ...]:
    return (
        "fetch", "-q", f"--depth={depth}", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head",
        "--no-auto-maintenance", "--refmap=", "--",
    )  # fmt: skip


def checked_revision(revision: str) -> str:
    """The revision, or RevisionError when it is nothing git could know."""
    if _REVISION.fullmatch(revision) and not _FORBIDDEN.search(revision):
        return revision
    raise RevisionError(
        f"{revision!r} is no branch, tag or commit id: write main, v1.2.0, a commit's 40 digits, or a range such as "
        "1.x into spec.source.targetRevision"
    )


def _patterns(revision: str) -> tuple[str, ...]:
    """The references it may mean: a branch, a tag, the commit of a tag."""
    if revision.startswith("refs/tags/"):
        return ("", revision, f"{revision}^{{}}")
    if revision == "HEAD" or revision.startswith("refs/"):
        return (revision,)
    return (f"refs/heads/{revision}", f"refs/tags/{revision}", f"refs/tags/{revision}^{{}}")


def _choose(found: Mapping[str, str], *, revision: str) -> tuple[str, str] | None:
    """A branch before a tag; for a tag its name, and the commit it points to (`^{}`), not the tag object. None: it is
    neither."""
    heads, tag, peeled = (*_patterns(revision), "", "")[:3]
    for name in (heads, peeled, tag):
        if name in found:
            return ("" if name == heads else revision.removeprefix("refs/tags/")), found[name]
    return None
