"""The files of a commit, taken from its tree and checked before a single byte of them is read.

There is no checkout. `ls-tree` lists the folder with modes and sizes, every rule is applied to that list, and only then
one `cat-file --batch` hands out the contents. So a hostile repository can't use links, submodules, strange names or
sheer size against the sync: whatever isn't a regular file of moderate size in the folder ends the pass. A symbolic link
is followed on paper (`links.py`) and handed on as a copy of the file it points to, if that is in the same commit.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from rollouts.gitops.errors import SourceError, TreeError
from rollouts.gitops.git import Git
from rollouts.gitops.links import follow

_REGULAR = {"100644", "100755"}
LINK = "120000"
LONGEST_LINK = 4096
_STRANGE = {"160000": "a submodule"}
_GIT_NAMES = re.compile(r"\.git(?:$|[ .:~])|git~\d", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Budgets for one tree: number of files, bytes of one file, bytes of all files."""

    files: int = 20_000
    file_bytes: int = 10 * 1024 * 1024
    total_bytes: int = 100 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A regular file of the tree, not read yet."""

    path: str
    blob: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The list of a commit's files and links, by path."""

    files: dict[str, Entry] = field(default_factory=dict)
    links: dict[str, Entry] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A commit's folder in memory: paths relative to the repository's root, sorted, with contents."""

    commit: str
    path: str
    files: Mapping[str, bytes]
    alone: bool = False
    """Whether nothing outside of the folder has a part in it: no links, no reaching around."""


async def materialise(
    git: Git, *, commit: str, path: str = ".", around: bool = False, links: bool = True, limits: Limits | None = None
) -> Tree:
    """The files under `path` in the commit. TreeError when the folder is missing or breaks a rule.

    `around`: the rest of the repository too, for renderers that reach out of the folder; what breaks a rule there is
    left out instead of refused, so whatever reaches for it finds nothing. `links`: follow symbolic links within the
    repository; else they are left out.
    """
    folder = checked_path(path)
    chosen = limits or Limits()
    scope = "" if around else folder
    index = await _index(git, commit, scope, strict=folder)
    alone = not (index.links or around)
    if index.links and links:
        index = await _followed(git, index if around else await _index(git, commit, "", strict=folder), folder, chosen)
    entries = check((entry for entry in index.files.values() if _within(entry.path, scope)), limits=chosen)
    if folder and not any(_within(entry.path, folder) for entry in entries):
        raise TreeError(f"commit {commit[:8]} has no folder {folder!r}: check the path, or whether it was moved")
    return Tree(commit=commit, path=folder or ".", files=await _contents(git, entries), alone=alone)


async def _index(git: Git, commit: str, scope: str, *, strict: str) -> Index:
    """What the commit has below `scope`. TreeError for what breaks a rule below `strict`."""
    where = [f"{scope}/"] if scope else []
    listing = await git.run("ls-tree", "-rzl", "--full-tree", commit, "--", *where)
    index = Index()
    for record in filter(None, listing.split(b"\0")):
        try:
            mode, entry = _entry(record)
            (index.links if mode == LINK else index.files)[entry.path] = entry
        except TreeError:
            if _within(record.partition(b"\t")[2].decode("utf-8", errors="replace"), strict):
                raise
    return index


async def _followed(git: Git, index: Index, strict: str, limits: Limits) -> Index:
    """The index with copies of what its links point to. TreeError for a link below `strict` that can't be followed."""
    short = tuple(entry for entry in index.links.values() if entry.size <= LONGEST_LINK)
    texts = {path: data.decode("utf-8", errors="replace") for path, data in (await _contents(git, short)).items()}
    found = follow(index.files.keys(), {path: texts.get(path, "") for path in index.links}, limit=limits.files)
    for link, reason in sorted(found.refused.items()):
        if _within(link, strict):
            raise TreeError(f"{link} is a symbolic link that {reason}")
    copies = {path: replace(index.files[file], path=path) for path, file in found.names.items()}
    return Index(files={**index.files, **copies})


def checked_path(path: str) -> str:
    """A folder in the repository without dots and slashes at its ends; TreeError when it leaves the repository."""
    parts = [part for part in PurePosixPath(path).parts if part != "."]
    if path.startswith(("/", ":")) or ".." in parts or not path.isprintable():
        raise TreeError(f"the path {path!r} must be a folder inside the repository")
    return "/".join(parts)


def check(found: Iterable[Entry], *, limits: Limits) -> tuple[Entry, ...]:
    """The entries by path. TreeError when they are more than the budgets allow."""
    entries = tuple(sorted(found, key=lambda entry: entry.path))
    total = sum(entry.size for entry in entries)
    if len(entries) > limits.files:
        text = f"the folder has {len(entries)} files, more than {limits.files}: choose a narrower --path"
        raise TreeError(text, budget="tree-files")
    if total > limits.total_bytes:
        text = f"the folder holds {total} bytes, more than {limits.total_bytes}: choose a narrower --path"
        raise TreeError(text, budget="tree-bytes")
    for entry in entries:
        if entry.size > limits.file_bytes:
            text = f"{entry.path} has {entry.size} bytes, more than {limits.file_bytes}"
            raise TreeError(text, budget="file-bytes")
    return entries


def _within(path: str, folder: str) -> bool:
    return not folder or path.startswith(f"{folder}/")


def _entry(record: bytes) -> tuple[str, Entry]:
    """Mode and entry of a regular file or a link. TreeError for anything else."""
    head, _, name = record.partition(b"\t")
    mode, _, blob, size = head.decode().split()
    path = name.decode("utf-8", errors="replace")
    if mode not in (*_REGULAR, LINK):
        raise TreeError(f"{path} is {_STRANGE.get(mode, f'of mode {mode}')}; only regular files are synced")
    if not path.isprintable() or any(_bad(part) for part in path.split("/")):
        raise TreeError(f"{path!r} is not a file name this sync takes")
    return mode, Entry(path=path, blob=blob, size=int(size))


def _bad(part: str) -> bool:
    return part in {"", ".", ".."} or "\\" in part or _GIT_NAMES.match(part) is not None


async def _contents(git: Git, entries: tuple[Entry, ...]) -> dict[str, bytes]:
    if not entries:
        return {}
    request = "".join(f"{entry.blob}\n" for entry in entries).encode()
    answer = memoryview(await git.run("cat-file", "--batch", stdin=request))
    contents: dict[str, bytes] = {}
    for entry in entries:
        contents[entry.path], answer = _take(entry, answer)
    return contents


def _take(entry: Entry, answer: memoryview) -> tuple[bytes, memoryview]:
    """One `<id> blob <size>\\n<bytes>\\n` from the front of the answer."""
    head = bytes(answer[:128]).partition(b"\n")[0]
    if head.split() != [entry.blob.encode(), b"blob", str(entry.size).encode()]:
        raise SourceError(f"git answered {head!r} for {entry.path}: the store is damaged, delete it to fetch anew")
    start = len(head) + 1
    end = start + entry.size
    return bytes(answer[start:end]), answer[end + 1 :]
