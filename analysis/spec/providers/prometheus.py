"""Configuration of the Prometheus provider: a PromQL query, at one moment or over a range."""

from __future__ import annotations

from analysis.spec.base import Bool, Int64, Model
from analysis.spec.providers.authentication import Authentication, Header


class RangeQuery(Model):
    """The range of a range query. Times are expressions, such as `now() - duration("5m")`."""

    start: str | None = None
    """Expression for the beginning."""
    end: str | None = None
    """Expression for the end."""
    step: str | None = None
    """Resolution, a duration such as `1m`."""


class Prometheus(Model):
    """Asks a Prometheus server. A scalar gives a number, a vector a list of numbers."""

    address: str | None = None
    """URL of the server. Default: the controller's environment variable ARGO_ROLLOUTS_PROMETHEUS_ADDRESS."""
    query: str | None = None
    """PromQL."""
    range_query: RangeQuery | None = None
    """Asks over a range instead of at one moment."""
    authentication: Authentication | None = None
    """How to authenticate. Default: not at all."""
    timeout: Int64 | None = None
    """Seconds to wait for the answer. Default 30."""
    insecure: Bool | None = None
    """True: the server's certificate is not verified. Default false."""
    headers: list[Header] | None = None
    """Headers added to the request."""
