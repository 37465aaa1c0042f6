"""Routers that can't do as they are told: the condition TrafficFailure, and the peer's events about it.

    TrafficRoutingError    a weight can't be told (an object is missing, a route is not there); traffic stays as it is
    WeightVerifyError      it was told, but whether it is served can't be found out; nothing is built on it

The condition is the memory that makes the event come once: not at every look, and not again after a restart. While the
routers are not asked at all, because the stable pods can't bear the weight, nobody knows, and it stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rollouts.plan import Event
from rollouts.strategy import conditions
from rollouts.strategy.conditions import Condition
from rollouts.strategy.decision import Decision

ROUTING: Final = "TrafficRoutingError"
VERIFYING: Final = "WeightVerifyError"


def condition(decision: Decision) -> Condition | None:
    """What to say of the routers now; None when there is nothing to complain of, or nobody knows."""
    target = decision.target
    if target.refused:
        return conditions.traffic_failure(ROUTING, target.refused)
    if target.traffic is not None and target.traffic.unverifiable:
        return conditions.traffic_failure(VERIFYING, f"Failed to verify weight: {target.traffic.unverifiable}")
    return None


def over(decision: Decision) -> bool:
    """Whether a fault told earlier is none any more: all went well, or there are no routers now."""
    return decision.wants.routed is None or (decision.target.traffic is not None and condition(decision) is None)


def events(decision: Decision) -> Iterator[Event]:
    """The event for a fault that the status does not tell of yet."""
    now, before = condition(decision), decision.recorded.condition(conditions.TRAFFIC_FAILURE) or {}
    if now is not None and (now.reason, now.message) != (before.get("reason"), before.get("message")):
        yield Event(reason=now.reason, message=now.message, type="Warning")
