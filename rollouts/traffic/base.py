"""What every traffic router answers: which objects it needs, and what must be written for a split.

    strategy.canary.weights ──► Split ──► Router.route(objects) ──► writes, verified?

Weights are integers out of `Split.full` (100 unless maxTrafficWeight says otherwise). Routers are pure: they see the
objects they named as the API server has them, and answer with patches only where those differ from what is wanted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from rollouts.api.kinds import Kind
from rollouts.plan import Event, Write

JSON = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a share of the traffic goes: a Service (may be empty for subset routing), the pods' hash, the share."""

    service: str
    hash: str
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """The traffic of one Rollout as it should be now.

    `additional`: experiments, taken from the stable share. `header_routes` and `mirror_routes`: the steps' own blocks
    (`{name, match}`, `{name, match, percentage}`) that are in force; a managed route not named here must not exist.
    """

    canary: Destination
    stable: Destination
    additional: tuple[Destination, ...] = ()
    full: int = 100
    header_routes: tuple[JSON, ...] = ()
    mirror_routes: tuple[JSON, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An object of the Rollout's namespace (or of `namespace`) that a router reads."""

    kind: Kind
    name: str
    namespace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing:
    """A router's answer. `verified`: whether the data plane serves the split by now; None when it can't be known.
    `problem`: why nothing can be written (an object is missing, a route is not there). `unverifiable`: what kept it
    from finding out whether the split is served; `verified` is False then, so nothing is built on it."""

    writes: tuple[Write, ...] = ()
    verified: bool | None = None
    problem: str | None = None
    unverifiable: str | None = None
    events: tuple[Event, ...] = ()


class Router(Protocol):
    """One way to split traffic. `key` is its field in `trafficRouting`, `kinds` what the engine watches for it."""

    key: str
    kinds: tuple[Kind, ...]

    def references(self, block: JSON, *, rollout: JSON) -> tuple[Reference, ...]:
        """The objects named by `trafficRouting.<key>`, and those of the router's own, named after the Rollout."""
        ...

    def route(self, block: JSON, *, rollout: JSON, split: Split, objects: Mapping[Reference, JSON]) -> Routing:
        """What must be written so that the objects express the split. `objects` holds only those that exist."""
        ...
