"""Configuration of the metric providers; `Provider` holds exactly one of them.

Only the shape is here. Asking is done by `analysis.providers`, one file per provider there.
"""

from __future__ import annotations

from typing import Annotated, Any

from analysis.spec.base import Model, Opaque
from analysis.spec.providers.cloudwatch import CloudWatch
from analysis.spec.providers.datadog import Datadog
from analysis.spec.providers.job import Job
from analysis.spec.providers.kayenta import Kayenta
from analysis.spec.providers.prometheus import Prometheus
from analysis.spec.providers.queries import Graphite, InfluxDB, NewRelic, SkyWalking, Wavefront
from analysis.spec.providers.web import Web


class Provider(Model):
    """The system that is asked: exactly one key."""

    prometheus: Prometheus | None = None
    """A Prometheus server."""
    web: Web | None = None
    """Any HTTP service with JSON answers."""
    job: Job | None = None
    """A Kubernetes Job."""
    kayenta: Kayenta | None = None
    """Spinnaker's canary judge."""
    datadog: Datadog | None = None
    """Datadog."""
    new_relic: NewRelic | None = None
    """New Relic."""
    wavefront: Wavefront | None = None
    """Wavefront."""
    cloud_watch: CloudWatch | None = None
    """Amazon CloudWatch."""
    graphite: Graphite | None = None
    """Graphite."""
    influxdb: InfluxDB | None = None
    """InfluxDB."""
    skywalking: SkyWalking | None = None
    """Apache SkyWalking."""
    plugin: Annotated[dict[str, Any], Opaque()] | None = None
    """Plugins by name, each with its own configuration."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """The keys that are set, in the API's spelling (`("prometheus",)`); a valid provider has exactly one."""
        fields = type(self).model_fields
        return tuple(str(field.alias) for name, field in fields.items() if getattr(self, name) is not None)

    @property
    def configuration(self) -> Any:
        """What stands under the first key that is set; None without any."""
        values = (getattr(self, name) for name in type(self).model_fields)
        return next((value for value in values if value is not None), None)


__all__ = [
    "CloudWatch",
    "Datadog",
    "Graphite",
    "InfluxDB",
    "Job",
    "Kayenta",
    "NewRelic",
    "Prometheus",
    "Provider",
    "SkyWalking",
    "Wavefront",
    "Web",
]
