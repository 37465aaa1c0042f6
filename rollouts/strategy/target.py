"""What a strategy wants of the world now: the common shape of the answers of canary and blue/green."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from rollouts.strategy.delays import Stay
from rollouts.strategy.moves import Counts
from rollouts.strategy.services import Switch
from rollouts.strategy.traffic import Traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """`counts`: spec.replicas of every role. `deadlines`: by name of a ReplicaSet, the scale-down deadline it should
    carry; one that is not named should carry none when it is in use (`in_use`), else whatever it has. `switches`:
    Services to point elsewhere. `traffic`: what the routers are told; None without one, or when they can't be told;
    `refused`: why, when they were asked. `resizing`: pods are held, but for another N, which not all have got to, so
    ReplicaSets say for as long that they are sized for none."""

    counts: Counts
    deadlines: Mapping[str, datetime | None] = field(default_factory=dict)
    switches: tuple[Switch, ...] = ()
    traffic: Traffic | None = None
    refused: str | None = None
    again: bool = False
    resizing: bool = False

    def looks(self, now: datetime) -> list[datetime]:
        """When a delay ends, or now when the world will look different at once."""
        return [moment for moment in self.deadlines.values() if moment and moment > now] + ([now] if self.again else [])


def deadlines(names: Mapping[str, Stay]) -> dict[str, datetime | None]:
    """The deadlines of the ReplicaSets that stay, by name."""
    return {name: stay.deadline for name, stay in names.items()}
