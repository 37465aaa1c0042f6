"""A real Git server: smart HTTP over TLS, by git's own `http-backend`, with a password if wanted.

It runs in a thread; every request is counted, and it can be told to refuse.
"""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
import threading
from collections import Counter
from pathlib import Path

from aiohttp import web

from deploy.local.certs import Authority, Subject


class GitServer:
    """Serves the bare repositories below `directory` until `close`. `password`: what the user `git` must give."""

    def __init__(self, directory: Path, *, password: str = "") -> None:
        self.directory, self.password = directory, password
        self.requests: Counter[str] = Counter()
        self.refusing = False
        authority = Authority(directory=directory / "tls")
        self.ca = authority.bundle
        certificate, key = authority.issue("git", Subject(user="git", hosts=("127.0.0.1", "localhost")))
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(certificate, key)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(20), "the git server did not start"

    def url(self, repository: str = "app.git") -> str:
        """The address of a repository."""
        return f"https://localhost:{self.port}/{repository}"

    def close(self) -> None:
        """Stop serving."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(20)

    async def _serve(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application(client_max_size=64 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, host="127.0.0.1", port=0, ssl_context=self._tls).start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        await self._over.wait()
        await runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        self.requests[request.path.rpartition("/")[2]] += 1
        wanted = "Basic " + base64.b64encode(f"git:{self.password}".encode()).decode()
        if self.refusing:
            return web.Response(status=503)
        if self.password and request.headers.get("Authorization") != wanted:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="git"'})
        return await self._cgi(request)

    async def _cgi(self, request: web.Request) -> web.Response:
        environment = {
            "PATH": os.environ["PATH"],
            "GIT_PROJECT_ROOT": str(self.directory),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "2",
            "GIT_CONFIG_KEY_0": "uploadpack.allowAnySHA1InWant",
            "GIT_CONFIG_VALUE_0": "true",
            "GIT_CONFIG_KEY_1": "safe.directory",
            "GIT_CONFIG_VALUE_1": "*",
            "REQUEST_METHOD": request.method,
            "PATH_INFO": request.path,
            "QUERY_STRING": request.query_string,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": "",
            "HTTP_GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        }
        process = await asyncio.create_subprocess_exec(
            "git",
            "http-backend",
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        output, _ = await process.communicate(await request.read())
        head, _, body = output.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        status = int(headers.pop("Status", "200").split()[0])
        return web.Response(status=status, headers=headers, body=body)
