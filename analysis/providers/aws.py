"""Amazon Web Services: credentials, and requests signed with them (Signature Version 4).

Credentials come from where every AWS tool takes them: environment, profile, web identity of a service account (IRSA),
Pod Identity, instance metadata. AWS's own runtime (awscrt) finds and renews them and computes the signature; it has no
dependencies, while boto3's contradict the Kubernetes client's. A `roleArn` is assumed with one call to STS, and kept
until shortly before it expires.

All of this blocks: call it on a thread.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

import requests
from requests.auth import AuthBase

from analysis.providers.base import Misconfigured, ProviderError, Refused, Unsupported
from analysis.spec.providers.authentication import SigV4

if TYPE_CHECKING:
    from awscrt.auth import AwsCredentials, AwsCredentialsProvider

FIND_SECONDS = 15.0
"""Instance metadata, the last place where credentials are looked for, is slow to say no."""
EARLY_SECONDS = 300.0
"""A role is assumed again this long before its credentials expire."""
_ROLE_SECONDS = 3600
_SESSION = "rollouts"
_ENDPOINT = re.compile(
    r"(?:^|\.)([a-z][a-z0-9-]*)\.[a-z]{2}(?:-[a-z]+)+-\d\.(?:amazonaws\.com(?:\.cn)?|api\.aws|on\.aws)$"
)
_SIGNING_NAMES = {
    "aps-workspaces": "aps",
    "execute-api": "execute-api",
    "lambda-url": "lambda",
    "vpc-lattice-svcs": "vpc-lattice-svcs",
    "es": "es",
    "aoss": "aoss",
}
"""Services that answer questions, by how their addresses name them. Nothing is signed for others (STS, IAM, …): whoever
may write an AnalysisTemplate must not be able to act as the controller there."""


def service_of(url: str, *, default: str) -> str:
    """The name AWS signs requests to this address by: `aps` for Managed Prometheus, `execute-api` for API Gateway."""
    found = _ENDPOINT.search(urlsplit(url).hostname or "")
    return _SIGNING_NAMES.get(found[1], default) if found else default


def region_of(given: str | None, environment: Mapping[str, str], *, where: str) -> str:
    """The region: as given, else the environment's. Raises Misconfigured."""
    region = given or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or ""
    if not re.fullmatch(r"[a-z0-9-]+", region):
        raise Misconfigured(f'{where}: "{region}" is not an AWS region; set AWS_REGION for the controller')
    return region


def endpoint(service: str, region: str, environment: Mapping[str, str], *, prefix: str) -> str:
    """Address of a service: the environment's AWS_ENDPOINT_URL_<SERVICE> or AWS_ENDPOINT_URL, else the region's."""
    own = environment.get(f"AWS_ENDPOINT_URL_{service.upper()}") or environment.get("AWS_ENDPOINT_URL")
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return own.rstrip("/") if own else f"https://{prefix}.{region}.{suffix}"


