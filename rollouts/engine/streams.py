"""Listing and watching that we begin and end ourselves, for kinds that are only sometimes of interest.

kopf watches what is watched for as long as the process lives. What begins and ends with the objects of others (a
workload somebody refers to, a kind somebody syncs) is listed by `pages` and followed by `changes`, which gives what the
server says, line by line, for some minutes; to go on where it ended and to wait after an error is up to its user.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any, Final

import aiohttp
import orjson

from rollouts.api.kinds import Kind
from rollouts.engine.client import Api, Request
from rollouts.engine.errors import UnavailableError, from_response

JSON = Mapping[str, Any]
PAGE: Final = 500
WATCH_SECONDS: Final = 300
_TIMEOUT: Final = aiohttp.ClientTimeout(total=WATCH_SECONDS + 30, connect=10)


async def pages(api: Api, kind: Kind, namespace: str | None, *, selector: str = "") -> AsyncGenerator[JSON, None]:
    """All there is, list after list of at most 500. The last one's resourceVersion is what a watch goes on from."""
    params = {"limit": str(PAGE), **({"labelSelector": selector} if selector else {})}
    more = ""
    while True:
        following = {**params, "continue": more} if more else params
        page = await api.send(Request(method="GET", path=kind.path(namespace), params=following))
        yield page
        more = page["metadata"].get("continue") or ""
        if not more:
            return


async def changes(
    api: Api, kind: Kind, namespace: str | None, *, version: str, selector: str = ""
) -> AsyncGenerator[JSON, None]:
    """Each change since `version`: its `type` (ADDED, MODIFIED, DELETED, BOOKMARK) and the `object`.

    `selector`: labels the objects must have. Ends after five minutes at the latest. Raises ApiError, GoneError among
    them: then everything has to be listed again.
    """
    params = {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "resourceVersion": version,
        "timeoutSeconds": str(WATCH_SECONDS),
        **({"labelSelector": selector} if selector else {}),
    }
    what = f"watch {kind.plural}"
    url = api.server + kind.path(namespace)
    try:
        async with api.session.get(url, params=params, headers=api.headers, timeout=_TIMEOUT) as response:
            if response.status >= 400:
                body = {"message": await response.text()}
                raise from_response(response.status, body, request=what, retry_after=None)
            async for line in _lines(response.content):
                change = orjson.loads(line)
                if change["type"] == "ERROR":
                    obj = change["object"]
                    raise from_response(obj.get("code", 500), obj, request=what, retry_after=None)
                yield change
    except (aiohttp.ClientError, TimeoutError, orjson.JSONDecodeError) as error:
        raise UnavailableError(f"{what}: {error!r}") from error


async def _lines(content: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Lines of any length; the reader's own limit is far below what an object may have."""
    parts: list[bytes] = []
    async for chunk in content.iter_any():
        *ended, rest = chunk.split(b"\n")
        for line in ended:
            yield b"".join((*parts, line))
            parts = []
        if rest:
            parts.append(rest)
