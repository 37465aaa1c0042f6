"""The name of an image, taken apart: which registry is asked, under which name, for which tag or digest.

>>> parse("nginx:1.29").repository
Repository(host='registry-1.docker.io', name='library/nginx')
>>> parse("ghcr.io/org/web@sha256:" + "a" * 64).tag
''
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rollouts.gitops.errors import ImageError

DOCKER_HUB = "registry-1.docker.io"

_HUB_NAMES = frozenset({"docker.io", "index.docker.io", DOCKER_HUB})
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::\d{1,5})?|\[[0-9a-fA-F:]+\](?::\d{1,5})?")
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"{_PART}(?:/{_PART})*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """Where an image lives: the registry's host (with port) and the name there."""

    host: str
    name: str

    def __str__(self) -> str:
        return f"{self.host}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An image as a manifest writes it: `text` before the tag, then tag and digest, each empty when not given."""

    text: str
    tag: str
    digest: str
    repository: Repository

    def __str__(self) -> str:
        return written(self.text, self.tag, self.digest)


def parse(text: str) -> Reference:
    """The parts of an image. ImageError when it is none."""
    rest, at, digest = text.partition("@")
    slash = rest.rfind("/")
    colon = rest.find(":", slash + 1)
    name, tag = (rest[:colon], rest[colon + 1 :]) if colon >= 0 else (rest, "")
    if (at and not is_digest(digest)) or (colon >= 0 and not is_tag(tag)):
        raise ImageError(f"{text!r} is no image: a tag or digest is not well formed")
    return Reference(text=name, tag=tag, digest=digest, repository=repository(name))


def repository(name: str) -> Repository:
    """The repository of an image without tag. ImageError when it is no name."""
    first, slash, rest = name.partition("/")
    if not slash or not (any(mark in first for mark in ".:") or first == "localhost"):
        first, rest = DOCKER_HUB, name if slash else f"library/{name}"
    if not _HOST.fullmatch(first) or not _NAME.fullmatch(rest):
        raise ImageError(f"{name!r} is no name of an image: use host/path in small letters, without a tag")
    return Repository(host=DOCKER_HUB if first in _HUB_NAMES else first, name=rest)


def written(name: str, tag: str, digest: str = "") -> str:
    """`name:tag@digest`, without the parts that are empty."""
    return name + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


def is_tag(text: str) -> bool:
    """Whether a registry may call it a tag."""
    return _TAG.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    """Whether it is a SHA-256 digest."""
    return _DIGEST.fullmatch(text) is not None
