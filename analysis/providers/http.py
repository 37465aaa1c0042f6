"""HTTP by the `requests` library, for Prometheus and web: threads by destination, errors told apart.

The Prometheus client is synchronous, so requests run on a few threads. Each destination (address and credentials) has
a small pool of its own: one Prometheus that hangs takes its own threads, never those of another.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import requests
import urllib3

from analysis.providers.base import Misconfigured, ProviderError, Refused, TimedOut, Unavailable, Unreachable
from analysis.providers.retries import retry_after

CONNECT_SECONDS = 5.0
"""A server that does not even accept a connection in this time is unreachable."""
DESTINATIONS = 64
"""Destinations kept open; the one unused longest is closed."""
THREADS_PER_DESTINATION = 32
"""Questions under way to one server. Threads are made when they are needed; Prometheus answers 20 queries at once."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where requests go and how: what two requests must share to share a connection."""

    address: str
    headers: tuple[tuple[str, str], ...] = ()
    authentication: str = ""
    insecure: bool = False


class Pools:
    """Threads by destination, the most recently used kept."""

    def __init__(self) -> None:
        self._pools: OrderedDict[Destination, ThreadPoolExecutor] = OrderedDict()

    async def call(self, destination: Destination, work: Callable[[], T]) -> T:
        """Run `work` on one of the destination's threads."""
        pool = self._pools.pop(destination, None) or ThreadPoolExecutor(
            max_workers=THREADS_PER_DESTINATION, thread_name_prefix="analysis"
        )
        self._pools[destination] = pool
        if len(self._pools) > DESTINATIONS:
            self._pools.popitem(last=False)[1].shutdown(wait=False)
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    def close(self) -> None:
        """Let running requests finish, begin no new ones."""
        for pool in self._pools.values():
            pool.shutdown(wait=False, cancel_futures=True)
        self._pools.clear()


def settle(session: requests.Session, address: str) -> None:
    """Take proxies and certificate authorities from the environment once: requests would do so at every request.

    Passwords of a .netrc are not used: a measurement authenticates as its metric says, or not at all.
    """
    found = session.merge_environment_settings(address, {}, None, session.verify, None)
    session.proxies, session.verify, session.trust_env = found["proxies"], found["verify"], False
    accept(insecure=not session.verify)


def accept(*, insecure: bool) -> None:
    """What a metric asks for with `insecure: true` is not worth a warning in the log."""
    if insecure:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)


def bounded(reply: requests.Response, who: str, address: str, *, largest: int, deadline: float) -> bytes:
    """The body of a streamed reply; Refused or TimedOut when it grows too large or drips in too slowly.

    `deadline` is a time.monotonic(). Raises urllib3's HTTPError where the connection breaks.
    """
    found = bytearray()
    while chunk := reply.raw.read1(65536, decode_content=True):
        found += chunk
        if len(found) > largest:
            raise Refused(f"{who} at {address} answered with more than {largest // 1_000_000} MB")
        if time.monotonic() > deadline:
            raise TimedOut(f"{who} at {address} did not finish its answer in time")
    return bytes(found)


def transport_error(
    error: requests.RequestException | urllib3.exceptions.HTTPError, who: str, address: str, timeout: float
) -> ProviderError:
    """The error of a request that got no answer, in words for people."""
    if isinstance(error, (requests.ReadTimeout, urllib3.exceptions.ReadTimeoutError)):
        return TimedOut(f"{who} at {address} did not answer within {timeout:g} s")
    if isinstance(error, requests.exceptions.SSLError):
        return Unreachable(f"{who} at {address} cannot be trusted: {root_cause(error)}")
    if isinstance(error, (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader)):
        return Misconfigured(f"{who} at {address} cannot be asked: {error}")
    return Unreachable(f"{who} at {address} is unreachable: {root_cause(error)}")


def root_cause(error: BaseException) -> str:
    """The innermost reason of a chain of wrapped network errors, without the wrapping."""
    while inner := _inner(error):
        error = inner
    text = getattr(error, "strerror", None) or str(error)
    return text.rsplit(": ", 1)[-1] if "object at 0x" in text else text


def _inner(error: BaseException) -> BaseException | None:
    reason = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        return reason
    wrapped = next((item for item in error.args if isinstance(item, BaseException)), None)
    return wrapped or error.__cause__ or error.__context__


def refusal(reply: requests.Response, who: str, address: str, reason: str) -> ProviderError:
    """The error of an answer that is not 2xx. Credentials the server repeats are taken out of its reason."""
    return rejection(
        status=reply.status_code,
        phrase=reply.reason or "",
        headers=reply.headers,
        who=who,
        address=address,
        reason=_without_credentials(reply, reason),
    )


def _without_credentials(reply: requests.Response, reason: str) -> str:
    for text in credentials_sent(reply):
        reason = reason.replace(text, "*****")
    return reason


_SHORTEST_PROOF = 6
"""Characters. Shorter ones are no proof of anything, and would be taken out of every text they happen to be in."""


def credentials_sent(reply: requests.Response) -> tuple[str, ...]:
    """What the request proved itself with, to be hidden from whatever the server answers."""
    sent = reply.request.headers if reply.request is not None else {}
    found = [sent.get(name) for name in ("Authorization", "X-Amz-Security-Token")]
    proofs = (str(text).rpartition(" ")[2] for text in found if text)
    return tuple(proof for proof in proofs if len(proof) >= _SHORTEST_PROOF)


def rejection(
    *, status: int, phrase: str, headers: Mapping[str, str], who: str, address: str, reason: str
) -> ProviderError:
    """The error of an answer that is not 2xx, from its parts."""
    said = f": {reason}" if reason else ""
    shown = f"{status} {phrase}".strip()
    if status == 429 or status >= 500:
        return Unavailable(f"{who} at {address} cannot answer now ({shown}){said}", retry_after=retry_after(headers))
    hint = _HINTS.get(status, "")
    return Refused(f"{who} at {address} refused the request ({shown}){said}{hint}")


_HINTS = {
    401: "; check the credentials in authentication, headers or the Secret",
    403: "; the credentials are not allowed to do this",
    404: "; check the address",
}
