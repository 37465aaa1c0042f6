"""`/healthz`, `/readyz` and `/metrics` over HTTP.

All three are served on both ports (they may be the same), so nobody has to remember which is where. The peer's own
are 8080 for health and 8090 for metrics.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Sequence

from aiohttp import web

from rollouts.engine.metrics import Metrics


@contextlib.asynccontextmanager
async def serving(
    *,
    metrics: Metrics,
    alive: Callable[[], str],
    ready: Callable[[], str],
    ports: Sequence[int],
    host: str | None = None,
) -> AsyncIterator[list[int]]:
    """Serve on `ports` while the context lasts; gives the ports really taken, in that order.

    `alive` and `ready` return what is wrong, or an empty text. Port -1: don't; 0: any free one
    of 127.0.0.1 (with both address families there would be two). `host` None: every interface.
    """

    def answer(check: Callable[[], str]) -> Callable[[web.Request], object]:
        async def handler(_: web.Request) -> web.Response:
            wrong = check()
            return web.Response(text=wrong or "ok", status=503 if wrong else 200)

        return handler

    async def numbers(_: web.Request) -> web.Response:
        return web.Response(body=metrics.text(), headers={"Content-Type": "text/plain; version=0.0.4"})

    async with contextlib.AsyncExitStack() as stack:
        taken: list[int] = []
        for port in dict.fromkeys(port for port in ports if port >= 0):
            app = web.Application()
            app.router.add_get("/healthz", answer(alive))  # type: ignore[arg-type]
            app.router.add_get("/readyz", answer(ready))  # type: ignore[arg-type]
            app.router.add_get("/metrics", numbers)
            runner = web.AppRunner(app, access_log=None)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, host=host if port else host or "127.0.0.1", port=port).start()
            taken.append(runner.addresses[0][1])
        yield taken
