"""A real Git server: smart HTTP over TLS, by git's own `http-backend`, with a password if wanted.

It runs in a thread; every request is counted, and it can be told to refuse.
"""

from __future__ import annotations

import asyncio
import base64
import os
from collections import Counter
from pathlib import Path

from aiohttp import web

from tests.tls import TlsServer


class GitServer(TlsServer):
    """Serves the bare repositories below `directory` until `close`. `password`: what the user `git` must give."""

    def __init__(self, directory: Path, *, password: str = "") -> None:
        self.directory, self.password = directory, password
        self.requests: Counter[str] = Counter()
        self.refusing = False
        self.refused = b""  # requests that say this get no answer, such as `command=fetch`
        super().__init__(directory / "tls", name="git", answer=self._respond)

    def url(self, repository: str = "app.git") -> str:
        """The address of a repository."""
        return f"https://localhost:{self.port}/{repository}"

    async def _respond(self, request: web.Request) -> web.Response:
        self.requests[request.path.rpartition("/")[2]] += 1
        wanted = "Basic " + base64.b64encode(f"git:{self.password}".encode()).decode()
        if self.refusing or (self.refused and self.refused in await request.read()):
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
