"""A commit made without a work tree, and pushed so that nobody's work is lost.

Blobs and trees are written into the bare store, from the changed files up to the root; everything else of the commit's
tree is taken over by its id, unread. The commit is put together here, signed if a key is given, and pushed with a lease
on what the branch was: whoever was faster wins, and the caller starts anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from rollouts.gitops.errors import ImageError, SourceError, SourceUnavailableError
from rollouts.gitops.git import Git
from rollouts.gitops.images.signing import SigningKey, signature
from rollouts.gitops.source import Repository, checked_revision

_UNFIT = re.compile(r"[<>\n\r\0]")
_DENIED = ("error: 403", "error: 401", "denied", "not allowed", "read-only", "Authentication failed")
_BEATEN = ("[rejected]", "stale info", "fetch first", "failed to lock", "cannot lock ref")


class PushBeatenError(SourceUnavailableError):
    """Somebody else pushed meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who a commit is by. ImageError for what Git could not write down."""

    name: str
    email: str

    def __post_init__(self) -> None:
        """Check both."""
        for value in (self.name, self.email):
            if not value.strip() or _UNFIT.search(value):
                raise ImageError(f"git.commit.author: {value!r} must be one line without angle brackets")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A commit to be. `files`: new contents by path; `when` decides its id together with the rest."""

    parent: str
    files: Mapping[str, bytes]
    author: Author
    message: str
    when: datetime
    key: SigningKey | None = field(default=None, repr=False)


async def write(git: Git, draft: Draft) -> str:
    """Put the commit into the store; its id."""
    root = (await git.run("rev-parse", f"{draft.parent}^{{tree}}")).decode().strip()
    return await stored(git, draft, await _tree(git, root, _by_parts(draft.files)))


def _by_parts(files: Mapping[str, bytes]) -> dict[tuple[str, ...], bytes]:
    return {tuple(path.split("/")): data for path, data in files.items()}


async def stored(git: Git, draft: Draft, tree: str) -> str:
    """Put a commit with this tree into the store, signed if a key is given; its id."""
    payload = commit_object(draft, tree)
    if draft.key:
        payload = _with_signature(payload, await signature(payload, draft.key))
    return (await git.run("hash-object", "-t", "commit", "-w", "--stdin", stdin=payload)).decode().strip()


def commit_object(draft: Draft, tree: str) -> bytes:
    """The commit as Git stores it, without a signature."""
    who = f"{draft.author.name} <{draft.author.email}> {int(draft.when.timestamp())} +0000"
    head = f"tree {tree}\nparent {draft.parent}\nauthor {who}\ncommitter {who}\n"
    return f"{head}\n{draft.message}".encode()


async def push(
    repository: Repository, commit: str, *, target: str, expected: str, options: Mapping[str, str] | None = None
) -> None:
    """Push the commit to the reference `target`, which must still be `expected` (empty: must not exist).

    PushBeatenError when it is not; SourceError when the server refuses for a reason of its own.
    """
    extra = [
        f"--push-option={key}={value}" if value else f"--push-option={key}" for key, value in (options or {}).items()
    ]
    try:
        await repository.git.run(
            "push", "-q", "--no-verify", f"--force-with-lease={target}:{expected}", *extra,
            "--", repository.url.text, f"{commit}:{target}",
        )  # fmt: skip
    except SourceError as error:
        if any(sign in str(error) for sign in _BEATEN):
            raise PushBeatenError(f"{target} was pushed to by somebody else meanwhile") from None
        if any(sign in str(error) for sign in _DENIED):
            raise type(error)(f"{error}: the account of source.secretRef must be allowed to push") from None
        raise


async def branch_of(repository: Repository) -> str:
    """The branch that is followed, as a full reference. ImageError when it is none: a tag can't be committed to."""
    revision = repository.revision
    if revision != "HEAD":
        return f"refs/heads/{revision.removeprefix('refs/heads/')}"
    listing = (await repository.git.run("ls-remote", "-q", "--symref", "--", repository.url.text, "HEAD")).decode()
    found = re.match(r"ref: (refs/heads/\S+)\tHEAD", listing)
    if not found:
        raise ImageError("the repository does not say which branch HEAD is: set targetRevision to a branch")
    return found[1]


async def head_of(repository: Repository, reference: str) -> str:
    """The commit a reference means now, empty when there is none."""
    checked_revision(reference)
    listing = (await repository.git.run("ls-remote", "-q", "--", repository.url.text, reference)).decode()
    return next(
        (id_ for id_, _, name in (line.partition("\t") for line in listing.splitlines()) if name == reference), ""
    )


async def _tree(git: Git, tree: str, files: Mapping[tuple[str, ...], bytes]) -> str:
    """The tree with these files in place of its own; only folders on the way to them are read."""
    below: dict[str, dict[tuple[str, ...], bytes]] = {}
    for path, data in files.items():
        below.setdefault(path[0], {})[path[1:]] = data
    records = [record for record in (await git.run("ls-tree", "-z", tree)).split(b"\0") if record]
    written = [await _record(git, record, below) for record in records]
    answer = await git.run("mktree", "-z", stdin=b"".join(record + b"\0" for record in written))
    return answer.decode().strip()


async def _record(git: Git, record: bytes, below: Mapping[str, Mapping[tuple[str, ...], bytes]]) -> bytes:
    head, _, name = record.partition(b"\t")
    mode, kind, id_ = head.decode().split()
    inside = below.get(name.decode("utf-8", errors="surrogateescape"))
    if inside is None:
        return record
    if () in inside and mode not in ("100644", "100755"):
        raise ImageError(f"{name.decode(errors='replace')} is no regular file: it is not written to")
    if () in inside:
        id_ = (await git.run("hash-object", "-w", "--stdin", stdin=inside[()])).decode().strip()
    else:
        id_ = await _tree(git, id_, inside)
    return f"{mode} {kind} {id_}\t".encode() + name


def _with_signature(payload: bytes, armoured: bytes) -> bytes:
    head, _, message = payload.partition(b"\n\n")
    folded = armoured.strip().replace(b"\n", b"\n ")
    return head + b"\ngpgsig " + folded + b"\n\n" + message
