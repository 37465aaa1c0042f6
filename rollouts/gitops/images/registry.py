"""Asking a registry for the tags of an image and the digest of one, by the OCI distribution protocol.

What a registry says is used whole or not at all: a page that fails, a link that leads to another host, a body that is
too large or a tag list that goes on for ever is an error, never a shorter list. Registries page differently: some send
a link, some cut pages unasked and only understand `last`; after a full page both ways are tried.

Credentials go to the registry's own host, over TLS, and to the token service it names only if that is the same host or
one that is known to belong to it. No redirect is followed.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from rollouts.gitops import bodies
from rollouts.gitops import url as urls
from rollouts.gitops.errors import ImageError, RegistryError, SourceError
from rollouts.gitops.images.credentials import Login
from rollouts.gitops.images.reference import DOCKER_HUB, Repository, is_digest, is_tag

#: Registry -> the host of its token service, where the two differ.
TOKEN_HOSTS: Mapping[str, str] = {DOCKER_HUB: "auth.docker.io", "registry.gitlab.com": "gitlab.com"}

MANIFESTS = ", ".join(
    (
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    )
)

_PAGE = 1000
_SUSPICIOUS = 50
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')
_NEXT = re.compile(r'<([^<>]*)>\s*;[^,]*\brel="?next"?')
_LOOPBACK = re.compile(r"(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])(?::\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one question may cost: seconds, bytes of an answer, pages, tags."""

    seconds: float = 30.0
    body_bytes: int = 4 * 1024 * 1024
    pages: int = 200
    tags: int = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a registry said to one request."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(kw_only=True)
class Registry:
    """Asks registries. `session` is shared; `logins` by host; `insecure`: hosts that may be asked without TLS.

    Loopback hosts are asked without TLS only if `insecure` names them. `reserved`: whether metadata services and the
    like are refused (they always are, but in tests of this very rule).
    """

    session: aiohttp.ClientSession
    logins: Mapping[str, Login] = field(default_factory=dict)
    insecure: frozenset[str] = frozenset()
    limits: Limits = field(default_factory=Limits)
    _tokens: dict[Repository, str] = field(default_factory=dict, repr=False)

    async def tags(self, repository: Repository) -> frozenset[str]:
        """All tags. RegistryError when they can't be had in full, ImageError when access is denied or there is none."""
        found: set[str] = set()
        address: str | None = f"/v2/{repository.name}/tags/list?n={_PAGE}"
        for _ in range(self.limits.pages):
            if address is None:
                return frozenset(tag for tag in found if is_tag(tag))
            answer = _good(await self._ask(repository, "GET", address), repository, "its tags")
            page = _page(answer, repository)
            address = _next_page(answer, page, found, repository)
            found |= set(page)
            if len(found) > self.limits.tags:
                raise ImageError(f"{repository} has more than {self.limits.tags} tags: narrow it by another repository")
        raise RegistryError(f"{repository} lists its tags in more than {self.limits.pages} pages")

    async def digest(self, repository: Repository, tag: str) -> str | None:
        """The digest a tag stands for, None when the registry has no such tag. RegistryError when it does not say."""
        path = f"/v2/{repository.name}/manifests/{tag}"
        answer = await self._ask(repository, "HEAD", path)
        if answer.status == 404:
            return None
        claimed = _good(answer, repository, f"tag {tag}").headers.get("Docker-Content-Digest", "")
        if is_digest(claimed):
            return claimed
        answer = _good(await self._ask(repository, "GET", path), repository, f"tag {tag}")
        return "sha256:" + hashlib.sha256(answer.body).hexdigest()

    async def _ask(self, repository: Repository, method: str, path: str) -> Answer:
        headers = {"Accept": MANIFESTS if "/manifests/" in path else "application/json"}
        answer = await self._request(method, self._base(repository) + path, headers | self._authorization(repository))
        if answer.status != 401:
            return answer
        await self._enter(repository, answer.headers.get("WWW-Authenticate", ""))
        return await self._request(method, self._base(repository) + path, headers | self._authorization(repository))

    def _authorization(self, repository: Repository) -> dict[str, str]:
        token = self._tokens.get(repository)
        return {"Authorization": token} if token else {}

    async def _enter(self, repository: Repository, challenge: str) -> None:
        """Answer a 401: with the login itself, or with a token bought for it."""
        scheme, _, rest = challenge.partition(" ")
        login = self.logins.get(repository.host)
        if scheme.lower() == "basic":
            if login is None:
                raise ImageError(f"{repository} asks for a login: set secretRef to a Secret for {repository.host}")
            self._tokens[repository] = login.basic
        elif scheme.lower() == "bearer":
            self._tokens[repository] = "Bearer " + await self._token(repository, dict(_CHALLENGE.findall(rest)), login)
        else:
            raise RegistryError(f"{repository} answers 401 without saying how to log in")

    async def _token(self, repository: Repository, challenge: Mapping[str, str], login: Login | None) -> str:
        realm = challenge.get("realm", "")
        parts = urllib.parse.urlsplit(realm)
        if parts.netloc not in (repository.host, TOKEN_HOSTS.get(repository.host)):
            raise ImageError(f"{repository} sends logins to {parts.netloc or 'nowhere'!r}, which is not its own host")
        if parts.scheme != "https" and parts.netloc not in self.insecure:
            raise ImageError(f"{repository} wants logins without TLS")
        asked = {"service": challenge.get("service", ""), "scope": f"repository:{repository.name}:pull"}
        headers = {"Authorization": login.basic} if login else {}
        address = f"{parts.scheme}://{parts.netloc}{parts.path}?{urllib.parse.urlencode(asked)}"
        answer = await self._request("GET", address, headers)
        if answer.status in (401, 403):
            raise ImageError(
                f"{repository.host} does not accept the login" if login else f"{repository} asks for a login"
            )
        if answer.status != 200:
            raise RegistryError(f"the token service of {repository.host} answers {answer.status}")
        found = _json(answer, repository)
        token = found.get("token") or found.get("access_token")
        if not isinstance(token, str) or not token.isprintable():
            raise RegistryError(f"the token service of {repository.host} gives no token")
        return token

    def _base(self, repository: Repository) -> str:
        host = repository.host
        if host in self.insecure:
            return f"http://{host}"
        try:
            urls.refuse_reserved(host.rpartition(":")[0] if re.search(r":\d+$", host) else host)
        except SourceError as error:
            raise ImageError(str(error)) from None
        if _LOOPBACK.fullmatch(host):
            hint = "--insecure-registry of the controller permits it, to try things out"
            raise ImageError(f"{repository}: this host is the controller itself; {hint}")
        return f"https://{host}"

    async def _request(self, method: str, address: str, headers: Mapping[str, str]) -> Answer:
        try:
            async with (
                asyncio.timeout(self.limits.seconds),
                self.session.request(method, address, headers=headers, allow_redirects=False) as response,
            ):
                body = await bodies.read(response, most=self.limits.body_bytes, error=RegistryError)
                return Answer(status=response.status, headers=response.headers.copy(), body=body)
        except TimeoutError:
            raise RegistryError(f"{_host(address)} did not answer within {self.limits.seconds:g} s") from None
        except aiohttp.ClientError as error:
            raise RegistryError(f"{_host(address)} can't be reached: {type(error).__name__}") from None


