"""Workloads that Rollouts refer to (`spec.workloadRef`): watched only while some Rollout does, kept only if one does.

A cluster may have thousands of Deployments that are none of our business, and most clusters have no Rollout with a
reference. So kopf does not watch these kinds. The first decision about a Rollout that refers to one starts a watch of
that kind, over the cluster or our one namespace; of what it lists and streams, a small projection of the referenced
objects stays in the store, the rest is dropped line by line. The watch ends, and the kind is forgotten, when nothing
refers to it any more. A Rollout that begins to refer to an object which the watch has passed over makes it be read.

    decide ─► of(rollout) ─► watch of that kind running? else start it, and wait for its first list
                          ─► in the store? else GET
    watch  ─► referenced? ─► store ─► what decisions see has changed? ─► wake the Rollouts that refer to it
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import structlog

from rollouts.api import kinds
from rollouts.api.kinds import Kind
from rollouts.engine.client import Api
from rollouts.engine.errors import ApiError, GoneError, NotFoundError
from rollouts.engine.store import Key, Store, key_of
from rollouts.engine.streams import changes, pages
from rollouts.strategy.workload import KINDS, Reference, projected, reference

JSON = Mapping[str, Any]
Changed = Callable[[Kind, JSON], None]
log = structlog.get_logger(__name__)

RETRY_FIRST: Final = 1.0
RETRY_MOST: Final = 30.0
PROJECTIONS: Final = dict.fromkeys(KINDS.values(), projected)


def by_workload(rollout: JSON) -> Iterable[str]:
    """Index of Rollouts: the workload one refers to, and that workload's kind."""
    found = reference(rollout)
    return () if found is None else (_entry(found.kind, Key(found.namespace, found.name)), found.kind.kind)


def users_of_workload(store: Store, kind: Kind, key: Key) -> tuple[JSON, ...]:
    """The Rollouts that refer to a workload."""
    return store.shelf(kinds.ROLLOUT).find("workload", _entry(kind, key))


def _entry(kind: Kind, key: Key) -> str:
    return f"{kind.kind}/{key}"


class Workloads:
    """The workloads referred to. `changed(kind, object)` is called when decisions may come out differently."""

    def __init__(self, *, api: Api, store: Store, namespace: str | None, changed: Changed) -> None:
        self._api = api
        self._store = store
        self._namespace = namespace
        self._changed = changed
        self._listed: dict[Kind, asyncio.Future[None]] = {}
        self._tasks: dict[Kind, asyncio.Task[None]] = {}

    @property
    def watched(self) -> frozenset[Kind]:
        """The kinds being watched."""
        return frozenset(self._tasks)

    async def of(self, rollout: JSON) -> JSON | None:
        """The workload a Rollout refers to; None when it refers to none, or to one that is not there."""
        found = reference(rollout)
        if found is None:
            return None
        await self._watching(found.kind)
        key = Key(found.namespace, found.name)
        return self._store.get(found.kind, key) or await self._read(found, key)

    async def close(self) -> None:
        """End all watches."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self, found: Reference, key: Key) -> JSON | None:
        try:
            answer = await self._api.get(found.kind, found.namespace, found.name)
        except NotFoundError:
            return None
        self._store.learn(found.kind, answer)
        return self._store.get(found.kind, key)

    async def _watching(self, kind: Kind) -> None:
        """Return when a watch runs and has listed all there is; raise what kept its first list from succeeding."""
        if kind not in self._tasks:
            self._listed[kind] = asyncio.get_running_loop().create_future()
            self._tasks[kind] = asyncio.create_task(self._watch(kind), name=f"watch-{kind.plural}")
        await asyncio.shield(self._listed[kind])

    # --- one kind

    async def _watch(self, kind: Kind) -> None:
        try:
            version = await self._list(kind)
            self._listed[kind].set_result(None)
            await self._keep_watching(kind, version)
        except Exception as error:
            self._failed(kind, error)
        finally:
            self._listed[kind].cancel()
            del self._tasks[kind]
            self._store.shelf(kind).clear()

    def _failed(self, kind: Kind, error: Exception) -> None:
        """Tell those who wait for the first list; later nobody does, and the next decision starts a new watch."""
        listed = self._listed[kind]
        if listed.done():
            log.error("watching workloads ended", kind=kind.kind, error=str(error), exc_info=error)
        else:
            listed.set_exception(error)
            listed.exception()  # marks it as seen, in case nobody waits any more

    async def _keep_watching(self, kind: Kind, version: str) -> None:
        """Follow the stream, and take it up again where it broke off, for as long as any Rollout refers to the kind."""
        wait = RETRY_FIRST
        while self._wanted(kind):
            try:
                version = version or await self._list(kind)
                version = await self._follow(kind, version)
                wait = RETRY_FIRST
            except GoneError:
                version = ""
            except ApiError as error:
                log.warning("watching workloads failed", kind=kind.kind, error=str(error), again_in=wait)
                version = ""
                await asyncio.sleep(wait)
                wait = min(wait * 2, RETRY_MOST)

    async def _list(self, kind: Kind) -> str:
        """Take in what there is, page by page; the version it stands for."""
        kept: list[JSON] = []
        version = ""
        async for page in pages(self._api, kind, self._namespace):
            kept += [{"kind": kind.kind, **item} for item in page.get("items") or () if self._referred(kind, item)]
            version = str(page["metadata"].get("resourceVersion") or "")
        for item in kept:
            self._take(kind, item)
        for ghost in self._store.replace(kind, kept, listed_at=int(version or 0)):
            self._changed(kind, ghost)
        return version

    async def _follow(self, kind: Kind, version: str) -> str:
        """Take in what a watch brings until it ends; the version it came to."""
        stream = changes(self._api, kind, self._namespace, version=version)
        async with contextlib.aclosing(stream):
            async for change in stream:
                obj = change["object"]
                version = obj["metadata"]["resourceVersion"]
                if change["type"] != "BOOKMARK":
                    self._observe(kind, change["type"], obj)
                if not self._wanted(kind):
                    break
        return version

    def _observe(self, kind: Kind, event_type: str, obj: JSON) -> None:
        if event_type == "DELETED" or not self._referred(kind, obj):
            if self._store.shelf(kind).remove(obj):
                self._changed(kind, obj)
        else:
            self._take(kind, obj)

    def _take(self, kind: Kind, obj: JSON) -> None:
        before = _gist(self._store.get(kind, key_of(obj)))
        self._store.absorb(kind, obj)
        if _gist(self._store.get(kind, key_of(obj))) != before:
            self._changed(kind, obj)

    def _referred(self, kind: Kind, obj: JSON) -> bool:
        return self._store.shelf(kinds.ROLLOUT).has("workload", _entry(kind, key_of(obj)))

    def _wanted(self, kind: Kind) -> bool:
        return self._store.shelf(kinds.ROLLOUT).has("workload", kind.kind)


def _gist(obj: JSON | None) -> JSON | None:
    """Without the version, which every pod that becomes ready moves on."""
    if obj is None:
        return None
    return {**obj, "metadata": {key: value for key, value in obj["metadata"].items() if key != "resourceVersion"}}
