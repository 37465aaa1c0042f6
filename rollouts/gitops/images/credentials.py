"""Who we are to a registry, from a Secret of type `kubernetes.io/dockerconfigjson`.

A login counts for exactly one host. Docker Hub goes by several names, which all mean the same one. Nothing of it is
ever part of an error or a representation.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rollouts.gitops.errors import ImageError
from rollouts.gitops.images.reference import DOCKER_HUB

KEY = ".dockerconfigjson"

_HUB = frozenset({"docker.io", "index.docker.io", DOCKER_HUB, "https://index.docker.io/v1/", "https://docker.io"})


@dataclass(frozen=True, slots=True)
class Login:
    """A user and a password."""

    user: str
    password: str = field(repr=False)

    @property
    def basic(self) -> str:
        """The value of an Authorization header."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


def logins(data: Mapping[str, bytes]) -> dict[str, Login]:
    """The logins of a Secret by host. ImageError when it holds none that can be read; never with its content."""
    try:
        found = json.loads(data[KEY])["auths"]
        return {_host(address): _login(entry) for address, entry in found.items() if entry}
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError, binascii.Error):
        raise ImageError(
            f"the Secret has no readable {KEY}: make it with `kubectl create secret docker-registry`"
        ) from None


def _host(address: str) -> str:
    if address in _HUB:
        return DOCKER_HUB
    return address.removeprefix("https://").partition("/")[0]


def _login(entry: Mapping[str, Any]) -> Login:
    if entry.get("auth"):
        user, colon, password = base64.b64decode(entry["auth"], validate=True).decode().partition(":")
        if not colon:
            raise ValueError("no colon")
        return Login(user, password)
    return Login(str(entry["username"]), str(entry["password"]))
