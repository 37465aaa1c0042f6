"""An HTTPS server of a test: on a free port of loopback, in a thread of its own, by a certificate made for it."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from deploy.local.certs import Authority, Subject

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class TlsServer:
    """Every request is answered by `answer`, from its making until `close`. `ca`: the bundle that proves it.

    `linger`: seconds the event loop lives on after the end, for connections that are still being closed.
    """

    def __init__(self, directory: Path, *, name: str, answer: Answer, linger: float = 0.0) -> None:
        authority = Authority(directory=directory)
        self.ca, self.port = authority.bundle, 0
        certificate, key = authority.issue(name, Subject(user=name, hosts=("127.0.0.1", "localhost")))
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(certificate, key)
        self._answer, self._linger = answer, linger
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(20), f"{name} did not start"

    def close(self) -> None:
        """Stop serving; nothing happens when it has stopped."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(20)

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, host="127.0.0.1", port=0, ssl_context=self._tls).start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        await self._over.wait()
        await runner.cleanup()
        await asyncio.sleep(self._linger)
