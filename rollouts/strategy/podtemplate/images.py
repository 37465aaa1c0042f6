"""Image references, as far as the default of `imagePullPolicy` depends on them.

A reference is `[domain/]path[:tag][@digest]`. The policy defaults to Always where the tag is `latest`, written or
implied by there being neither tag nor digest, and to IfNotPresent everywhere else, a reference that makes no sense
included. So the whole grammar matters: `Nginx` is not a valid path (capitals), hence IfNotPresent.
"""

from __future__ import annotations

import re
from typing import Final

_COMPONENT: Final = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_LABEL: Final = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN: Final = rf"(?:{_LABEL}(?:\.{_LABEL})*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?"
_REFERENCE: Final = re.compile(
    rf"{_DOMAIN}/(?P<path>{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128}))?"
)
_IDENTIFIER: Final = re.compile(r"[a-f0-9]{64}")
_LONGEST_PATH: Final = 255


def default_pull_policy(image: str) -> str:
    """`Always` or `IfNotPresent` for a container that names this image and no policy."""
    return "Always" if tag_of(image) == "latest" else "IfNotPresent"


def tag_of(image: str) -> str:
    """The tag an image reference means; "" for one pinned by digest alone or not valid."""
    match = None if _IDENTIFIER.fullmatch(image) else _REFERENCE.fullmatch(_with_domain(image))
    if match is None or len(match["path"]) > _LONGEST_PATH:
        return ""
    return match["tag"] or ("" if match["digest"] else "latest")


def _with_domain(image: str) -> str:
    """The reference with the domain it implies: `nginx` → `docker.io/library/nginx`."""
    first, slash, rest = image.partition("/")
    named = slash and (first == "localhost" or "." in first or ":" in first or first != first.lower())
    domain, path = (first, rest) if named else ("docker.io", image)
    domain = "docker.io" if domain == "index.docker.io" else domain
    return f"{domain}/library/{path}" if domain == "docker.io" and "/" not in path else f"{domain}/{path}"
