"""Which repository addresses are taken at all, decided before any program sees them.

Git accepts far more than addresses: `ext::` runs a command, a host that starts with a dash becomes an option of ssh,
a plain path reads the controller's own disk. So the grammar here is small and everything else is refused:

* `https://host[:port]/path`, without user and password in it (they belong into a Secret);
* `ssh://[user@]host[:port]/path` and the short `user@host:path`;
* a local path or `file:///path` only where the operator allowed it by an explicit option;
* no host that is a cloud's metadata service or no host at all, however its number is written. A name that resolves to
  such an address is not seen here: deny that by a NetworkPolicy.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from rollouts.gitops.errors import SourceError, redact

_HOST = r"(?P<host>[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
_PATH = r"(?P<path>/[^\s?#]+)"
_USER = r"(?:(?P<user>[A-Za-z0-9_][A-Za-z0-9_.-]*)@)?"
_SHORT_PATH = r"(?P<path>[A-Za-z0-9_~.][^\s?#:]*)"

_METADATA = frozenset({"metadata", "metadata.google.internal", "fd00:ec2::254", "100.100.100.200"})

_REMOTE = "https://host/path, ssh://user@host/path or user@host:path"


class Transport(StrEnum):
    """How the repository is reached; the value is what git is allowed to speak."""

    HTTPS = "https"
    SSH = "ssh"
    FILE = "file"


_GRAMMAR = {
    Transport.HTTPS: (re.compile(rf"https://{_HOST}(?::\d{{1,5}})?{_PATH}"),),
    Transport.SSH: (
        re.compile(rf"ssh://{_USER}{_HOST}(?::\d{{1,5}})?{_PATH}"),
        re.compile(rf"{_USER}{_HOST}:{_SHORT_PATH}"),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryURL:
    """An address that passed the grammar. `text` is what git is given."""

    text: str
    transport: Transport


def parse(text: str, *, allow_local: bool = False) -> RepositoryURL:
    """The address, or SourceError saying which forms are taken. `allow_local`: whether a path or file:// is one."""
    _refuse_tricks(text)
    if _is_local(text):
        return _local(text, allowed=allow_local)
    for transport, patterns in _GRAMMAR.items():
        if found := next((found for pattern in patterns if (found := pattern.fullmatch(text))), None):
            refuse_reserved(found["host"])
            return RepositoryURL(text=text, transport=transport)
    raise SourceError(f"the repository address {redact(text)!r} is not taken: {_complaint(text)}")


def _refuse_tricks(text: str) -> None:
    if not text or text.startswith("-") or "::" in text.split("[")[0] or not text.isprintable():
        raise SourceError(f"the repository address {redact(text)!r} is not taken: use {_REMOTE}")


def refuse_reserved(host: str) -> None:
    """SourceError when a host (a name or number, no port) is a metadata service, or no host at all."""
    address = _address(host)
    if host.lower().rstrip(".") in _METADATA or (address and (address.is_link_local or not _usable(address))):
        raise SourceError(
            f"the host {host!r} is no place for a repository: it is reserved, or a metadata service. Write the name of "
            "the server itself"
        )


def _usable(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return not (address.is_unspecified or address.is_multicast or str(address) in _METADATA)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The number a host stands for, in any of the spellings that programs take: `0xA9FEA9FE`, `169.16689662`."""
    try:
        found = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        try:
            return ipaddress.IPv4Address(socket.inet_aton(host))
        except OSError:
            return None
    return getattr(found, "ipv4_mapped", None) or found


def _is_local(text: str) -> bool:
    return text.startswith(("file://", "/", "./", "../")) or text in {".", ".."}


def _local(text: str, *, allowed: bool) -> RepositoryURL:
    if not allowed:
        raise SourceError(
            f"the repository {text!r} is a local path: --allow-local of `rollouts controller`, `rollouts sync` "
            f"and `sync diff` permits those, to try things out. Else use {_REMOTE}"
        )
    path = Path(text.removeprefix("file://")).absolute()
    return RepositoryURL(text=f"file://{path}", transport=Transport.FILE)


def _complaint(text: str) -> str:
    if re.match(r"https://[^/]*@", text):
        return "an https address must not carry a user or password; give credentials separately"
    if text.startswith("http://"):
        return "http is not encrypted, use https"
    return f"use {_REMOTE}"
