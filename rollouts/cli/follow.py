"""The world of one Rollout or Experiment, read once or followed by real watches.

Each kind is listed and watched by a thread of its own, which only puts what it hears into a queue; the caller's thread
keeps the picture. A watch that ends is taken up again, one that is too old lists anew, an API server that is gone is
asked again with growing patience: a person who watches a release wants to see its end.
"""

from __future__ import annotations

import queue
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rollouts.api.kinds import ANALYSIS_RUN, EXPERIMENT, POD, REPLICA_SET, ROLLOUT, Kind
from rollouts.cli import world
from rollouts.cli.client import Client
from rollouts.cli.errors import ApiError, UnreachableError, explain
from rollouts.cli.world import JSON, World

JOB = Kind(group="batch", version="v1", kind="Job", plural="jobs")
TICK = 1.0
_ONE_SIDE = re.compile(rf",?{world.POD_HASH}=[^,]+")
"""What narrows the selector of blue/green, which is made for the HPA, to its active side."""
_PATIENCE = (0.2, 1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One list to make: a kind and what narrows it."""

    kind: Kind
    labels: str = ""
    fields: str = ""


def sources_of(root: JSON) -> tuple[Source, ...]:
    """The lists that show what belongs to a Rollout or Experiment, its own kind first."""
    own = ROLLOUT if root.get("kind", "Rollout") == "Rollout" else EXPERIMENT
    chosen = _selector(root) if own is ROLLOUT else ""
    parts = (
        Source(kind=own, fields=f"metadata.name={world.name(root)}"),
        Source(kind=REPLICA_SET, labels=chosen),
        Source(kind=POD, labels=chosen),
        Source(kind=ANALYSIS_RUN),
        Source(kind=EXPERIMENT),
    )
    return parts if own is ROLLOUT else parts[:4]


def _selector(rollout: JSON) -> str:
    """The label selector of a Rollout's ReplicaSets and pods; empty (all) when experiments may add others."""
    steps = ((world.spec(rollout).get("strategy") or {}).get("canary") or {}).get("steps") or ()
    if any("experiment" in step for step in steps):
        return ""
    return _ONE_SIDE.sub("", str(world.status(rollout).get("selector") or ""))


def read(client: Client, namespace: str, root: JSON) -> World:
    """The world around `root` (just read) now. Kinds that may not be read are left out."""
    sources = sources_of(root)[1:]
    lists = client.gather(*(_lister(client, namespace, source) for source in sources))
    objects = [item for items in lists for item in items]
    kind = str(root.get("kind") or "Rollout")
    return world.world_of([{**root, "kind": kind}, *objects], kind=kind, named=world.name(root))


def _lister(client: Client, namespace: str, source: Source) -> Any:
    def listed() -> list[dict[str, Any]]:
        try:
            return _items(client.list(source.kind, namespace, labels=source.labels), source.kind)
        except ApiError as error:
            if error.status not in (403, 404):
                raise
            return []

    return listed


def _items(listed: JSON, kind: Kind) -> list[dict[str, Any]]:
    return [{**item, "kind": kind.kind} for item in listed.get("items") or ()]


@dataclass(slots=True)
class Picture:
    """What is known so far, by kind and uid. `missing`: kinds not listed yet.

    `root`: the kind of the one object it is all about, empty when there is none. `gone`: that object was deleted.
    """

    root: str
    missing: set[str]
    objects: dict[str, dict[str, JSON]] = field(default_factory=dict)
    gone: bool = False
    trouble: str = ""

    def replace(self, kind: str, items: list[dict[str, Any]]) -> None:
        """All objects of a kind, from a list."""
        self.objects[kind] = {world.uid(item): item for item in items}
        self.missing.discard(kind)
        self.trouble = ""
        self.gone = self.gone or (kind == self.root and not items)

    def change(self, kind: str, event: str, item: dict[str, Any]) -> None:
        """One event of a watch."""
        known = self.objects.setdefault(kind, {})
        if event == "DELETED":
            known.pop(world.uid(item), None)
            self.gone = self.gone or kind == self.root
        elif event in ("ADDED", "MODIFIED"):
            known[world.uid(item)] = {**item, "kind": kind}

    def world(self) -> World:
        """The picture as a world."""
        return world.world_of([item for items in self.objects.values() for item in items.values()], kind=self.root)


class Follower:
    """Follows some sources, of which the first is the one object it is all about, unless `rooted` is False."""

    def __init__(
        self, *, client: Client, namespace: str | None, sources: tuple[Source, ...], rooted: bool = True
    ) -> None:
        self.client = client
        self.namespace = namespace
        self.picture = Picture(
            root=sources[0].kind.kind if rooted else "", missing={source.kind.kind for source in sources}
        )
        self._sources = sources
        self._heard: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._stopped = threading.Event()

    def worlds(self, *, until: float | None = None) -> Iterator[World]:
        """The world after every change and every TICK; ends with the root, or at `until` (monotonic seconds)."""
        for picture in self.pictures(until=until):
            yield picture.world()

    def pictures(self, *, until: float | None = None) -> Iterator[Picture]:
        """The picture after every change, and every TICK so that ages and countdowns move."""
        threads = [threading.Thread(target=self._follow, args=(source,), daemon=True) for source in self._sources]
        for thread in threads:
            thread.start()
        try:
            while not self.picture.gone and (until is None or time.monotonic() < until):
                self._take(until)
                if not self.picture.missing and not self.picture.gone:
                    yield self.picture
        finally:
            self._stopped.set()
            self.client.close()
            for thread in threads:
                thread.join(timeout=2)

    def _take(self, until: float | None) -> None:
        """Wait for news, at most a tick, and take all there is."""
        limit = TICK if until is None else max(0.01, min(TICK, until - time.monotonic()))
        try:
            self._apply(self._heard.get(timeout=limit))
            while True:
                self._apply(self._heard.get_nowait())
        except queue.Empty:
            return

    def _apply(self, news: Any) -> None:
        if isinstance(news, str):
            self.picture.trouble = news
            return
        kind, event, payload = news
        if event == "LIST":
            self.picture.replace(kind, payload)
        else:
            self.picture.change(kind, event, payload)

    def _follow(self, source: Source) -> None:
        failures = 0
        while not self._stopped.is_set():
            try:
                self._list_and_watch(source)
                failures = 0
            except ApiError as error:
                if error.status in (403, 404):
                    self._heard.put((source.kind.kind, "LIST", []))
                    return
                failures = self._complain(explain(error).message if error.status != 410 else "", failures)
            except (UnreachableError, OSError, ValueError, AttributeError) as error:
                failures = self._complain(str(error), failures)

    def _complain(self, message: str, failures: int) -> int:
        if self._stopped.is_set():
            return failures
        if message:
            self._heard.put(message)
        self._stopped.wait(_PATIENCE[min(failures, len(_PATIENCE) - 1)])
        return failures + 1

    def _list_and_watch(self, source: Source) -> None:
        kind, name = source.kind, source.kind.kind
        listed = self.client.list(kind, self.namespace, labels=source.labels, fields=source.fields)
        self._heard.put((name, "LIST", _items(listed, kind)))
        version = str((listed.get("metadata") or {}).get("resourceVersion") or "")
        while not self._stopped.is_set():
            watch = self.client.watch(kind, self.namespace, version=version, labels=source.labels, fields=source.fields)
            for event, item in watch:
                version = str(world.metadata(item).get("resourceVersion") or version)
                self._heard.put((name, event, item))
