"""As much of a Kubernetes client as a node takes: JSON requests, one watch, and when the API server last answered."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import logging
import ssl
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import yaml

Object = dict[str, Any]
Watched = tuple[str, Object]

RETRY_SECONDS = 0.5
REQUEST_SECONDS = 15.0
WATCH_SECONDS = 300
#: A watch sends an object a line, and a line must fit.
LINE_BYTES = 4 * 1024 * 1024

LOG = logging.getLogger("node")
MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"
UNREACHABLE = (aiohttp.ClientError, TimeoutError, OSError)


class ApiError(Exception):
    """The API server said no; `status` is the HTTP status."""

    def __init__(self, *, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Client:
    """Requests with one kubeconfig; open it with `async with Client.open(...)`."""

    def __init__(self, *, session: aiohttp.ClientSession, server: str) -> None:
        self._session = session
        self._server = server
        self._answered = time.monotonic()

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, kubeconfig: Path) -> AsyncIterator[Client]:
        """A client for the current user of a kubeconfig with embedded certificates."""
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        connector = aiohttp.TCPConnector(ssl=_tls(cluster, user), limit=0)
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout, read_bufsize=LINE_BYTES) as session:
            yield cls(session=session, server=cluster["server"])

    @property
    def silence(self) -> float:
        """Seconds since the API server last answered."""
        return time.monotonic() - self._answered

    async def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        content_type: str = "application/json",
        params: Mapping[str, str] | None = None,
    ) -> Object:
        """One request; returns the parsed body. Raises ApiError, or one of UNREACHABLE."""
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": content_type}
        async with self._session.request(
            method, self._server + path, data=data, headers=headers, params=params
        ) as response:
            self._answered = time.monotonic()
            answer: Object = await response.json(content_type=None)
            if response.status >= 400:
                raise ApiError(status=response.status, message=answer.get("message", ""))
            return answer

    async def persist(
        self, method: str, path: str, body: Any = None, *, content_type: str = "application/json"
    ) -> bool:
        """The same, again and again while the API server can't be reached or has trouble; False if it said no."""
        while True:
            try:
                await self.request(method, path, body, content_type=content_type)
            except ApiError as error:
                if error.status < 500 and error.status != 429:
                    return _refused(method, path, error)
            except UNREACHABLE as error:
                LOG.debug("%s %s: %s", method, path, error)
            else:
                return True
            await asyncio.sleep(RETRY_SECONDS)

    async def follow(self, path: str, *, params: Mapping[str, str]) -> AsyncIterator[Watched]:
        """List and watch without end: ("LISTED", list), then (ADDED | MODIFIED | DELETED, object), and anew."""
        while True:
            try:
                listed = await self.request("GET", path, params=params)
                yield "LISTED", listed
                async for event in self._watch(path, params=params, since=listed["metadata"]["resourceVersion"]):
                    yield event
            except (ApiError, *UNREACHABLE) as error:
                LOG.debug("watch of %s: %r", path, error)
                await asyncio.sleep(RETRY_SECONDS)

    async def _watch(self, path: str, *, params: Mapping[str, str], since: str) -> AsyncIterator[Watched]:
        """Until the server ends it or its history is too short; then the list is to be fetched again."""
        while True:
            query = {**params, "watch": "true", "allowWatchBookmarks": "true", "resourceVersion": since,
                     "timeoutSeconds": str(WATCH_SECONDS)}  # fmt: skip
            async for kind, obj in self._stream(path, query):
                if kind == "ERROR":
                    raise ApiError(status=int(obj.get("code", 0)), message=obj.get("message", ""))
                since = obj["metadata"]["resourceVersion"]
                if kind != "BOOKMARK":
                    yield kind, obj

    async def _stream(self, path: str, query: Mapping[str, str]) -> AsyncIterator[Watched]:
        timeout = aiohttp.ClientTimeout(total=None, sock_read=WATCH_SECONDS + REQUEST_SECONDS)
        async with self._session.get(self._server + path, params=query, timeout=timeout) as response:
            if response.status >= 400:
                raise ApiError(status=response.status, message=await response.text())
            async for line in response.content:
                event = json.loads(line)
                yield event["type"], event["object"]


def _refused(method: str, path: str, error: ApiError) -> bool:
    level = logging.DEBUG if error.status in (404, 409) else logging.WARNING
    LOG.log(level, "%s %s was refused: %s", method, path, error)
    return False


def _tls(cluster: Object, user: Object) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=_text(cluster["certificate-authority-data"]))
    # the ssl module loads a client's key from files only
    with tempfile.NamedTemporaryFile("w") as pem:
        pem.write(_text(user["client-certificate-data"]) + _text(user["client-key-data"]))
        pem.flush()
        context.load_cert_chain(pem.name)
    return context


def _text(encoded: str) -> str:
    return base64.b64decode(encoded).decode()
