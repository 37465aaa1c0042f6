"""Which old ReplicaSets are beyond `revisionHistoryLimit`: only empty ones, oldest first."""

from __future__ import annotations

from collections.abc import Sequence

from rollouts.strategy.snapshot import ReplicaSet


def beyond_limit(others: Sequence[ReplicaSet], *, limit: int) -> tuple[ReplicaSet, ...]:
    """ReplicaSets to delete. `others` come newest revision first."""
    settled = [rs for rs in others if _empty(rs)]
    surplus = len(others) - limit
    return tuple(reversed(settled))[:surplus] if surplus > 0 else ()


def _empty(rs: ReplicaSet) -> bool:
    return rs.replicas == 0 and rs.current == 0 and rs.settled and not rs.raw["metadata"].get("deletionTimestamp")
