"""Decides for one Rollout, purely: `decide(snapshot, now) -> Plan`.

The stages, each a pure function on frozen values and each useful by itself (docs/architecture/strategy.md):

    identify (revisions.py) → heed (commands.py) → course (course.py, steps/) → target (canary.py)
        → moves (moves.py) → report (report.py, conditions.py, phase.py)
"""

from rollouts.strategy.decide import decide
from rollouts.strategy.restart import pending as needs_pods
from rollouts.strategy.snapshot import Snapshot

__all__ = ["Snapshot", "decide", "needs_pods"]
