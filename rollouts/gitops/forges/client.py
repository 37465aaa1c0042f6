"""Sends calls to one project of a forge, with its token.

429 and 503 (and GitHub's 403 for too many requests) are waited for as the forge asks, for a few seconds; if it asks for
more, the error carries the pause and the caller comes back. Everything else that fails may or may not have been done:
it is not repeated here, the caller asks first what the forge knows.

The token goes to the project's own host only. It is in no error: of an answer only the message is shown, with the
token taken out of it should the forge repeat it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import tenacity

from analysis.providers.retries import retry_after
from rollouts.gitops import bodies
from rollouts.gitops.errors import ForgeError, ForgeUnavailableError, redact
from rollouts.gitops.forges.values import Call, Forge, Project, shortened

ATTEMPTS = 3
PATIENCE = 5.0
"""Seconds. What asks for a longer pause is left to the caller."""
SECONDS = 15.0
LARGEST = 4 * 1024 * 1024


class _BusyError(ForgeUnavailableError):
    """It did nothing, and asks to come back."""


def _wait(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.pause if isinstance(error, _BusyError) else 0.0
    return asked or tenacity.wait_random_exponential(multiplier=0.1, max=2)(state)


def _again(error: BaseException) -> bool:
    return isinstance(error, _BusyError) and error.pause <= PATIENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One project of a forge. `ssl`: what its certificate is checked with, True for the usual authorities."""

    session: aiohttp.ClientSession = field(repr=False)
    forge: Forge
    project: Project
    token: str = field(repr=False)
    ssl: Any = True
    seconds: float = SECONDS

    async def send(self, call: Call) -> Any:
        """What the forge answers, as parsed JSON; None for an error that only says it is so already.

        ForgeError when it refuses, ForgeUnavailableError when it does not answer (now).
        """
        async for attempt in tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=_wait,
            retry=tenacity.retry_if_exception(_again),
            sleep=asyncio.sleep,
            reraise=True,
        ):
            with attempt:
                return await self._once(call)
        raise AssertionError("tenacity either returns or raises")

    @property
    def host(self) -> str:
        """For people."""
        return self.project.api.partition("://")[2].partition("/")[0]

    async def _once(self, call: Call) -> Any:
        try:
            async with (
                asyncio.timeout(self.seconds),
                self.session.request(
                    call.method,
                    self.project.api + call.path,
                    json=dict(call.body) if call.method != "GET" else None,
                    headers={**self.forge.headers(self.token), "User-Agent": "rollouts"},
                    allow_redirects=False,
                    ssl=self.ssl,
                ) as response,
            ):
                if call.may_be_absent and response.status == 404:
                    return None
                return self._read(
                    response.status, response.headers, await bodies.read(response, most=LARGEST, error=ForgeError)
                )
        except TimeoutError:
            raise ForgeUnavailableError(f"{self.host} did not answer within {self.seconds:g} s") from None
        except aiohttp.ClientConnectorCertificateError:
            raise ForgeError(f"{self.host} can't be trusted: put its authority into the Secret as `ca.crt`") from None
        except aiohttp.ClientConnectorError:
            raise _BusyError(f"{self.host} can't be reached") from None
        except aiohttp.ClientError as error:
            raise ForgeUnavailableError(f"{self.host} can't be reached: {type(error).__name__}") from None

    def _read(self, status: int, headers: Mapping[str, str], body: bytes) -> Any:
        answer = _json(body)
        if 200 <= status < 300:
            return answer
        message = self._message(answer)
        if self.forge.done_already(status, message):
            return None
        said = f"{self.host} answers {status}" + (f": {message}" if message else "")
        pause = _asked(status, headers)
        if status == 429 or status == 503 or pause is not None:
            raise _BusyError(f"{self.host} is asked too often ({status})" if status != 503 else said, pause=pause or 0)
        if status >= 500:
            raise ForgeUnavailableError(said)
        raise ForgeError(said + _HINTS.get(status, ""), status=status)

    def _message(self, answer: Any) -> str:
        """What an error says, without our token in it. GitHub has a list of errors below its message."""
        if not isinstance(answer, Mapping):
            return ""
        parts = [answer.get("message"), answer.get("error"), answer.get("errors")]
        text = " ".join(part if isinstance(part, str) else json.dumps(part) for part in parts if part)
        return shortened(redact(text.replace(self.token, "*****")), 300)


_HINTS = {
    301: "; it has moved: set spec.source.repoURL to its new address",
    307: "; it has moved: set spec.source.repoURL to its new address",
    401: "; the token in spec.forge.secretRef is not accepted",
    403: "; the token in spec.forge.secretRef may not do this",
    404: "; the project is not there, or the token in spec.forge.secretRef may not see it",
}


def _asked(status: int, headers: Mapping[str, str]) -> float | None:
    """Seconds the forge asks to wait; None when it does not."""
    if status not in (403, 429, 503):
        return None
    if headers.get("X-RateLimit-Remaining") == "0" and re.fullmatch(r"\d{9,11}", headers.get("X-RateLimit-Reset", "")):
        return max(0.0, int(headers["X-RateLimit-Reset"]) - datetime.now(UTC).timestamp())
    return retry_after({"Retry-After": headers.get("Retry-After", "")})


def _json(body: bytes) -> Any:
    with contextlib.suppress(ValueError, RecursionError):
        return json.loads(body)
    return None
