"""Arguments of a template, and the two lists that refer to metrics by name.

An argument is a name with a value, or with a place to fetch the value from. In a template an argument may have
neither: then whoever uses the template must give one. A metric refers to it as `{{args.name}}`.
"""

from __future__ import annotations

from analysis.spec.base import Int32, Model


class SecretKeyRef(Model):
    """One key of a Secret in the run's namespace. Read at each measurement; never stored in a status."""

    name: str
    """Name of the Secret."""
    key: str
    """Key within the Secret's data."""


class FieldRef(Model):
    """One field of the object that starts the run."""

    field_path: str
    """Path of the field, dotted, with quoted keys in brackets: `metadata.labels['app']`."""


class ValueFrom(Model):
    """Where an argument's value is fetched from: exactly one of the fields."""

    secret_key_ref: SecretKeyRef | None = None
    """A key of a Secret."""
    field_ref: FieldRef | None = None
    """A field of the Rollout that starts the run."""


class Argument(Model):
    """One argument of a template or a run."""

    name: str
    """Name, used in metrics as `{{args.<name>}}`."""
    value: str | None = None
    """The value, a string. Unset in a template: whoever uses the template must give it."""
    value_from: ValueFrom | None = None
    """Where to fetch the value instead of writing it here."""


class DryRun(Model):
    """Metrics which are measured and shown but never decide the run."""

    metric_name: str
    """Name of the metric, or a regular expression that is found in names; `.*` means all."""


class MeasurementRetention(Model):
    """How many measurements of a metric are kept in the status."""

    metric_name: str
    """Name of the metric, or a regular expression that is found in names."""
    limit: Int32
    """Measurements kept, newest last. Default without an entry: 10."""
