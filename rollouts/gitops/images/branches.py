"""A branch of our own: it is replaced only while its newest commit is one of ours, which a trailer says."""

from __future__ import annotations

from rollouts.gitops.errors import ImageError
from rollouts.gitops.images.commit import head_of
from rollouts.gitops.source import Repository


async def ours(repository: Repository, target: str, *, trailer: str) -> str:
    """What the branch is now, empty when it is not there. ImageError when the newest commit is not ours.

    `trailer`: the line that our commits have, such as `Image-Update: shop/web`.
    """
    there = await head_of(repository, target)
    if not there:
        return ""
    await repository.fetch(there)
    if not await marked(repository, there, trailer=trailer):
        name = target.removeprefix("refs/heads/")
        raise ImageError(f"the branch {name!r} has commits of somebody else: choose another one in git.push")
    return there


async def marked(repository: Repository, commit: str, *, trailer: str) -> bool:
    """Whether the commit's message has this line."""
    raw = (await repository.git.run("cat-file", "commit", commit)).decode(errors="replace")
    return f"\n{trailer}\n" in f"{raw}\n"


async def same(repository: Repository, *commits: str) -> bool:
    """Whether commits have the same files on the same parents. Read raw: a shallow store hides parents otherwise."""
    shapes = set()
    for commit in commits:
        raw = await repository.git.run("cat-file", "commit", commit)
        shapes.add(
            tuple(line for line in raw.partition(b"\n\n")[0].split(b"\n") if line.startswith((b"tree ", b"parent ")))
        )
    return len(shapes) == 1


async def parents(repository: Repository, commit: str) -> tuple[str, ...]:
    """The parents of a commit, read raw as well."""
    raw = await repository.git.run("cat-file", "commit", commit)
    lines = raw.partition(b"\n\n")[0].split(b"\n")
    return tuple(line.split()[1].decode() for line in lines if line.startswith(b"parent "))
