"""Events for people (core/v1), as Argo Rollouts posts them: source `rollouts-controller`, repeated ones counted up.

Posting never holds up a decision: events go through bounded queues to a few posters, one per object, so the order of
an object's events is kept. An object that talks too much is silenced for a while. Its allowance, 50 at once and then
one each 15 s, is above the peer's (25, then one each 5 min), which falls silent in the middle of a second release.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections import Counter, OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import structlog

from rollouts.api import kinds
from rollouts.engine.client import Api
from rollouts.engine.errors import ForbiddenError, NotFoundError
from rollouts.plan import Event

JSON = Mapping[str, Any]

SOURCE: Final = "rollouts-controller"
_POSTERS: Final = 4
_WAITING: Final = 5_000
_KNOWN: Final = 4_096
_BURST: Final = 50
_REFILL_SECONDS: Final = 15.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Posted:
    name: str
    count: int


class Recorder:
    """Posts events in the background between `start` and `stop`."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._queues = [asyncio.Queue[tuple[JSON, Event]](_WAITING) for _ in range(_POSTERS)]
        self._posters: list[asyncio.Task[None]] = []
        self._known: OrderedDict[tuple[str, ...], _Posted] = OrderedDict()
        self._budgets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self.recorded: Counter[tuple[str, str]] = Counter()
        self.dropped = 0

    def start(self) -> None:
        """Begin to post."""
        self._posters = [asyncio.create_task(self._post_all(queue)) for queue in self._queues]

    async def stop(self, *, seconds: float = 5.0) -> None:
        """Post what is waiting, for a while at most, and end."""
        waiting = [asyncio.create_task(queue.join()) for queue in self._queues]
        await asyncio.wait(waiting, timeout=seconds)
        for task in (*waiting, *self._posters):
            task.cancel()
        await asyncio.gather(*waiting, *self._posters, return_exceptions=True)

    def record(self, obj: JSON, event: Event) -> None:
        """Post an event on an object, soon. Never blocks; what is too much is dropped and counted."""
        uid = obj["metadata"]["uid"]
        self.recorded[event.type, event.reason] += 1
        if not self._allowed(uid):
            self.dropped += 1
            return
        try:
            self._queues[hash(uid) % _POSTERS].put_nowait((obj, event))
        except asyncio.QueueFull:
            self.dropped += 1

    def _allowed(self, uid: str) -> bool:
        now = asyncio.get_running_loop().time()
        left, since = self._budgets.pop(uid, (float(_BURST), now))
        left = min(left + (now - since) / _REFILL_SECONDS, float(_BURST))
        self._budgets[uid] = (left - 1 if left >= 1 else left, now)
        if len(self._budgets) > _KNOWN:
            self._budgets.popitem(last=False)
        return left >= 1

    async def _post_all(self, queue: asyncio.Queue[tuple[JSON, Event]]) -> None:
        while True:
            obj, event = await queue.get()
            try:
                await self._post(obj, event)
            except Exception as error:  # a poster must outlive whatever one event does to it
                quiet = isinstance(error, ForbiddenError | NotFoundError)  # as when a namespace is being deleted
                log.log(
                    logging.DEBUG if quiet else logging.WARNING,
                    "an event could not be posted",
                    reason=event.reason,
                    error=str(error),
                )
            finally:
                queue.task_done()

    async def _post(self, obj: JSON, event: Event) -> None:
        namespace = obj["metadata"].get("namespace", "default")
        key = (obj["metadata"]["uid"], event.type, event.reason, event.message)
        stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        known = self._known.get(key)
        if known is not None and await self._counted_up(known, namespace, stamp):
            self._remember(key, _Posted(name=known.name, count=known.count + 1))
            return
        name = f"{obj['metadata']['name']}.{secrets.token_hex(8)}"
        await self._api.create(kinds.EVENT, namespace, _body(obj, event, name, namespace, stamp))
        self._remember(key, _Posted(name=name, count=1))

    async def _counted_up(self, known: _Posted, namespace: str, stamp: str) -> bool:
        body = {"count": known.count + 1, "lastTimestamp": stamp}
        try:
            await self._api.patch(kinds.EVENT, namespace, known.name, body)
        except NotFoundError:  # events live for an hour
            return False
        return True

    def _remember(self, key: tuple[str, ...], posted: _Posted) -> None:
        self._known[key] = posted
        self._known.move_to_end(key)
        if len(self._known) > _KNOWN:
            self._known.popitem(last=False)


def _body(obj: JSON, event: Event, name: str, namespace: str, stamp: str) -> dict[str, Any]:
    metadata = obj["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": {
            "apiVersion": obj["apiVersion"],
            "kind": obj["kind"],
            "name": metadata["name"],
            "namespace": namespace,
            "uid": metadata["uid"],
            "resourceVersion": metadata.get("resourceVersion"),
        },
        "reason": event.reason,
        "message": event.message[:1024],
        "type": event.type,
        "source": {"component": SOURCE},
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
    }
