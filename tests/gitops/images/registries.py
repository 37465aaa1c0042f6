"""Registries to ask: a real one as a process, and one that misbehaves as it is told."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

MANIFEST = "application/vnd.oci.image.manifest.v1+json"


class RealRegistry:
    """The go-containerregistry `registry`, in memory, at `host`."""

    def __init__(self, host: str, session: aiohttp.ClientSession) -> None:
        self.host, self._session = host, session

    async def push(self, name: str, tags: Iterable[str], *, content: str = "") -> str:
        """A manifest under these tags; its digest. `content` makes it another image."""
        config = b"{}"
        digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
        where = f"http://{self.host}/v2/{name}"
        async with self._session.post(f"{where}/blobs/uploads/", params={"digest": digest}, data=config) as response:
            assert response.status == 201, await response.text()
        layer = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": len(config)}
        body = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": layer,
            "layers": [],
            "annotations": {"is": content},
        }
        found = ""
        for tag in tags:
            headers = {"Content-Type": MANIFEST}
            async with self._session.put(
                f"{where}/manifests/{tag}", data=json.dumps(body), headers=headers
            ) as response:
                assert response.status == 201, await response.text()
                found = response.headers["Docker-Content-Digest"]
        return found

    async def delete(self, name: str, tag: str) -> None:
        async with self._session.delete(f"http://{self.host}/v2/{name}/manifests/{tag}") as response:
            assert response.status < 300, await response.text()


@asynccontextmanager
async def real_registry(program: Path) -> AsyncIterator[RealRegistry]:
    """Runs the program on a free port until the end of the block."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = await asyncio.create_subprocess_exec(
        str(program), "-port", str(port), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with aiohttp.ClientSession() as session, asyncio.timeout(40):
            await _answers(session, port, process)
            yield RealRegistry(f"localhost:{port}", session)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _answers(session: aiohttp.ClientSession, port: int, process: asyncio.subprocess.Process) -> None:
    while process.returncode is None:
        try:
            async with session.get(f"http://localhost:{port}/v2/") as response:
                if response.status == 200:
                    return
        except aiohttp.ClientError:
            await asyncio.sleep(0.02)
    raise AssertionError(f"the registry ended with {process.returncode}")


@asynccontextmanager
async def fake_registry(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    """A registry whose every answer is the handler's; its host."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, host="127.0.0.1", port=0).start()
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextmanager
def serving(program: Path) -> Iterator[str]:
    """The same registry for tests that have no loop; its host."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(program), "-port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while process.poll() is None:
            try:
                with socket.create_connection(("localhost", port), timeout=5):
                    break
            except OSError:
                continue
        yield f"localhost:{port}"
    finally:
        process.kill()
        process.wait()