@dataclass(slots=True)
class Account:
    """Signs requests as somebody: the environment's identity or a profile's, or a role assumed with it."""

    region: str
    environment: Mapping[str, str] = field(repr=False)
    profile: str = ""
    role_arn: str = ""
    verify: bool = True
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)
    _base: AwsCredentialsProvider | None = field(default=None, repr=False)
    _role: AwsCredentials | None = field(default=None, repr=False)
    _role_until: float = 0.0

    def sign(self, *, service: str, method: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        """The headers to add to a request. `headers` are signed too. Raises ProviderError."""
        return _signature(self._credentials(), self.region, service, method, url, headers, body)

    def _credentials(self) -> AwsCredentials:
        with self._lock:
            if not self.role_arn:
                return self._found()
            if self._role is None or time.monotonic() >= self._role_until:
                self._role, self._role_until = self._assumed()
            return self._role

    def _found(self) -> AwsCredentials:
        crt = _crt()
        try:
            if self._base is None:
                named = {"profile_name": self.profile} if self.profile else {}
                chain = crt.AwsCredentialsProvider
                self._base = chain.new_profile(**named) if named else chain.new_default_chain()
            found: AwsCredentials = self._base.get_credentials().result(FIND_SECONDS)
        except Exception as error:  # the runtime has errors of its own, time-outs are futures'
            who = f"profile {self.profile}" if self.profile else "environment, service account or instance"
            raise Refused(f"AWS: no credentials found ({who}): {type(error).__name__}") from error
        return found

    def _assumed(self) -> tuple[AwsCredentials, float]:
        """Credentials of the role, and until when (monotonic seconds) to use them."""
        form = {
            "Action": "AssumeRole",
            "Version": "2011-06-15",
            "RoleArn": self.role_arn,
            "RoleSessionName": _SESSION,
            "DurationSeconds": str(_ROLE_SECONDS),
        }
        url = f"{endpoint('sts', self.region, self.environment, prefix='sts')}/"
        body = urlencode(form).encode()
        plain = {"Content-Type": "application/x-www-form-urlencoded"}
        signed = _signature(self._found(), self.region, "sts", "POST", url, plain, body)
        try:
            reply = requests.post(url, data=body, headers={**plain, **signed}, verify=self.verify, timeout=FIND_SECONDS)
        except requests.RequestException as error:
            raise Refused(f"AWS: role {self.role_arn} cannot be assumed: STS is unreachable at {url}") from error
        if not reply.ok:
            reason = _element("Message", reply.text) or f"{reply.status_code} {reply.reason}"
            raise Refused(f"AWS: role {self.role_arn} cannot be assumed: {reason[:200]}")
        return self._read(reply.text)

    def _read(self, text: str) -> tuple[AwsCredentials, float]:
        parts = [_element(name, text) for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")]
        if not all(parts):
            raise Refused(f"AWS: role {self.role_arn} cannot be assumed: STS answered without credentials")
        until = time.monotonic() + _seconds_left(_element("Expiration", text)) - EARLY_SECONDS
        return _crt().AwsCredentials(*parts), until


def _element(name: str, text: str) -> str:
    """The text of an XML element that holds nothing but text."""
    found = re.search(rf"<{name}>([^<]*)</{name}>", text)
    return found[1] if found else ""


def _seconds_left(expiration: str) -> float:
    try:
        return (datetime.fromisoformat(expiration) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return float(_ROLE_SECONDS)


def _signature(
    credentials: AwsCredentials,
    region: str,
    service: str,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
) -> dict[str, str]:
    import io

    from awscrt import auth, http

    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    given = http.HttpHeaders([("Host", parts.netloc), *headers.items()])
    request = http.HttpRequest(method, path, given, io.BytesIO(body) if body else None)
    config = auth.AwsSigningConfig(
        credentials_provider=auth.AwsCredentialsProvider.new_static(
            credentials.access_key_id, credentials.secret_access_key, credentials.session_token
        ),
        region=region,
        service=service,
    )
    try:
        auth.aws_sign_request(request, config).result(FIND_SECONDS)
    except Exception as error:  # the runtime has errors of its own
        raise ProviderError(f"AWS: the request cannot be signed: {type(error).__name__}") from error
    known = {name.lower() for name in headers} | {"host"}
    return {name: value for name, value in request.headers if name.lower() not in known}


def _crt() -> Any:
    """AWS's runtime, loaded when it is first needed: it takes some megabytes."""
    try:
        from awscrt import auth
    except ImportError as error:
        raise Unsupported("AWS: the package awscrt is not installed for this platform") from error
    return auth


@dataclass(slots=True)
class Accounts:
    """Accounts in use, so that credentials and roles are fetched once for all threads and measurements.

    `environment` is where regions and addresses are looked up.
    """

    environment: Mapping[str, str]
    _known: dict[tuple[str, str, str, bool], Account] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, *, region: str, profile: str = "", role_arn: str = "", verify: bool = True) -> Account:
        """The account for these settings."""
        with self._lock:
            key = (region, profile, role_arn, verify)
            if key not in self._known:
                self._known[key] = Account(
                    region=region, environment=self.environment, profile=profile, role_arn=role_arn, verify=verify
                )
            return self._known[key]


class SigV4Auth(AuthBase):
    """Signs requests of the `requests` library."""

    def __init__(self, *, sigv4: SigV4, accounts: Accounts, default_service: str, verify: bool) -> None:
        self._account = accounts.of(
            region=region_of(sigv4.region, accounts.environment, where="authentication.sigv4.region"),
            profile=sigv4.profile or "",
            role_arn=sigv4.role_arn or "",
            verify=verify,
        )
        self._default_service = default_service

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        url = request.url or ""
        body = request.body.encode() if isinstance(request.body, str) else request.body or b""
        kind = request.headers.get("Content-Type")
        signed = self._account.sign(
            service=service_of(url, default=self._default_service),
            method=request.method or "GET",
            url=url,
            headers={"Content-Type": str(kind)} if kind else {},
            body=body if isinstance(body, bytes) else b"",
        )
        request.headers.update(signed)
        return request
