"""Decides for one Rollout, purely: `decide(snapshot, now) -> Plan`.

The stages, each a pure function on frozen values and each useful by itself (docs/architecture/strategy.md):

    identify (revisions.py) → heed (commands.py) → course, target (canary/, bluegreen/, steps/)
        → moves (moves.py) → report (report.py, conditions.py, phase.py)
"""

from rollouts.strategy import ephemeral, restart
from rollouts.strategy.decide import decide
from rollouts.strategy.snapshot import Snapshot

__all__ = ["Snapshot", "decide", "needs_pods"]


def needs_pods(snapshot: Snapshot) -> bool:
    """Whether this Rollout's pods must be listed before it is decided about; most of the time they need not."""
    return restart.pending(snapshot.rollout) or ephemeral.pending(snapshot.replica_sets)
