"""Reading an answer of a server nobody here vouches for: never more than we are ready to hold."""

from __future__ import annotations

import aiohttp

from rollouts.gitops.errors import SyncError


async def read(response: aiohttp.ClientResponse, *, most: int, error: type[SyncError]) -> bytes:
    """The body, of `most` bytes; `error` is raised for more."""
    chunks = bytearray()
    async for chunk in response.content.iter_chunked(65536):
        chunks += chunk
        if len(chunks) > most:
            raise error(f"{response.host} answers with more than {most} bytes")
    return bytes(chunks)
