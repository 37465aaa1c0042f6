"""A small service whose revisions differ: in what they answer, how often they fail and how long they take.

It is told by its environment, as a pod's manifest sets it:

    VERSION       what it calls itself (default: unknown)
    ERROR_RATE    share of requests answered with 500, 0 to 1 (default: 0)
    LATENCY_MS    milliseconds that each answer takes (default: 0)
    POD_IP, PORT  where it listens (defaults: 127.0.0.1, 8080)
    DRAIN_MS      milliseconds that it goes on answering after SIGTERM (default: 500)

`/` answers `{"version": …}`, with header X-Version; `/healthz` is for probes; `/metrics` has
`http_requests_total{version,status_code}` and `http_request_duration_seconds{version}`. After SIGTERM it is not ready
any more but goes on for a while, since proxies hear later than the kubelet that a pod is on its way out.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One revision; latency and drain in seconds."""

    version: str = "unknown"
    error_rate: float = 0.0
    latency: float = 0.0
    host: str = "127.0.0.1"
    port: int = 8080
    drain: float = 0.5

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> Settings:
        """From environment variables; ValueError for what isn't a number or a share."""
        settings = cls(
            version=environment.get("VERSION", "unknown"),
            error_rate=float(environment.get("ERROR_RATE", "0")),
            latency=float(environment.get("LATENCY_MS", "0")) / 1000,
            host=environment.get("POD_IP", "127.0.0.1"),
            port=int(environment.get("PORT", "8080")),
            drain=float(environment.get("DRAIN_MS", "500")) / 1000,
        )
        if not 0 <= settings.error_rate <= 1:
            raise ValueError(f"ERROR_RATE={settings.error_rate:g} is no share: give a number from 0 to 1")
        return settings


class Service:
    """The handlers and counters of one process."""

    def __init__(self, settings: Settings) -> None:
        self.draining = asyncio.Event()
        self._settings = settings
        self._registry = CollectorRegistry()
        labels, registry = ["version", "status_code"], self._registry
        self._requests = Counter("http_requests", "Requests answered.", labels, registry=registry)
        self._durations = Histogram("http_request_duration_seconds", "Time to answer.", ["version"], registry=registry)
        # so that a rate of errors is 0, not absent, before the first one
        for status in ("200", "500"):
            self._requests.labels(settings.version, status)

    def app(self) -> web.Application:
        """The routes."""
        app = web.Application()
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_route("*", "/{path:.*}", self._answer)
        return app

    async def _answer(self, request: web.Request) -> web.Response:
        began, version = time.perf_counter(), self._settings.version
        if self._settings.latency:
            await asyncio.sleep(self._settings.latency)
        status = 500 if random.random() < self._settings.error_rate else 200
        self._requests.labels(version, str(status)).inc()
        self._durations.labels(version).observe(time.perf_counter() - began)
        return web.json_response({"version": version}, status=status, headers={"X-Version": version})

    async def _health(self, request: web.Request) -> web.Response:
        status, text = (503, "draining") if self.draining.is_set() else (200, "ok")
        return web.Response(status=status, text=text)

    async def _metrics(self, request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": "text/plain; version=0.0.4"})


async def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, and a little longer."""
    service = Service(settings)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, service.draining.set)
    runner = web.AppRunner(service.app(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, settings.host, settings.port).start()
    print(f"version {settings.version} listens on {settings.host}:{settings.port}", flush=True)
    await service.draining.wait()
    await asyncio.sleep(settings.drain)
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(serve(Settings.read(os.environ)))