def _good(answer: Answer, repository: Repository, what: str) -> Answer:
    """The answer, if it is one. What a person must mend is an ImageError, what may pass a RegistryError."""
    if answer.status == 200:
        return answer
    if answer.status in (401, 403):
        raise ImageError(f"{repository}: access to {what} is denied")
    if answer.status == 404:
        raise ImageError(f"{repository} is not there: check the name, or the login")
    if answer.status == 429:
        raise RegistryError(f"{repository.host} is asked too often{_pause(answer)}")
    raise RegistryError(f"{repository}: the registry answers {answer.status} when asked for {what}")


def _pause(answer: Answer) -> str:
    seconds = answer.headers.get("Retry-After", "")
    return f"; again in {seconds} s" if seconds.isdigit() else ""


def _json(answer: Answer, repository: Repository) -> Mapping[str, Any]:
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(answer.body)
        if isinstance(found, dict):
            return found
    raise RegistryError(f"{repository.host} does not answer with JSON")


def _page(answer: Answer, repository: Repository) -> list[str]:
    tags = _json(answer, repository).get("tags") or []
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise RegistryError(f"{repository} does not answer with a list of tags")
    return tags


def _next_page(answer: Answer, page: list[str], found: set[str], repository: Repository) -> str | None:
    """Where the list goes on: by its link, or after a page that may have been cut by asking for what follows."""
    if link := _NEXT.search(answer.headers.get("Link", "")):
        target = urllib.parse.urlsplit(urllib.parse.urljoin(f"https://{repository.host}/v2/", link[1]))
        if target.netloc != repository.host:
            raise RegistryError(f"{repository} links to another host for its next page")
        return f"{target.path}?{target.query}"
    if len(page) < _SUSPICIOUS or found.issuperset(page):
        return None
    return f"/v2/{repository.name}/tags/list?n={_PAGE}&last={urllib.parse.quote(page[-1])}"


def _host(address: str) -> str:
    return urllib.parse.urlsplit(address).netloc
