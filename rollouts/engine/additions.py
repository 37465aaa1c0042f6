"""Kinds that a package above the engine decides about, such as the sync's GitSync.

The engine keeps their objects, their queue and their loop like those of any other kind. It can't import who decides, so
that is handed in, with the indexes it needs in the store and the answer to whom else an event concerns.

A cluster may not have such a kind at all: then nothing of it is watched, and everything else works.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Protocol

from prometheus_client.registry import Collector

from rollouts.api.kinds import Kind
from rollouts.engine.client import Api
from rollouts.engine.store import Index, Key, Store
from rollouts.plan import Plan

JSON = Mapping[str, Any]


class Addition(Protocol):
    """One more kind that is decided about."""

    kind: Kind
    workers: int
    indexes: Mapping[Kind, Mapping[str, Index]]

    def bind(
        self, *, api: Api, store: Store, wake: Callable[[Key], None], whole: Iterable[Kind], namespace: str | None
    ) -> None:
        """Called once, before anything else. `wake` queues a key of this kind. `namespace`: the only one that is in
        sight; None: the cluster. `whole`: kinds of which the store is told every object in sight."""

    async def decide(self, obj: JSON, now: datetime) -> Plan:
        """Gather what is needed, and decide."""

    def concerned(self, kind: Kind, obj: JSON) -> Iterable[Key]:
        """Keys of this kind that an event on another object concerns."""

    def collectors(self) -> Iterable[Collector]:
        """What it has to tell Prometheus."""

    async def stop(self) -> None:
        """End what is under way."""


Indexes = Mapping[Kind, Mapping[str, Index]]


def with_additions(own: Indexes, additions: Iterable[Addition]) -> Indexes:
    """The engine's indexes and those of the additions, by kind."""
    merged = {kind: dict(found) for kind, found in own.items()}
    for addition in additions:
        for kind, found in addition.indexes.items():
            merged.setdefault(kind, {}).update(found)
    return merged
