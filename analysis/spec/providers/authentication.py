"""How a provider proves who it is, and extra headers: shared by the Prometheus and web providers.

Every text may hold `{{args.name}}`, so that secrets come from arguments with a `secretKeyRef`.
"""

from __future__ import annotations

from analysis.spec.base import Model


class SigV4(Model):
    """AWS request signing (Amazon Managed Prometheus)."""

    region: str | None = None
    """AWS region. Default: the environment's."""
    profile: str | None = None
    """AWS profile. Default: the environment's."""
    role_arn: str | None = None
    """Role to assume."""


class OAuth2(Model):
    """OAuth 2.0 client credentials: a token is fetched before the request."""

    token_url: str | None = None
    """URL that issues tokens."""
    client_id: str | None = None
    """Client id."""
    client_secret: str | None = None
    """Client secret; use an argument with a secretKeyRef."""
    scopes: list[str] | None = None
    """Scopes asked for."""


class BasicAuth(Model):
    """User name and password in the Authorization header."""

    username: str | None = None
    """User name."""
    password: str | None = None
    """Password; use an argument with a secretKeyRef."""


class Authentication(Model):
    """One way of authentication: exactly one key."""

    sigv4: SigV4 | None = None
    """AWS request signing."""
    oauth2: OAuth2 | None = None
    """OAuth 2.0 client credentials."""
    basic_auth: BasicAuth | None = None
    """User name and password."""


class Header(Model):
    """One request header."""

    key: str
    """Name of the header."""
    value: str
    """Value of the header."""
