"""kopf wiring: which kinds are watched, and that every event goes into the app. Nothing is decided here.

kopf lists, watches, resumes, logs in, starts and stops, and minds signals. It writes nothing: no annotations, no
finalizers, no events (null storages, `on.event` only). Start-up order: prime the store, start the workers, then kopf's
streams begin; so every decision sees a full store.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any, Final

import kopf
import structlog

from rollouts.api.kinds import Kind
from rollouts.engine.app import SELECTORS, App
from rollouts.engine.errors import ApiError

PRIME_RETRY: Final = 3.0
"""Seconds until the store is filled anew when the API server was not there, or our rights were not."""

log = structlog.get_logger(__name__)

Handler = Callable[..., Coroutine[Any, Any, None]]


class _NoDiffBase(kopf.DiffBaseStorage):
    """Keeps nothing, so that kopf neither computes nor writes differences."""

    def build(self, **_: Any) -> Any:
        return {}

    def fetch(self, **_: Any) -> Any:
        return None

    def store(self, **_: Any) -> None:
        return None


class _NoProgress(kopf.ProgressStorage):
    """Keeps nothing."""

    def fetch(self, **_: Any) -> Any:
        return None

    def store(self, **_: Any) -> None:
        return None

    def purge(self, **_: Any) -> None:
        return None

    def touch(self, **_: Any) -> None:
        return None

    def clear(self, *, essence: Any) -> Any:
        return essence


class _Patience:
    """Seconds between kopf's attempts at a request, without end: an API server that is away for an hour comes back."""

    def __iter__(self) -> Iterator[float]:
        return itertools.chain((0.2, 0.5, 1.0, 2.0), itertools.repeat(5.0))


def settings() -> kopf.OperatorSettings:
    """kopf without writes, peering, scanning."""
    chosen = kopf.OperatorSettings()
    chosen.persistence.diffbase_storage = _NoDiffBase()
    chosen.persistence.progress_storage = _NoProgress()
    chosen.posting.enabled = False
    chosen.peering.standalone = True
    chosen.scanning.disabled = True
    chosen.networking.error_backoffs = _Patience()
    for kind, selector in SELECTORS.items():
        chosen.watching.label_selectors[kind.group, kind.plural] = selector
    return chosen


def build_operator(app: App, *, stop: asyncio.Event) -> kopf.OperatorRegistry:
    """A registry of its own, so several operators can live in one process. `stop` is what kopf is told to stop by."""
    registry = kopf.OperatorRegistry()

    @kopf.on.startup(registry=registry, id="start", backoff=PRIME_RETRY)
    async def start(**_: Any) -> None:
        try:
            await app.prime()
        except ApiError as error:  # away, or our rights are: one line each time, no traceback
            raise kopf.TemporaryError(str(error), delay=PRIME_RETRY) from None
        await app.work()

    @kopf.on.cleanup(registry=registry, id="stop")
    async def end(**_: Any) -> None:
        log.info("stopping: what is under way comes to its end")
        await app.drain()
        log.info("stopped")
        stop.set()  # after a signal kopf would wait 5 s for the one it has waiting for this

    @kopf.on.login(registry=registry, id="login")
    async def login(**_: Any) -> kopf.AiohttpSession:
        return kopf.AiohttpSession(server=app.api.server, aiohttp_session=app.api.session)

    for kind in app.kinds:
        kopf.on.event(kind.group, kind.version, kind.plural, registry=registry, id=kind.plural)(_observe(kind, app))
    return registry


def _observe(kind: Kind, app: App) -> Handler:
    async def handler(*, type: str | None, event: Mapping[str, Any], **_: Any) -> None:
        app.observe(kind, type, event["object"])

    return handler


async def run(app: App, *, stop: asyncio.Event) -> None:
    """Run until `stop` is set, a signal arrives, or the Lease is lost."""
    watching = asyncio.create_task(_lost(app, stop))
    try:
        await kopf.operator(
            registry=build_operator(app, stop=stop),
            settings=settings(),
            clusterwide=app.settings.namespace is None,
            namespaces=[app.settings.namespace] if app.settings.namespace else [],
            standalone=True,
            stop_flag=stop,
        )
    finally:
        watching.cancel()


async def _lost(app: App, stop: asyncio.Event) -> None:
    if app.lease is not None:
        await app.lease.lost.wait()
        stop.set()
