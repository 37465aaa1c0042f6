"""Phase and message (§1.15): exactly Healthy, Degraded, Progressing, Paused; a table, first hit wins."""

from __future__ import annotations

from dataclasses import dataclass

from rollouts.strategy import conditions
from rollouts.strategy.conditions import Condition
from rollouts.strategy.recorded import Pause


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What phase and message follow from. Counts are pods. `unfinished`: what is to do once they are there.
    `obstacle`: what keeps traffic from moving."""

    progressing: Condition | None
    paused: bool
    pauses: tuple[Pause, ...]
    restarting: bool
    wanted: int
    updated: int
    available: int
    unfinished: str
    obstacle: str = ""


def phase(at: Standing) -> tuple[str, str]:
    """(phase, message)."""
    reason = at.progressing.reason if at.progressing else ""
    failed = reason in {conditions.ABORTED, conditions.TIMED_OUT}
    rows = (
        (failed, "Degraded", f"{reason}: {at.progressing.message if at.progressing else ''}"),
        (at.paused, "Paused", "manually paused"),
        (bool(at.pauses), "Paused", at.pauses[0].reason if at.pauses else ""),
        (at.restarting, "Progressing", "rollout is restarting"),
        (bool(at.obstacle), "Progressing", at.obstacle),
        (at.updated < at.wanted, "Progressing", "more replicas need to be updated"),
        (at.available < at.updated, "Progressing", "updated replicas are still becoming available"),
        (bool(at.unfinished), "Progressing", at.unfinished),
    )
    return next(((name, message) for applies, name, message in rows if applies), ("Healthy", ""))
