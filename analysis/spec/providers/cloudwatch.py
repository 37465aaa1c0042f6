"""Configuration of the CloudWatch provider: one GetMetricData request."""

from __future__ import annotations

from analysis.spec.base import Bool, IntOrString, Model


class Dimension(Model):
    """One dimension of a metric."""

    name: str | None = None
    """Name of the dimension."""
    value: str | None = None
    """Value of the dimension."""


class MetricStatMetric(Model):
    """Which metric."""

    dimensions: list[Dimension] | None = None
    """Dimensions that pick the metric."""
    metric_name: str | None = None
    """Name of the metric."""
    namespace: str | None = None
    """CloudWatch namespace of the metric."""


class MetricStat(Model):
    """A statistic of a metric."""

    metric: MetricStatMetric | None = None
    """Which metric."""
    period: IntOrString | None = None
    """Granularity in seconds."""
    stat: str | None = None
    """Statistic, such as `Sum` or `p99`."""
    unit: str | None = None
    """Unit of the data points."""


class MetricDataQuery(Model):
    """One query of the request: an expression or a statistic."""

    id: str | None = None
    """Name of the query, usable in expressions of others."""
    expression: str | None = None
    """Metric math."""
    label: str | None = None
    """Label of the result."""
    metric_stat: MetricStat | None = None
    """A statistic of a metric."""
    period: IntOrString | None = None
    """Granularity in seconds."""
    return_data: Bool | None = None
    """False: used by other queries only. Default true."""


class CloudWatch(Model):
    """Asks CloudWatch; the result is the list of MetricDataResults."""

    interval: str | None = None
    """Time the queries look back, a duration. Default `5m`."""
    metric_data_queries: list[MetricDataQuery]
    """The queries."""
