"""Traffic routers, one file each: the wanted split of a Rollout's traffic in, writes on the router's objects out. Pure.

A new router: write its file with the skeleton of `base.Router`, add its row to `ROUTERS`. Which weight is wanted, and
when, is decided by `rollouts.strategy.canary.weights`; a router only says how its objects express it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rollouts.api.loose import mapping
from rollouts.traffic.base import Destination, Reference, Router, Routing, Split

__all__ = ["ROUTERS", "Destination", "Reference", "Router", "Routers", "Routing", "Split", "references"]

Routers = Mapping[str, Router]

ROUTERS: Final[Routers] = {}


def references(rollout: Mapping[str, Any], routers: Routers) -> tuple[Reference, ...]:
    """What the routers a Rollout names read."""
    strategy = mapping(mapping(rollout.get("spec")).get("strategy"))
    routing = mapping(mapping(strategy.get("canary")).get("trafficRouting"))
    blocks = [(router, routing.get(key)) for key, router in routers.items()]
    try:
        named = [router.references(block, rollout=rollout) for router, block in blocks if isinstance(block, Mapping)]
        return tuple(reference for references in named for reference in references)
    except (AttributeError, KeyError, TypeError, ValueError):  # asked before anybody has validated: that will complain
        return ()
