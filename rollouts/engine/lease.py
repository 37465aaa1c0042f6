"""Leader election by a Lease: one replica acts, the others keep their stores warm and wait.

One request per renewal: a merge patch with the resourceVersion remembered from the last one. Time is
monotonic and our own, so clocks of other machines don't matter: a lease is taken over when its record has not changed
for its whole duration, as seen from here. On shutdown the holder is emptied, so the next one need not wait.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from analysis.spec.durations import parse_duration
from rollouts.api import kinds
from rollouts.engine.client import Api
from rollouts.engine.errors import AlreadyExistsError, ApiError, ConflictError, NotFoundError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds. A lease not renewed for `renew_deadline` is given up; others may take it after `duration`."""

    duration: float = 15.0
    renew_deadline: float = 10.0
    retry: float = 2.0

    @staticmethod
    def of(*, duration: str, renew_deadline: str, retry: str) -> Timing:
        """From texts such as 15s. Raises ValueError, with a message for people, when they don't fit together."""
        timing = Timing(
            duration=_seconds("lease duration", duration),
            renew_deadline=_seconds("renew deadline", renew_deadline),
            retry=_seconds("retry period", retry),
        )
        if not timing.duration > timing.renew_deadline > timing.retry > 0:
            raise ValueError(
                f"lease duration {duration}, renew deadline {renew_deadline}, retry period {retry}: "
                "each must be longer than the next, or two controllers could act at once"
            )
        if timing.duration < 1:
            raise ValueError(f"lease duration {duration}: a Lease lasts at least 1s")
        return timing


def _seconds(what: str, text: str) -> float:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise ValueError(f"{what} (--leader-election-{what.replace(' ', '-')}): {error}") from None


class Lease:
    """`held` is set while this process may act; `lost` once it may not any more."""

    def __init__(self, *, api: Api, namespace: str, name: str, identity: str, timing: Timing) -> None:
        self._api = api
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._timing = timing
        self._where = f"{namespace}/{name}"
        self._record: Mapping[str, Any] | None = None
        self._changed = 0.0
        self.held = asyncio.Event()
        self.lost = asyncio.Event()

    async def run(self) -> None:
        """Acquire, renew, until lost or cancelled."""
        renewed = 0.0
        while not self.lost.is_set():
            began = asyncio.get_running_loop().time()
            if await self._tried():
                renewed = began
                self._lead()
            elif self.held.is_set() and (self._taken() or self._late(since=renewed)):
                log.error("the lease is lost; stopping", lease=self._where)
                self.lost.set()
                return
            await asyncio.sleep(self._timing.retry * random.uniform(0.9, 1.1))  # noqa: S311

    async def _tried(self) -> bool:
        try:
            async with asyncio.timeout(self._timing.renew_deadline):
                return await self._try()
        except (ApiError, TimeoutError) as error:
            log.warning("the lease could not be renewed", lease=self._where, error=str(error) or "no answer in time")
            return False

    def _lead(self) -> None:
        if not self.held.is_set():
            log.info("leading", lease=self._where, identity=self._identity)
            self.held.set()

    def _taken(self) -> bool:
        return self._record is not None and self._holder() not in ("", self._identity)

    def _late(self, *, since: float) -> bool:
        return asyncio.get_running_loop().time() - since >= self._timing.renew_deadline

    def _holder(self) -> str:
        return str(((self._record or {}).get("spec") or {}).get("holderIdentity") or "")

    async def release(self) -> None:
        """Let the next one have it at once."""
        if not self.held.is_set() or self._record is None or self.lost.is_set():
            return
        try:
            await self._write({"holderIdentity": None, "leaseDurationSeconds": 1})
        except ApiError as error:
            log.warning("the lease could not be released", error=str(error))

    async def _try(self) -> bool:
        """One attempt; whether the lease is ours now."""
        now = asyncio.get_running_loop().time()
        if not self.held.is_set() or self._record is None:
            await self._read(now)
        if self._record is None:
            return await self._create()
        holder = self._holder()
        if holder not in ("", self._identity) and now - self._changed < self._timing.duration:
            return False
        try:
            await self._write(self._spec(taking=holder != self._identity))
        except (ConflictError, NotFoundError):
            await self._read(now)
            return False
        return True

    async def _read(self, now: float) -> None:
        try:
            found = await self._api.get(kinds.LEASE, self._namespace, self._name)
        except NotFoundError:
            self._record = None
            return
        if self._record is None or found["metadata"]["resourceVersion"] != self._record["metadata"]["resourceVersion"]:
            self._changed = now
        self._record = found

    async def _create(self) -> bool:
        body = {
            "apiVersion": kinds.LEASE.api_version,
            "kind": kinds.LEASE.kind,
            "metadata": {"name": self._name, "namespace": self._namespace},
            "spec": self._spec(taking=True),
        }
        try:
            self._record = await self._api.create(kinds.LEASE, self._namespace, body)
        except AlreadyExistsError:
            return False
        return True

    async def _write(self, spec: Mapping[str, Any]) -> None:
        version = self._record["metadata"]["resourceVersion"] if self._record else None
        body = {"metadata": {"resourceVersion": version}, "spec": spec}
        self._record = await self._api.patch(kinds.LEASE, self._namespace, self._name, body)

    def _spec(self, *, taking: bool) -> dict[str, Any]:
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec: dict[str, Any] = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(self._timing.duration),
            "renewTime": stamp,
        }
        if taking:
            spec["acquireTime"] = stamp
            spec["leaseTransitions"] = ((self._record or {}).get("spec", {}).get("leaseTransitions") or 0) + 1
        return spec
