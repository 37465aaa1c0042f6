"""kopf wiring: which kinds are watched, and that every event goes into the app. Nothing is decided here.

kopf lists, watches, resumes, logs in, starts and stops, and minds signals. It writes nothing: no annotations, no
finalizers, no events (null storages, `on.event` only). Start-up order: prime the store, start the workers, then kopf's
streams begin; so every decision sees a full store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import kopf

from rollouts.api.kinds import Kind
from rollouts.engine.app import SELECTORS, App
from rollouts.engine.snapshots import INDEXES

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


def settings() -> kopf.OperatorSettings:
    """kopf without writes, peering, scanning."""
    chosen = kopf.OperatorSettings()
    chosen.persistence.diffbase_storage = _NoDiffBase()
    chosen.persistence.progress_storage = _NoProgress()
    chosen.posting.enabled = False
    chosen.peering.standalone = True
    chosen.scanning.disabled = True
    for kind, selector in SELECTORS.items():
        chosen.watching.label_selectors[kind.group, kind.plural] = selector
    return chosen


def build_operator(app: App) -> kopf.OperatorRegistry:
    """A registry of its own, so several operators can live in one process."""
    registry = kopf.OperatorRegistry()

    @kopf.on.startup(registry=registry, id="start")  # type: ignore[arg-type]
    async def start(**_: Any) -> None:
        await app.prime()
        await app.work()

    @kopf.on.cleanup(registry=registry, id="stop")  # type: ignore[arg-type]
    async def stop(**_: Any) -> None:
        await app.drain()

    @kopf.on.login(registry=registry, id="login")  # type: ignore[arg-type]
    async def login(**_: Any) -> kopf.AiohttpSession:
        return kopf.AiohttpSession(server=app.api.server, aiohttp_session=app.api.session)

    for kind in INDEXES:
        kopf.on.event(kind.group, kind.version, kind.plural, registry=registry, id=kind.plural)(_observe(kind, app))  # type: ignore[arg-type]
    return registry


def _observe(kind: Kind, app: App) -> Handler:
    async def handler(*, type: str | None, event: Mapping[str, Any], **_: Any) -> None:  # noqa: A002
        app.observe(kind, type, event["object"])

    return handler


async def run(app: App, *, stop: asyncio.Event) -> None:
    """Run until `stop` is set, a signal arrives, or the Lease is lost."""
    watching = asyncio.create_task(_lost(app, stop))
    try:
        await kopf.operator(
            registry=build_operator(app),
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
