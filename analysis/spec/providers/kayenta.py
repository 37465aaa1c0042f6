"""Configuration of the Kayenta provider: Spinnaker's judge compares a control and an experiment scope."""

from __future__ import annotations

from pydantic import Field

from analysis.spec.base import Bool, Int64, Model


class Threshold(Model):
    """Scores, 0 to 100, at which the judge's verdict counts."""

    marginal: Int64
    """Least score that is not a failure."""
    pass_: Int64 = Field(alias="pass")
    """Least score that is a success."""


class ScopeDetail(Model):
    """Where and when one side's metrics are taken from."""

    scope: str
    """Scope, such as the name of a cluster or application."""
    region: str
    """Region of the scope."""
    step: Int64
    """Resolution in seconds."""
    start: str | None = None
    """Beginning, RFC 3339. Unset on both sides: the run's with `lookback`, else one interval ago."""
    end: str | None = None
    """End, RFC 3339. Unset on both sides: the time of the measurement."""


class Scope(Model):
    """A pair of scopes to compare."""

    name: str
    """Name of the pair in the canary configuration."""
    control_scope: ScopeDetail
    """The stable side."""
    experiment_scope: ScopeDetail
    """The canary side."""


class Kayenta(Model):
    """Starts a Kayenta analysis and waits for its score."""

    address: str
    """URL of Kayenta."""
    application: str
    """Application the analysis belongs to."""
    canary_config_name: str
    """Name of the canary configuration."""
    metrics_account_name: str
    """Account for reading metrics."""
    configuration_account_name: str
    """Account for reading the configuration."""
    storage_account_name: str
    """Account for storing results."""
    lookback: Bool | None = None
    """True: scopes without a `start` begin with the run, so each measurement sees all of it. Default false: they begin
    one `interval` before the measurement."""
    threshold: Threshold
    """Scores that count."""
    scopes: list[Scope]
    """Pairs of scopes to compare."""
