"""From the Secret that opens a repository to what git is given; files exist only while a pass runs.

The keys are Flux's: `username` and `password`, or `bearerToken`, for https; `identity` and `known_hosts` for ssh;
`ca.crt` for a private authority. A header travels in git's environment, a key in a file of mode 0600 below a private
folder, and neither is ever part of a command line, an error or a status.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path

from rollouts.gitops.errors import SourceError
from rollouts.gitops.git import Access
from rollouts.gitops.objects import JSON

_FILES = {"identity": "identity", "known_hosts": "known_hosts", "ca": "ca.crt"}


def access_of(secret: JSON, *, folder: Path, https: bool) -> Access:
    """What the Secret opens. SourceError names the key that is missing or unreadable, never its value."""
    data = decoded(secret)
    name = secret["metadata"]["name"]
    if not https and "identity" not in data:
        raise SourceError(
            f"Secret {name} has no key `identity`, the private key for ssh{_there(data)}: add it, and its public half "
            "to the repository as a deploy key"
        )
    if not https and "known_hosts" not in data:
        raise SourceError(
            f"Secret {name} has no key `known_hosts`{_there(data)}: make it with ssh-keyscan, and check the fingerprint"
        )
    if https and not data.keys() & {"bearerToken", "password", "ca.crt"}:
        raise SourceError(
            f"Secret {name} has none of the keys for https{_there(data)}: add `username` and `password` (a token is a "
            "password), or `bearerToken`; `ca.crt` alone is for a public repository"
        )
    files = {field: _written(folder, key, data[key]) for field, key in _FILES.items() if key in data}
    return Access(**files, authorization=_authorization(data, name) if https else "")


def _there(data: Mapping[str, bytes]) -> str:
    """The names of the keys there are, never what they hold."""
    return f" (it has {', '.join(sorted(data))})" if data else " (it is empty)"


def decoded(secret: JSON) -> Mapping[str, bytes]:
    """The Secret's data. SourceError when they are not what a Secret's are."""
    found = secret.get("data") or {}
    try:
        return {key: base64.b64decode(value, validate=True) for key, value in found.items()}
    except (binascii.Error, ValueError, TypeError):
        raise SourceError(
            f"Secret {secret['metadata']['name']} can't be read: its data are not base64; make it anew"
        ) from None


def _authorization(data: Mapping[str, bytes], name: str) -> str:
    if "bearerToken" in data:
        return f"Bearer {_line(data['bearerToken'], name, 'bearerToken')}"
    if "password" not in data:
        return ""
    user = _line(data.get("username", b"git"), name, "username")
    pair = f"{user}:{_line(data['password'], name, 'password')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _line(value: bytes, name: str, key: str) -> str:
    """One line of text: a line break would smuggle in another header."""
    text = value.decode("utf-8", errors="replace").strip()
    if not text.isprintable():
        raise SourceError(
            f"Secret {name}: the key `{key}` must be one line of printable text: make it anew, without line breaks"
        )
    return text


def _written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.touch(mode=0o600)
    # ssh insists on a line break at the end of a key.
    path.write_bytes(content if content.endswith(b"\n") else content + b"\n")
    return path
