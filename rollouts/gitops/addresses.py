"""Where people can look at what is applied: addresses of Ingresses, routes and links in annotations. Pure.

They come from Git, and pages show them as links. So only `http` and `https` with a plain host get here: never a
`javascript:` that somebody wrote into an annotation (§2.5 F), no user and no password.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from rollouts.gitops.claims import dig
from rollouts.gitops.objects import JSON

LINK = "link.argocd.argoproj.io/"
MOST = 50
_LENGTH = 500
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", re.IGNORECASE)
_PRINTABLE = re.compile(r"[!-~]+")


def addresses(manifests: Iterable[JSON]) -> tuple[str, ...]:
    """The addresses, sorted, each once, 50 at most."""
    found = {url for body in manifests for url in (*_links(body), *_of_kind(body)) if safe(url)}
    return tuple(sorted(found))[:MOST]


def safe(url: str) -> bool:
    """Whether an address may become a link."""
    if len(url) > _LENGTH or not _PRINTABLE.fullmatch(url) or any(letter in url for letter in "<>\"'`\\"):
        return False
    try:
        parts = urlsplit(url)
        plain = _HOST.fullmatch(parts.hostname or "") is not None and "@" not in parts.netloc
        return plain and parts.scheme in ("http", "https")
    except ValueError:
        return False


def _links(body: JSON) -> Iterator[str]:
    for key, value in dig(body, "metadata", "annotations").items():
        if str(key).startswith(LINK):
            yield str(value).rpartition("|")[2].strip()


def _of_kind(body: JSON) -> Iterator[str]:
    kind, spec = body.get("kind"), dig(body, "spec")
    if kind == "Ingress":
        secure = {host for row in _rows(spec.get("tls")) for host in row.get("hosts") or ()}
        for row in _rows(spec.get("rules")):
            if host := row.get("host"):
                yield f"{'https' if host in secure else 'http'}://{host}"
    elif kind == "HTTPRoute":
        yield from (f"http://{host}" for host in spec.get("hostnames") or () if isinstance(host, str))


def _rows(value: Any) -> list[Mapping[str, Any]]:
    return [row for row in value if isinstance(row, Mapping)] if isinstance(value, list) else []
