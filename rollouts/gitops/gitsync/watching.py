"""Drift is heard of at once: one watch for each kind that syncs have applied, shared by all of them, of metadata only.

One watch a kind, over the cluster or our one namespace, and not one for each sync: five hundred syncs apply a dozen
kinds. The API server sends only objects with our label (`marks.MANAGED`) and of those only metadata, which is enough to
see that an object has changed; what is in it never gets here.

The watches run with the controller's own rights, because a watch for each ServiceAccount would be thousands of
connections. No sync gains anything by that: all it gets is a reason to look (`watchlist.py`), and looking is done as
its ServiceAccount. Where the controller may not list and watch a kind, the kind is polled as before, and the right is
tried again now and then. Polling goes on in any case: a watch makes it sooner, and nothing depends on it.

Kinds the engine watches anyway (Rollouts, Services, routes) are not watched twice: `GitSyncs` hands their events in.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Container, Iterator
from typing import Any, Final

import structlog

from rollouts.api.kinds import Kind
from rollouts.engine.client import Api
from rollouts.engine.errors import ApiError, ForbiddenError, GoneError, NotFoundError
from rollouts.engine.streams import changes, pages
from rollouts.gitops import marks
from rollouts.gitops.gitsync.watchlist import GONE, Names, Watchlist, names_of
from rollouts.gitops.objects import JSON, Ref
from rollouts.gitops.seen import Mark, mark, version

log = structlog.get_logger(__name__)

SELECTOR: Final = f"{marks.MANAGED}=true"
RETRY_FIRST: Final = 1.0
RETRY_MOST: Final = 30.0
REFUSED: Final = 600.0
"""Seconds until a kind is tried again that we may not watch, or that is not there."""

_FORM: Final = "application/json;as={};g=meta.k8s.io;v=v1,application/json"


class Watches:
    """The watches that run. `woken(sync)` is called when an object of a sync has changed, `reported(sync, ref)` when it
    is as it was, but its controller has written a status: how healthy it is may have changed.

    `kept`: kinds whose events come by another way. `namespace`: the only one looked at; None: the whole cluster.
    """

    def __init__(
        self,
        *,
        api: Api,
        watchlist: Watchlist,
        woken: Callable[[str], None],
        reported: Callable[[str, Ref], None] = lambda sync, ref: None,
        kept: Container[Names] = (),
        namespace: str | None = None,
    ) -> None:
        self._lists = api.accepting(_FORM.format("PartialObjectMetadataList"))
        self._streams = api.accepting(_FORM.format("PartialObjectMetadata"))
        self._watchlist = watchlist
        self._woken = woken
        self._reported = reported
        self._kept = kept
        self._namespace = namespace
        self._tasks: dict[Names, asyncio.Task[None]] = {}
        self._live: set[Names] = set()

    def live(self, kind: Kind) -> bool:
        """Whether a watch of the kind is up, so that what it has not told has not happened."""
        return names_of(kind) in self._live

    def states(self) -> Iterator[tuple[str, str, bool]]:
        """Group and kind of each kind that is to be watched, and whether its watch is up."""
        for names in sorted(self._tasks):
            yield *names, names in self._live

    def adjust(self) -> None:
        """Begin and end watches, so that they are of the kinds there are marks of."""
        wanted = {names: kind for names, kind in self._watchlist.kinds().items() if self._ours(kind)}
        for names in self._tasks.keys() - wanted.keys():
            self._tasks.pop(names).cancel()
        for names, kind in wanted.items():
            if names not in self._tasks:
                self._tasks[names] = asyncio.create_task(self._watch(kind), name=f"drift-{kind.plural}")

    async def close(self) -> None:
        """End all of them."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ours(self, kind: Kind) -> bool:
        return names_of(kind) not in self._kept and (kind.namespaced or self._namespace is None)

    async def _watch(self, kind: Kind) -> None:
        wait, at = RETRY_FIRST, ""
        try:
            while True:
                try:
                    at = at or await self._list(kind)
                    self._live.add(names_of(kind))
                    at, wait = await self._follow(kind, at), RETRY_FIRST
                except GoneError:
                    at = ""
                except (ForbiddenError, NotFoundError) as error:
                    self._live.discard(names_of(kind))
                    log.info("drift is found by polling only", kind=kind.kind, because=str(error))
                    at = await asyncio.sleep(REFUSED, "")
                except Exception as error:
                    self._live.discard(names_of(kind))
                    strange = not isinstance(error, ApiError)
                    log.warning("a watch failed", kind=kind.kind, error=str(error), again_in=wait, exc_info=strange)
                    at, wait = await asyncio.sleep(wait, ""), min(wait * 2, RETRY_MOST)
        finally:
            self._live.discard(names_of(kind))
            self._watchlist.drop(kind)

    async def _list(self, kind: Kind) -> str:
        """Take in what there is, page by page; the version it stands for."""
        listed: set[Ref] = set()
        at = ""
        async for page in pages(self._lists, kind, self._namespace, selector=SELECTOR):
            for item in page.get("items") or ():
                listed.add(_ref(kind, item))
                self._observe(kind, item)
            at = str(page["metadata"].get("resourceVersion") or "")
        missing = self._watchlist.missing(kind, frozenset(listed), version=int(at or 0), namespace=self._namespace)
        for sync in missing:
            self._woken(sync)
        return at

    async def _follow(self, kind: Kind, at: str) -> str:
        """Take in what a watch brings until it ends; the version it came to."""
        stream = changes(self._streams, kind, self._namespace, version=at, selector=SELECTOR)
        async with contextlib.aclosing(stream):
            async for change in stream:
                at = change["object"]["metadata"]["resourceVersion"]
                if change["type"] != "BOOKMARK":
                    self._observe(kind, change["object"], gone=change["type"] == "DELETED")
        return at

    def _observe(self, kind: Kind, body: JSON, *, gone: bool = False) -> None:
        ref, now = _ref(kind, body), told(kind, body, gone=gone)
        if (sync := self._watchlist.observe(ref, now)) is not None:
            self._woken(sync)
        elif (sync := self._watchlist.reported(ref, now)) is not None:
            self._reported(sync, ref)


def told(kind: Kind, body: JSON, *, gone: bool) -> Mark:
    """What an event says of an object."""
    return Mark(kind=kind, fingerprint=GONE, version=version(body)) if gone else mark(kind, body)


def _ref(kind: Kind, body: JSON) -> Ref:
    """Metadata alone does not say of which kind it is."""
    metadata: Any = body["metadata"]
    return Ref(group=kind.group, kind=kind.kind, namespace=metadata.get("namespace") or "", name=metadata["name"])
