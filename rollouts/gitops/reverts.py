"""A rejected commit is taken back in Git: one commit on top of it, with the files of the last good one (R31).

    … ─ good ─ x ─ rejected ─ revert        the folder of the sync is as it was in `good`, all else stays
    … ─ good ─ rejected ─ revert            nothing lies between: the whole commit is taken back, as `git revert` does

    … ─ good ─ rejected ─ y ─ revert        the same as the first, if `y` left the folder of the sync alone

It is made only while the branch has nothing newer for the sync: whatever people have pushed to its folder since is what
the sync goes on with, and stays as it is. It is pushed with a lease on that, so whoever is faster
wins. A commit of ours is never taken back, and neither is one that would change nothing: two reverts can't chase each
other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from rollouts.gitops.errors import RevertError
from rollouts.gitops.git import Git
from rollouts.gitops.images.branches import marked, ours, parents, same
from rollouts.gitops.images.commit import Author, Draft, branch_of, head_of, push, stored
from rollouts.gitops.images.signing import SigningKey
from rollouts.gitops.materialise import checked_path
from rollouts.gitops.source import Repository

TRAILER = "GitSync-Revert"


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is to be taken back. `sync`: `namespace/name`; `path`: its folder; `reason`: for people.

    `branch`: where the commit goes, empty for the branch that is followed. `head`: the newest commit of that.
    """

    sync: str
    repository: Repository
    rejected: str
    good: str
    reason: str
    author: Author
    path: str = "."
    branch: str = ""
    head: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    key: SigningKey | None = None

    @property
    def trailer(self) -> str:
        """What tells a commit of ours."""
        return f"{TRAILER}: {self.sync}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reverted:
    """What came of it. `commit` empty: the branch has moved on, and nothing was to be done. `base`: the branch that is
    followed."""

    commit: str = ""
    branch: str = ""
    base: str = ""
    subject: str = ""


async def revert(work: Work, *, now: datetime) -> Reverted:
    """Take it back. SyncError when that is not possible; a PushBeatenError when somebody else was faster."""
    repository = work.repository
    await repository.prepare()
    followed = await branch_of(repository)
    head = await head_of(repository, followed)
    if not head:
        raise RevertError(f"the repository has no branch {followed!r}: reverts need one, not a tag or a commit")
    for commit in (head, work.rejected, work.good):
        await repository.fetch(commit)
    if head != work.rejected and not await _left_alone(work, head):
        return Reverted()
    work = replace(work, head=head)
    if await marked(repository, work.rejected, trailer=work.trailer):
        raise RevertError(f"{work.rejected[:8]} takes another commit back already: a person must decide what is next")
    subject = await repository.subject(work.rejected)
    commit = await stored(repository.git, _draft(work, subject, now), await _tree(work))
    target = f"refs/heads/{work.branch}" if work.branch else followed
    commit = await _pushed(work, commit, target=target, own=target != followed)
    name, base = target.removeprefix("refs/heads/"), followed.removeprefix("refs/heads/")
    return Reverted(commit=commit, branch=name, base=base, subject=subject)


async def _pushed(work: Work, commit: str, *, target: str, own: bool) -> str:
    """The commit that is on the branch then: an equal one that is there already stays."""
    there = await ours(work.repository, target, trailer=work.trailer) if own else work.head
    if own and there and await same(work.repository, there, commit):
        return there
    await push(work.repository, commit, target=target, expected=there, options=work.options)
    return commit


async def _tree(work: Work) -> str:
    """The files of the revert. RevertError when they would be what they are."""
    git, folder = work.repository.git, checked_path(work.path)
    before, good = [await _id(git, f"{commit}^{{tree}}") for commit in (work.head, work.good)]
    alone = work.head == work.rejected and await parents(work.repository, work.rejected) == (work.good,)
    if folder and not alone:
        good = await _grafted(git, before, folder.split("/"), await _folder(git, work.good, folder))
    if good == before:
        where = f" below {folder!r}" if folder and not alone else ""
        raise RevertError(
            f"nothing{where} differs between {work.good[:8]} and {work.rejected[:8]}: there is nothing to take back"
        )
    return good


async def _left_alone(work: Work, head: str) -> bool:
    """Whether commits after the rejected one changed nothing in the folder of the sync."""
    git, folder = work.repository.git, checked_path(work.path)
    if not folder or not await git.succeeds("rev-parse", "-q", "--verify", f"{head}:{folder}"):
        return False
    return await _id(git, f"{head}:{folder}") == await _id(git, f"{work.rejected}:{folder}")


async def _folder(git: Git, commit: str, folder: str) -> str:
    if not await git.succeeds("rev-parse", "-q", "--verify", f"{commit}:{folder}"):
        raise RevertError(f"the last good commit {commit[:8]} has no folder {folder!r}: take it back by hand")
    return await _id(git, f"{commit}:{folder}")


async def _id(git: Git, name: str) -> str:
    return (await git.run("rev-parse", name)).decode().strip()


async def _grafted(git: Git, tree: str, path: list[str], replacement: str) -> str:
    """The tree with another tree at `path`."""
    if not path:
        return replacement
    records = [record for record in (await git.run("ls-tree", "-z", tree)).split(b"\0") if record]
    written = b"".join([await _record(git, record, path, replacement) + b"\0" for record in records])
    return (await git.run("mktree", "-z", stdin=written)).decode().strip()


async def _record(git: Git, record: bytes, path: list[str], replacement: str) -> bytes:
    head, _, name = record.partition(b"\t")
    if name != path[0].encode():
        return record
    inside = await _grafted(git, head.decode().split()[2], path[1:], replacement)
    return f"040000 tree {inside}\t".encode() + name


def _draft(work: Work, subject: str, now: datetime) -> Draft:
    quoted = subject.replace('"', "'") or work.rejected[:8]
    text = (
        f'Revert "{quoted}"\n\n'
        f"This takes {work.rejected} back, to what {work.good} had.\n"
        f"{' '.join(work.reason.split())}\n\n"
        f"Signed-off-by: {work.author.name} <{work.author.email}>\n"
        f"{work.trailer}\n"
    )
    return Draft(parent=work.head, files={}, author=work.author, message=text, when=now, key=work.key)
