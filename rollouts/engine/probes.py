"""`/healthz`, `/readyz` and `/metrics` over HTTP."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable

from aiohttp import web

from rollouts.engine.metrics import Metrics


@contextlib.asynccontextmanager
async def serving(
    *, metrics: Metrics, alive: Callable[[], str], ready: Callable[[], str], health_port: int, metrics_port: int
) -> AsyncIterator[None]:
    """Serve while the context lasts. `alive` and `ready` return what is wrong, or an empty text. Port -1: don't."""

    def answer(check: Callable[[], str]) -> Callable[[web.Request], object]:
        async def handler(_: web.Request) -> web.Response:
            wrong = check()
            return web.Response(text=wrong or "ok", status=503 if wrong else 200)

        return handler

    async def numbers(_: web.Request) -> web.Response:
        return web.Response(body=metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4"})

    async with contextlib.AsyncExitStack() as stack:
        for port in dict.fromkeys(port for port in (health_port, metrics_port) if port >= 0):
            app = web.Application()
            app.router.add_get("/healthz", answer(alive))  # type: ignore[arg-type]
            app.router.add_get("/readyz", answer(ready))  # type: ignore[arg-type]
            app.router.add_get("/metrics", numbers)
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, port=port).start()
        yield
