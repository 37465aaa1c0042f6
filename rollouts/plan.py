"""A plan: what a decider wants done, as data.

Deciders (`strategy`, later `experiments`, `gitops`) are pure: frozen snapshot and time in, `Plan` out. The engine's
writer is the only thing that carries a plan out, in this order:

1. `writes`, one request each, in order;
2. `status`, one merge patch of only the changed keys on the object the plan is about, guarded by the
   resourceVersion the plan was made on (or the one a preceding patch of the same object returned);
3. `events`, posted apart, best effort.

A conflict or a failed request ends the execution; the key is planned again from fresh state. Every prefix of the
writes must therefore be safe to stop at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rollouts.api.kinds import Kind

JSON = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Create:
    """Create an object. That it exists already is success when its controller owner is the same, else a conflict."""

    kind: Kind
    namespace: str
    body: JSON


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """A JSON merge patch. `resource_version`, when given, is sent along: a newer object gives a conflict."""

    kind: Kind
    namespace: str
    name: str
    body: JSON
    resource_version: str | None = None
    subresource: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete:
    """Delete an object of exactly this uid; that it is gone already is success."""

    kind: Kind
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evict:
    """Evict a pod of exactly this uid through the eviction API; that it is gone already is success. A refusal by a
    PodDisruptionBudget (429) is not an error: the key is looked at again after 30 s."""

    namespace: str
    name: str
    uid: str


Write = Create | Patch | Delete | Evict


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event on the object the plan is about. `type` is `Normal` or `Warning`."""

    reason: str
    message: str
    type: str = "Normal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What should happen now, and when to look again (`requeue_after`, seconds; None: only when something changes)."""

    writes: tuple[Write, ...] = ()
    status: JSON = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    requeue_after: float | None = None

    @property
    def empty(self) -> bool:
        """Nothing to write."""
        return not self.writes and not self.status
