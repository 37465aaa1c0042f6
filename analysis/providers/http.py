"""HTTP as the providers need it: a session per worker thread and destination, authentication, errors told apart.

The Prometheus client is synchronous, so requests run on a few threads. Each destination (address and credentials) has
a small pool of its own: one Prometheus that hangs takes its own threads, never those of another.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import requests
from requests.auth import AuthBase, HTTPBasicAuth
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from analysis.providers.base import (
    Misconfigured,
    ProviderError,
    Refused,
    TimedOut,
    Unavailable,
    Unreachable,
    Unsupported,
)
from analysis.spec.providers.authentication import Authentication, OAuth2

CONNECT_SECONDS = 5.0
"""A server that does not even accept a connection in this time is unreachable."""
DESTINATIONS = 64
"""Destinations kept open; the one unused longest is closed."""
THREADS_PER_DESTINATION = 8
_EARLY_SECONDS = 10.0
"""A token is renewed this long before it expires."""

ATTEMPTS = 3
_LONGEST_WAIT = 5.0

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


class ClientCredentials(AuthBase):
    """OAuth 2.0 client credentials: a bearer token, fetched when needed and kept until shortly before it expires.

    oauthlib refuses token URLs without TLS, which are common inside a cluster; hence these lines.
    """

    def __init__(self, *, oauth2: OAuth2, verify: bool, timeout: float) -> None:
        self._oauth2 = oauth2
        self._verify = verify
        self._timeout = timeout
        self._lock = threading.Lock()
        self._token = ""
        self._expires = 0.0

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._current()}"
        return request

    def _current(self) -> str:
        with self._lock:
            if time.monotonic() >= self._expires:
                self._renew()
            return self._token

    def _renew(self) -> None:
        url = self._oauth2.token_url or ""
        form = {"grant_type": "client_credentials"}
        if self._oauth2.scopes:
            form["scope"] = " ".join(self._oauth2.scopes)
        account = HTTPBasicAuth(self._oauth2.client_id or "", self._oauth2.client_secret or "")
        try:
            reply = requests.post(url, data=form, auth=account, verify=self._verify, timeout=self._timeout)
        except requests.RequestException as error:
            raise transport_error(error, "the token URL", url, self._timeout) from error
        if not reply.ok:
            raise refusal(reply, "the token URL", url, _oauth_reason(reply))
        try:
            body = reply.json()
            self._token = str(body["access_token"])
            self._expires = time.monotonic() + float(body.get("expires_in") or 0) - _EARLY_SECONDS
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Refused(f"the token URL {url} did not answer with an access_token") from error


def _oauth_reason(reply: requests.Response) -> str:
    try:
        body = reply.json()
        return str(body.get("error_description") or body.get("error") or "")
    except (ValueError, AttributeError):
        return ""


def authenticator(given: Authentication | None, *, verify: bool, timeout: float) -> AuthBase | None:
    """How to authenticate, for requests. Raises Misconfigured or Unsupported."""
    if given is None:
        return None
    chosen = [name for name in ("sigv4", "oauth2", "basic_auth") if _is_set(getattr(given, name))]
    if len(chosen) > 1:
        raise Misconfigured(f"authentication: choose one of sigv4, oauth2 and basicAuth, not {len(chosen)}")
    if given.sigv4 is not None and "sigv4" in chosen:
        raise Unsupported("authentication.sigv4 is not supported yet: put a signing proxy in front of the server")
    if given.oauth2 is not None and "oauth2" in chosen:
        _complete(given.oauth2)
        return ClientCredentials(oauth2=given.oauth2, verify=verify, timeout=timeout)
    if given.basic_auth is not None and "basic_auth" in chosen:
        return HTTPBasicAuth(given.basic_auth.username or "", given.basic_auth.password or "")
    return None


def _is_set(part: object) -> bool:
    return part is not None and any(getattr(part, name) for name in type(part).model_fields)  # type: ignore[attr-defined]


def _complete(oauth2: OAuth2) -> None:
    missing = [
        name
        for name, value in (
            ("tokenUrl", oauth2.token_url),
            ("clientId", oauth2.client_id),
            ("clientSecret", oauth2.client_secret),
        )
        if not value
    ]
    if missing:
        raise Misconfigured(f"authentication.oauth2: {', '.join(missing)} missing")


def transport_error(error: requests.RequestException, who: str, address: str, timeout: float) -> ProviderError:
    """The error of a request that got no answer, in words for people."""
    if isinstance(error, requests.ReadTimeout):
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
    """The error of an answer that is not 2xx."""
    said = f": {reason}" if reason else ""
    status = f"{reply.status_code} {reply.reason}".strip()
    if reply.status_code == 429 or reply.status_code >= 500:
        return Unavailable(f"{who} at {address} cannot answer now ({status}){said}", retry_after=_retry_after(reply))
    hint = _HINTS.get(reply.status_code, "")
    return Refused(f"{who} at {address} refused the request ({status}){said}{hint}")


_HINTS = {
    401: "; check the credentials in authentication or headers",
    403: "; the credentials are not allowed to do this",
    404: "; check the address",
}


def _retry_after(reply: requests.Response) -> float | None:
    try:
        return max(0.0, float(reply.headers.get("Retry-After", "")))
    except ValueError:
        return None


def retrying() -> AsyncRetrying:
    """Try a request that only reads again on a 429, a 5xx or a lost connection: `await retrying()(request)`."""
    return AsyncRetrying(
        retry=retry_if_exception_type((Unavailable, Unreachable)),
        stop=stop_after_attempt(ATTEMPTS),
        wait=_pause,
        sleep=asyncio.sleep,
        reraise=True,
    )


_backing_off = wait_random_exponential(multiplier=0.1, max=2)


def _pause(state: RetryCallState) -> float:
    """Seconds until the next attempt: what the server asked for, else growing at random."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, Unavailable) else None
    return min(asked, _LONGEST_WAIT) if asked is not None else _backing_off(state)
