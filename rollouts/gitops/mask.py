"""The one door by which an object becomes text: what is secret is replaced there (§2.4).

Each value of a Secret is replaced by a short code that is the same for the same value and tells nothing else: one can
see *that* it changes, not what it is. The key of the code is made anew in each process, so codes can't be looked up.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterator, Mapping
from difflib import unified_diff
from typing import Any

import yaml

from rollouts.gitops.objects import JSON

_KEY = secrets.token_bytes(32)
_LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_VOLATILE = ("managedFields", "resourceVersion", "generation", "creationTimestamp", "uid", "selfLink")


def masked(body: JSON) -> dict[str, Any]:
    """The object without secret values, and without what only the server keeps."""
    metadata = {key: value for key, value in (body.get("metadata") or {}).items() if key not in _VOLATILE}
    shown = {key: value for key, value in body.items() if key != "status"}
    if body.get("kind") != "Secret":
        return {**shown, "metadata": metadata}
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != _LAST_APPLIED}
    if "annotations" in metadata:
        metadata["annotations"] = annotations
    return {**shown, "metadata": metadata, **_values(body)}


def _values(secret: JSON) -> dict[str, Any]:
    plain = {key: str(value).encode() for key, value in (secret.get("stringData") or {}).items()}
    data = {key: _decoded(value) for key, value in (secret.get("data") or {}).items()}
    hidden = {key: code(value) for key, value in {**data, **plain}.items()}
    return {"data": hidden} | ({"stringData": None} if "stringData" in secret else {})


def _decoded(value: Any) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError, TypeError):
        return str(value).encode()


def code(value: bytes) -> str:
    """What stands for a secret value: `(hidden 1a2b3c4d)`."""
    return f"(hidden {hmac.new(_KEY, value, hashlib.sha256).hexdigest()[:8]})"


def text(body: JSON | None) -> list[str]:
    """The masked object as lines of YAML; none for no object."""
    if body is None:
        return []
    shown = {key: value for key, value in masked(body).items() if value is not None}
    return str(yaml.safe_dump(_plain(shown), sort_keys=True, allow_unicode=True, width=10_000)).splitlines()


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def diff(before: JSON | None, after: JSON | None) -> Iterator[str]:
    """The difference as a unified diff of masked YAML, without file names."""
    lines = list(unified_diff(text(before), text(after), lineterm="", n=3))
    return iter(lines[2:])
