"""Configuration of the providers that take little more than a query.

Graphite, InfluxDB, New Relic, SkyWalking and Wavefront: an address or a profile (the name of a Secret), and a query.
"""

from __future__ import annotations

from analysis.spec.base import Int64, Model


class Graphite(Model):
    """Asks Graphite's render API."""

    address: str | None = None
    """URL of the server."""
    query: str | None = None
    """What stands after `/render?`, such as `target=a.b&from=-5min`; without `target=`, the target itself."""


class InfluxDB(Model):
    """Asks InfluxDB."""

    profile: str | None = None
    """Secret with the account, in the controller's namespace. Default `influxdb`."""
    query: str | None = None
    """Flux query."""


class NewRelic(Model):
    """Asks New Relic."""

    profile: str | None = None
    """Secret with the account, in the controller's namespace. Default `newrelic`."""
    query: str
    """NRQL query."""
    timeout: Int64 | None = None
    """Seconds to wait for the answer. Default 5."""


class SkyWalking(Model):
    """Asks Apache SkyWalking."""

    address: str | None = None
    """URL of the server."""
    query: str | None = None
    """GraphQL query; `$duration` spans the interval."""
    interval: str | None = None
    """Time the query looks back, a duration. Default `5m`."""


class Wavefront(Model):
    """Asks Wavefront."""

    address: str | None = None
    """Address of the server; its token is in Secret `wavefront-api-tokens` under this key."""
    query: str | None = None
    """Wavefront query."""
