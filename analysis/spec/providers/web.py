"""Configuration of the web provider: an HTTP request whose JSON answer is measured."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from analysis.spec.base import Bool, Int64, Model, Opaque
from analysis.spec.providers.authentication import Authentication, Header


class Web(Model):
    """Sends an HTTP request. An answer that is not 2xx is an error."""

    url: str
    """URL to ask."""
    method: Literal["GET", "POST", "PUT"] | None = None
    """HTTP method. Default GET."""
    headers: list[Header] | None = None
    """Headers added to the request."""
    body: str | None = None
    """Body as text; not with a GET, and not together with jsonBody."""
    json_body: Annotated[dict[str, Any], Opaque()] | None = None
    """Body as JSON; the content type is set."""
    timeout_seconds: Int64 | None = None
    """Seconds to wait for the answer. Default 10."""
    json_path: str | None = None
    """JSONPath of the value in the answer, such as `{$.data.ok}`. Default: the whole answer."""
    insecure: Bool | None = None
    """True: the server's certificate is not verified. Default false."""
    authentication: Authentication | None = None
    """How to authenticate. Default: not at all."""
