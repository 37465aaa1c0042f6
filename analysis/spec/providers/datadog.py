"""Configuration of the Datadog provider: one query, or several combined by a formula."""

from __future__ import annotations

from typing import Literal

from analysis.spec.base import Bool, Model, StringMap


class SecretRef(Model):
    """The Secret that holds the address and the keys."""

    name: str | None = None
    """Name of the Secret."""
    namespaced: Bool | None = None
    """True: in the run's namespace. Default false: in the controller's."""


class Datadog(Model):
    """Asks Datadog. Credentials: the Secret named, else DD_* in the environment, else Secret `datadog`."""

    interval: str | None = None
    """Time the query looks back, a duration. Default `5m`."""
    query: str | None = None
    """One query; not together with `queries`."""
    queries: StringMap | None = None
    """Queries by name (v2)."""
    formula: str | None = None
    """How the named queries are combined (v2)."""
    aggregator: Literal["avg", "min", "max", "sum", "last", "percentile", "mean", "l2norm", "area"] | None = None
    """How a series becomes a number (v2). Default `last`."""
    api_version: Literal["v1", "v2"] | None = None
    """Version of Datadog's API. Default v1."""
    request_timeout: str | None = None
    """Time to wait for the answer, a duration. Default `10s`."""
    secret_ref: SecretRef | None = None
    """The Secret that holds the address and the keys."""
