"""The service that is released: answers with its version, fails as often as it is told, counts what it did.

Environment: VERSION, ERROR_RATE (0 to 1), POD_IP and PORT to listen on.
"""

from __future__ import annotations

import os
import random

from aiohttp import web
from prometheus_client import Counter, generate_latest

VERSION, ERROR_RATE = os.environ.get("VERSION", "v0"), float(os.environ.get("ERROR_RATE", "0"))
REQUESTS = Counter("http_requests", "Requests answered", ["version", "status_code"])
for known in ("200", "500"):
    REQUESTS.labels(VERSION, known)


async def answer(_: web.Request) -> web.Response:
    """200 with the version, or 500 for an unlucky share."""
    status = 500 if random.random() < ERROR_RATE else 200
    REQUESTS.labels(VERSION, str(status)).inc()
    return web.Response(text=VERSION, status=status, headers={"X-Version": VERSION})


async def healthy(_: web.Request) -> web.Response:
    """Ready as soon as it listens."""
    return web.Response(text="ok")


async def metrics(_: web.Request) -> web.Response:
    """For Prometheus."""
    return web.Response(body=generate_latest(), headers={"Content-Type": "text/plain; version=0.0.4"})


def main() -> None:
    """Serve until told to stop."""
    app = web.Application()
    app.add_routes([web.get("/", answer), web.get("/healthz", healthy), web.get("/metrics", metrics)])
    host, port = os.environ.get("POD_IP", "127.0.0.1"), int(os.environ.get("PORT", "8080"))
    web.run_app(app, host=host, port=port, access_log=None, print=None)


if __name__ == "__main__":
    main()
