"""HTTP for providers that ask a service for JSON or text: one question, one bounded answer, or an error for people.

    Ask       what is asked, of whom, and how long it may take; `url` and `who` appear in errors, nothing else does
    Client    one session, opened when first needed; `text` for the body, `document` for JSON
    understood  reads an answer by a function; whatever shape it does not expect is a Refused, not a traceback

An answer is bounded in size (4 MB, unpacked) and in time (all of it, not each packet). Redirects are not followed:
keys in headers must not travel to a place nobody configured. Questions are asked again on a 429, a 5xx or a lost
connection, after the time the server asks for if that is within the timeout; with `repeat=False` they are asked once.

Prometheus and web use `requests` (the library of Prometheus brings it), see `http.py`; errors are the same types.
"""

from __future__ import annotations

import asyncio
import csv
import functools
import json
import os
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import urlsplit

import aiohttp
import certifi

from analysis.providers.base import Misconfigured, ProviderError, Refused, TimedOut, Unreachable
from analysis.providers.http import CONNECT_SECONDS, rejection, root_cause
from analysis.providers.retries import retrying

LARGEST_ANSWER = 4_000_000
"""Bytes. A larger answer is refused: it would be held in memory for one number."""
_SAID = 200
"""Characters of an answer shown in an error."""
_FAULTS = (csv.Error, KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, RecursionError)
"""What reading an answer of another shape than expected raises."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One question. `who` names the service in errors; `body` is sent as JSON, `data` as is; `timeout` in seconds."""

    who: str
    url: str
    method: str = "GET"
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: Any = None
    data: bytes | None = None
    timeout: float = 30.0
    verify: bool = True
    repeat: bool = True

    @property
    def place(self) -> str:
        """Scheme, host and path: what errors show."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}".rstrip("/")


def address_of(text: str | None, *, where: str) -> str:
    """An address without a slash in the end; `where` names the field. Raises Misconfigured if it is no http(s) URL."""
    address = (text or "").strip().rstrip("/")
    if not address:
        raise Misconfigured(f"{where} is empty")
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        usable = False
    if not usable:
        raise Misconfigured(f'{where} "{address}" is not a URL such as https://example.com')
    return address


class Client:
    """Asks. One object serves any number of questions within one event loop; `close` it in the end."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def document(self, ask: Ask) -> Any:
        """The answer as JSON. Raises ProviderError."""
        text = await self.text(ask)
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise Refused(f"{ask.who} at {ask.place} did not answer with JSON: {said(text)!r}") from error

    async def text(self, ask: Ask) -> str:
        """The answer's body. Raises ProviderError; Refused and Unavailable for anything but 2xx."""
        if ask.repeat:
            found: str = await retrying(ask.timeout)(self._once, ask)
            return found
        return await self._once(ask)

    async def _once(self, ask: Ask) -> str:
        try:
            async with asyncio.timeout(ask.timeout):
                return await self._exchange(ask)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            raise _trouble(error, ask) from error

    async def _exchange(self, ask: Ask) -> str:
        async with self._opened().request(
            ask.method,
            ask.url,
            params=dict(ask.params) or None,
            headers=dict(ask.headers),
            json=ask.body,
            data=ask.data,
            ssl=ask.verify,
            allow_redirects=False,
        ) as response:
            text = (await _body(response, ask)).decode(errors="replace")
            if response.status // 100 != 2:
                raise _rejected(response, ask, text)
            return text

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS)
            connector = aiohttp.TCPConnector(ssl=_trusting(), limit_per_host=32)
            self._session = aiohttp.ClientSession(
                connector=connector, timeout=timeout, trust_env=True, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()
            self._session = None


@functools.cache
def _trusting() -> ssl.SSLContext:
    """The system's certificate authorities and those of browsers: slim images have none of their own. Read once."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


async def _body(response: aiohttp.ClientResponse, ask: Ask) -> bytes:
    found = bytearray()
    async for chunk in response.content.iter_any():
        found += chunk
        if len(found) > LARGEST_ANSWER:
            raise Refused(f"{ask.who} at {ask.place} answered with more than {LARGEST_ANSWER // 1_000_000} MB")
    return bytes(found)


def _rejected(response: aiohttp.ClientResponse, ask: Ask, text: str) -> ProviderError:
    if response.status // 100 == 3:
        target = urlsplit(response.headers.get("Location", "")).netloc or "another address"
        return Refused(f"{ask.who} at {ask.place} redirects to {target}, which is not followed: use the final address")
    return rejection(
        status=response.status,
        phrase=response.reason or "",
        headers=response.headers,
        who=ask.who,
        address=ask.place,
        reason=reason_of(text),
    )


def reason_of(text: str) -> str:
    """What an error's body says: the message of the usual JSON forms, else the beginning of the text."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return said(text)
    return said(_message(body) or text)


def _message(body: Any) -> str:
    """The first message in the usual forms: `{"message": …}`, `{"error": {"message": …}}`, `{"errors": [{…}]}`."""
    for _ in range(4):
        if isinstance(body, str):
            return body
        if isinstance(body, list) and body:
            body = body[0]
        elif isinstance(body, Mapping):
            body = next((body[key] for key in ("message", "detail", "error", "errors", "title") if body.get(key)), None)
    return body if isinstance(body, str) else ""


def said(text: str) -> str:
    """The beginning of a text, on one line."""
    plain = " ".join(text[: 4 * _SAID].split())
    return plain if len(plain) <= _SAID else f"{plain[:_SAID]}…"


def _trouble(error: Exception, ask: Ask) -> ProviderError:
    """The error of a request that got no answer, in words for people."""
    where = f"{ask.who} at {ask.place}"
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return Unreachable(f"{where} is unreachable: no connection within {CONNECT_SECONDS:g} s")
    if isinstance(error, TimeoutError):
        return TimedOut(f"{where} did not answer within {ask.timeout:g} s")
    if isinstance(error, (aiohttp.ClientSSLError, ssl.SSLError)):
        return Unreachable(f"{where} cannot be trusted: {root_cause(error)}")
    if isinstance(error, aiohttp.InvalidURL):
        return Misconfigured(f"{where} cannot be asked: the address is not a URL")
    if isinstance(error, aiohttp.ClientResponseError):
        return Refused(f"{where} did not answer as an HTTP server does: {said(error.message)}")
    if isinstance(error, ValueError) and not isinstance(error, aiohttp.ClientError):
        return Misconfigured(f"{where} cannot be asked: a header or the address holds characters that can't be sent")
    return Unreachable(f"{where} is unreachable: {_cause(error)}")


def _cause(error: Exception) -> str:
    """`Connection refused`; asyncio's own words repeat the address instead."""
    number = getattr(error, "errno", None)
    return os.strerror(number) if isinstance(number, int) and number > 0 else root_cause(error)


def understood(ask: Ask, document: Any, read: Callable[[Any], T]) -> T:
    """What `read` finds in an answer. Raises Refused where the answer has another shape than it expects."""
    try:
        return read(document)
    except _FAULTS as error:
        shown = said(document if isinstance(document, str) else json.dumps(document, default=str))
        raise Refused(f"{ask.who} at {ask.place} did not answer in the expected form: {shown}") from error


def number(value: Any) -> float:
    """A number of an answer, which some write as text. Raises TypeError or ValueError."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise TypeError(f"{type(value).__name__} is not a number")
    return float(value)


def graphql(ask: Ask, document: Any) -> Any:
    """The data of a GraphQL answer. Raises Refused with the first error it reports."""
    errors = document.get("errors") if isinstance(document, Mapping) else None
    if errors:
        raise Refused(f"{ask.who} at {ask.place} cannot run the query: {said(_message(errors) or json.dumps(errors))}")
    return understood(ask, document, lambda body: body["data"])
