"""Replica arithmetic of a canary whose traffic a router splits (argo-rollouts.md §2.2). Plain numbers in and out.

Terms: N = spec.replicas, M = the full weight, W = the weight wanted at this position.

    N=10, W=25, M=100                                    → canary 3, stable 10
    the same with dynamicStableScale, traffic at 25 yet  → canary 3, stable 8
    … while the stable still gets 90 of the traffic      → canary 3, stable 9: pods go after their traffic
    setCanaryScale {replicas: 5}                         → canary 5
    setCanaryScale {weight: 500}, M=1000                 → canary 5
    minPodsPerReplicaSet 2, N=10, W=1                    → canary 2
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

Steps = Sequence[Mapping[str, Any]]


def share(replicas: int, weight: int, *, full: int, least: int = 1) -> int:
    """Pods for a weight: rounded up, and when there are any at least `least` (but never more than N)."""
    exact = ceil(replicas * weight / full)
    return max(exact, min(least, replicas)) if exact else 0


def scale_at(steps: Steps, index: int) -> Mapping[str, Any] | None:
    """The setCanaryScale in force at a step: the last at or before it, unless it says `matchTrafficWeight`."""
    found = [step["setCanaryScale"] for step in steps[: index + 1] if step.get("setCanaryScale") is not None]
    if index >= len(steps) or not found or found[-1].get("matchTrafficWeight"):
        return None
    last: Mapping[str, Any] = found[-1]
    return last


def canary_pods(scale: Mapping[str, Any] | None, *, replicas: int, weight: int, full: int, least: int) -> int:
    """Canary pods wanted: by setCanaryScale if one is in force, else by weight."""
    if scale is not None and scale.get("replicas") is not None:
        return int(scale["replicas"])
    if scale is not None and scale.get("weight") is not None:
        return share(replicas, int(scale["weight"]), full=full, least=least)
    return share(replicas, weight, full=full, least=least)


def stable_pods(*, replicas: int, weight: int, served: int, full: int, least: int, dynamic: bool) -> int:
    """Stable pods wanted. `served`: the share of traffic the stable was last given."""
    if not dynamic:
        return replicas
    wanted = share(replicas, full - weight, full=full, least=least)
    return max(wanted, share(replicas, served, full=full, least=least))


def bearable(*, available: int, replicas: int, full: int) -> int:
    """The least canary weight so that the stable gets what its available pods can bear. N=10, 7 available: 30."""
    return full if replicas == 0 else max(full - full * available // replicas, 0)


def back(steps: Steps, *, current: int, least: int) -> int:
    """The next weight on the way back to 0 with dynamicStableScale: the lowest of the weights passed on the way up that
    the stable can bear."""
    passed = {0, *(step["setWeight"] for step in steps if isinstance(step.get("setWeight"), int))}
    return min((weight for weight in passed if least <= weight <= current), default=current)


def reached(threshold: tuple[str, int] | None, *, wanted: int, available: int) -> bool:
    """Whether enough of the canary is available. `threshold`: replicaProgressThreshold as (type, value)."""
    if threshold is None or wanted == 0:
        return available == wanted
    kind, value = threshold
    if kind == "Pods":
        return available >= min(value, wanted)
    return available * 100 >= value * wanted
