"""The metadata every Kubernetes object has, and the small shapes several kinds share.

Only what this project reads is modelled; the rest of an object's metadata is the API server's business and ignored.
"""

from __future__ import annotations

from typing import Literal

from analysis.spec.base import Bool, Int64, Model, StatusModel, StringMap, Text, Time


class OwnerReference(StatusModel):
    """A pointer to an object this one depends on."""

    api_version: str | None = None
    """Group and version of the owner."""
    kind: str | None = None
    """Kind of the owner."""
    name: str | None = None
    """Name of the owner."""
    uid: str | None = None
    """Uid of the owner."""
    controller: Bool | None = None
    """True for the one owner that manages the object."""


class ObjectMeta(StatusModel):
    """Name, labels and bookkeeping of an object."""

    name: str | None = None
    """Name, unique per namespace and kind."""
    generate_name: str | None = None
    """Prefix for a name the API server makes up."""
    namespace: str | None = None
    """Namespace."""
    uid: str | None = None
    """Identity: differs for an object deleted and created again."""
    generation: Int64 | None = None
    """Counts changes of the spec."""
    resource_version: Text | None = None
    """Version of the whole object, for optimistic locking."""
    labels: StringMap | None = None
    """Labels."""
    annotations: StringMap | None = None
    """Annotations."""
    creation_timestamp: Time | None = None
    """When it was created."""
    deletion_timestamp: Time | None = None
    """When deletion was asked for; unset for an object that stays."""
    owner_references: list[OwnerReference] | None = None
    """Objects this one depends on."""

    @property
    def controller_uid(self) -> str | None:
        """Uid of the owner that manages the object."""
        return next((owner.uid for owner in self.owner_references or () if owner.controller), None)


class LabelSelectorRequirement(Model):
    """One expression of a selector."""

    key: str
    """Label the expression is about."""
    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """How the label's value relates to `values`."""
    values: list[str] | None = None
    """Values, for In and NotIn."""


class LabelSelector(Model):
    """Picks objects by their labels; all parts must hold."""

    match_labels: StringMap | None = None
    """Labels with exactly these values."""
    match_expressions: list[LabelSelectorRequirement] | None = None
    """Further expressions."""


class PodMetadata(Model):
    """Labels and annotations to put on pods or runs."""

    labels: StringMap | None = None
    """Labels to add."""
    annotations: StringMap | None = None
    """Annotations to add."""


class Condition(StatusModel):
    """One aspect of an object's state."""

    type: str
    """Which aspect, such as Available or Progressing."""
    status: str
    """True, False or Unknown."""
    last_update_time: Time | None = None
    """When it was last confirmed."""
    last_transition_time: Time | None = None
    """When its status last changed."""
    reason: str | None = None
    """Why, in one word."""
    message: str | None = None
    """Why, in a sentence."""
