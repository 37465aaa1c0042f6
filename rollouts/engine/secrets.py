"""Secrets for measurements: arguments from the run's namespace, accounts of providers also from the controller's own.

What is read is kept for a few seconds, so that a thousand runs asking with one account do not mean a thousand requests;
a rotated key is used soon. Failures are not kept. Values are never logged and never written anywhere.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from analysis.providers.base import Missing, Refused
from analysis.spec import SecretKeyRef
from rollouts.api import kinds
from rollouts.engine.client import Api
from rollouts.engine.errors import ApiError, NotFoundError

JSON = Mapping[str, Any]
KEPT_SECONDS: Final = 5.0
MOST_KEPT: Final = 1_000
SERVICE_ACCOUNT_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(slots=True)
class Secrets:
    """Reads Secrets. `home` is the controller's namespace; `clock` gives monotonic seconds."""

    api: Api
    home: str
    clock: Callable[[], float] = time.monotonic
    _kept: dict[tuple[str, str], tuple[float, asyncio.Task[dict[str, str]]]] = field(default_factory=dict, repr=False)

    async def argument(self, namespace: str, ref: SecretKeyRef) -> str:
        """The value of an argument. Raises Missing or Refused."""
        values = await self.account(namespace, ref.name)
        if ref.key not in values:
            raise Missing(f"secret {ref.name} has no key {ref.key}")
        return values[ref.key]

    async def account(self, namespace: str, name: str) -> dict[str, str]:
        """The values of a Secret that are text, by key. Raises Missing, or Refused where it can't be read."""
        place = (namespace, name)
        self._forget()
        if place not in self._kept:
            reading = asyncio.ensure_future(self._read(namespace, name))
            reading.add_done_callback(lambda done: done.cancelled() or done.exception())  # all may have given up on it
            self._kept[place] = (self.clock(), reading)
        task = self._kept[place][1]
        try:
            return await asyncio.shield(task)
        except Exception:
            if self._kept.get(place, (0.0, None))[1] is task:
                del self._kept[place]
            raise

    def _forget(self) -> None:
        """Drop what is too old; everything, should there be far too much."""
        oldest = self.clock() - KEPT_SECONDS
        for place in [place for place, (at, _) in self._kept.items() if at < oldest]:
            del self._kept[place]
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()

    async def _read(self, namespace: str, name: str) -> dict[str, str]:
        try:
            secret = await self.api.get(kinds.SECRET, namespace, name)
        except NotFoundError as error:
            raise Missing(f"secret {name} does not exist in namespace {namespace}") from error
        except ApiError as error:
            raise Refused(f"secret {name} in namespace {namespace} cannot be read: {error}") from error
        return dict(_texts(secret.get("data") or {}))


def _texts(data: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The values by key; binary ones, which may stand beside those that are asked for, are left out."""
    for key, text in data.items():
        with contextlib.suppress(ValueError):
            yield key, base64.b64decode(text).decode()


def home_namespace(environment: Mapping[str, str], *, file: Path = SERVICE_ACCOUNT_NAMESPACE) -> str:
    """The controller's own namespace: POD_NAMESPACE, else its service account's, else the peer's usual one."""
    if own := environment.get("POD_NAMESPACE"):
        return own
    return file.read_text().strip() if file.exists() else "argo-rollouts"
