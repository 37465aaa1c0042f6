"""Which project of which forge a repository is, told from its address.

https://git.example.com:8443/shop/web.git   ─► https://git.example.com:8443/api/v1, shop/web
git@github.com:shop/web.git                 ─► https://api.github.com, shop/web

The token is sent to this host, or to the one `apiURL` names, and to no other: by TLS, never along a redirect.
"""

from __future__ import annotations

import re
import urllib.parse

from rollouts.gitops import url
from rollouts.gitops.errors import ForgeError, SourceError
from rollouts.gitops.forges.values import Forge, Project

_SHORT = re.compile(r"(?:[^@/]+@)?(?P<host>[^:/]+|\[[^\]]+\]):(?P<path>[^/].*)")


def project_of(forge: Forge, repository: str, *, api: str | None = None) -> Project:
    """The project. `api`: address of the API instead of the usual one. ForgeError when it can't be told."""
    host, path = _parts(repository)
    parts = path.strip("/").removesuffix(".git").split("/")
    if not host or len(parts) < 2 or not all(parts):
        raise ForgeError(f"spec.forge: the repository {repository!r} is none of a forge: https://host/owner/name.git")
    return Project(api=_checked(api or forge.api(host)), path="/".join(parts))


def _parts(repository: str) -> tuple[str, str]:
    """Host (with its port, if that is one of https) and path."""
    if short := _SHORT.fullmatch(repository):
        return short["host"], short["path"]
    found = urllib.parse.urlsplit(repository)
    secure = found.scheme == "https"
    return (found.netloc if secure else found.netloc.rpartition("@")[2].partition(":")[0]), found.path


def _checked(api: str) -> str:
    parts = urllib.parse.urlsplit(api)
    if parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or parts.query or parts.fragment:
        raise ForgeError(f"spec.forge.apiURL: {api!r} is not taken: use https://host/path, tokens need TLS")
    try:
        url.refuse_reserved(parts.hostname)
    except SourceError as error:
        raise ForgeError(f"spec.forge.apiURL: {error}") from None
    return api.rstrip("/")
