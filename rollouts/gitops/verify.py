"""Whether a revision was signed by somebody who may: the step between fetching a commit and reading its files.

It fails closed. A commit without a signature, with a bad one, or with one by a key that is unknown, expired or revoked
ends the pass, each with its own message; so do keys that can't be read and programs that are missing. What is checked
is the object whose id the rest of the pass uses, never a name that might be moved meanwhile.

| mode | what must be signed |
|---|---|
| `HEAD` | the commit |
| `Tag` | the tag: it must be an annotated one, bear the name that was asked for, and point to the commit itself |
| `TagAndHEAD` | both |

A commit of the history that is applied again was not asked for by a tag now. Then any tag will do that points to it and
is signed under its own name (`ANY_TAG`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rollouts.gitops.errors import SourceUnavailableError, VerificationError
from rollouts.gitops.signatures import Keys, Signed, Signer, check, commit_parts, tag_parts
from rollouts.gitops.source import Repository

ANY_TAG = "*"
"""For `tag`: whichever signed tag points to the commit. Only for commits that were not resolved just now."""


class Mode(StrEnum):
    """What must be signed."""

    HEAD = "HEAD"
    TAG = "Tag"
    TAG_AND_HEAD = "TagAndHEAD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What is asked of every revision of a sync."""

    keys: Keys
    mode: Mode = Mode.HEAD


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A signature that counts. `what` is `commit 1a2b3c4d` or `tag v1.2.3`."""

    what: str
    signer: Signer

    def __str__(self) -> str:
        """For people: `tag v1.2.3 signed by Ann <ann@example.com> (SHA256:…)`."""
        return f"{self.what} signed by {self.signer.name} ({self.signer.key})"


async def verify(
    repository: Repository, *, commit: str, verification: Verification, tag: str = ""
) -> tuple[Verified, ...]:
    """The signatures of a fetched commit, and of the `tag` it was asked for by. VerificationError without them."""
    found = []
    if verification.mode in (Mode.TAG, Mode.TAG_AND_HEAD):
        found.append(await _tag(repository, tag, commit=commit, keys=verification.keys))
    if verification.mode in (Mode.HEAD, Mode.TAG_AND_HEAD):
        found.append(await _commit(repository, commit, keys=verification.keys))
    return tuple(found)


async def _commit(repository: Repository, commit: str, *, keys: Keys) -> Verified:
    what = f"commit {commit[:8]}"
    raw = await repository.git.run("cat-file", "commit", commit)
    return await _checked(what, raw, keys=keys, tag=False)


async def _tag(repository: Repository, tag: str, *, commit: str, keys: Keys) -> Verified:
    if tag == ANY_TAG:
        return await _any_tag(repository, commit=commit, keys=keys)
    if not tag:
        raise VerificationError("a signed tag is asked for: set targetRevision to a tag, or to a range over tags")
    return await _tag_object(repository, tag, await _resolve(repository, tag, commit=commit), commit=commit, keys=keys)


async def _any_tag(repository: Repository, *, commit: str, keys: Keys) -> Verified:
    """The first good tag of those that point to the commit."""
    listing = await repository.git.run("ls-remote", "-q", "--", repository.url.text, "refs/tags/*")
    found = {name: id_ for id_, _, name in (line.partition("\t") for line in listing.decode().splitlines())}
    names = [name.removesuffix("^{}") for name, id_ in found.items() if name.endswith("^{}") and id_ == commit]
    for name in sorted(names):
        try:
            tag = name.removeprefix("refs/tags/")
            return await _tag_object(repository, tag, found[name], commit=commit, keys=keys)
        except VerificationError:
            continue
    raise VerificationError(f"none of the {len(names)} tags that point to commit {commit[:8]} is signed as it must be")


async def _tag_object(repository: Repository, tag: str, object_: str, *, commit: str, keys: Keys) -> Verified:
    what = f"tag {tag}"
    await repository.fetch(object_)
    raw = await repository.git.run("cat-file", "tag", object_)
    headers = dict(line.split(" ", 1) for line in raw.partition(b"\n\n")[0].decode(errors="replace").split("\n"))
    if (headers.get("object"), headers.get("type")) != (commit, "commit"):
        raise VerificationError(f"{what} does not point to commit {commit[:8]} itself")
    if headers.get("tag") != tag:
        raise VerificationError(f"{what} was made under another name ({headers.get('tag')!r}) and moved here")
    return await _checked(what, raw, keys=keys, tag=True)


async def _resolve(repository: Repository, tag: str, *, commit: str) -> str:
    """The id of the tag object."""
    reference = f"refs/tags/{tag}"
    listing = await repository.git.run("ls-remote", "-q", "--", repository.url.text, reference, f"{reference}^{{}}")
    found = {name: id_ for id_, _, name in (line.partition("\t") for line in listing.decode().splitlines())}
    if reference not in found:
        raise VerificationError(f"{tag} is no tag of the repository, and only tags can be signed as such")
    if f"{reference}^{{}}" not in found:
        raise VerificationError(f"tag {tag} is a bare name without a signature: make it with `git tag -s`")
    if found[f"{reference}^{{}}"] != commit:
        raise SourceUnavailableError(f"tag {tag} was moved while it was looked at; the next look decides")
    return found[reference]


async def _checked(what: str, raw: bytes, *, keys: Keys, tag: bool) -> Verified:
    try:
        signed: Signed | None = (tag_parts if tag else commit_parts)(raw)
        if signed is None:
            raise VerificationError("is not signed")
        return Verified(what=what, signer=await check(signed, keys))
    except VerificationError as error:
        raise VerificationError(f"{what} {error}; nothing of it is applied") from None
