"""How requests of the `requests` library prove who they are: basic, OAuth 2.0 client credentials, AWS's signature."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping

import requests
from requests.auth import AuthBase, HTTPBasicAuth

from analysis.providers.aws import Accounts, SigV4Auth
from analysis.providers.base import Misconfigured, Refused
from analysis.providers.http import DESTINATIONS, refusal, transport_error
from analysis.spec.providers.authentication import Authentication, OAuth2

_EARLY_SECONDS = 10.0
"""A token is renewed this long before it expires."""


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


class Authenticators:
    """Authenticators by configuration, so that tokens, roles and credentials are fetched once for all threads.

    `service` is the name AWS signs by where the address does not tell; `environment` may hold AWS's region.
    """

    def __init__(self, *, service: str, environment: Mapping[str, str]) -> None:
        self._service = service
        self._accounts = Accounts(environment=environment)
        self._known: OrderedDict[tuple[str, bool, float], AuthBase | None] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, given: Authentication | None, *, verify: bool, timeout: float) -> AuthBase | None:
        """How to authenticate, for requests; None: not at all. Raises Misconfigured."""
        if given is None:
            return None
        key = (given.model_dump_json(exclude_none=True), verify, timeout)
        with self._lock:
            found = self._known.pop(key) if key in self._known else self._made(given, verify=verify, timeout=timeout)
            self._known[key] = found
            if len(self._known) > DESTINATIONS:
                self._known.popitem(last=False)
        return found

    def _made(self, given: Authentication, *, verify: bool, timeout: float) -> AuthBase | None:
        chosen = [name for name in ("sigv4", "oauth2", "basic_auth") if _is_set(getattr(given, name))]
        if len(chosen) > 1:
            raise Misconfigured(f"authentication: choose one of sigv4, oauth2 and basicAuth, not {len(chosen)}")
        if given.sigv4 is not None and "sigv4" in chosen:
            return SigV4Auth(sigv4=given.sigv4, accounts=self._accounts, default_service=self._service, verify=verify)
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
