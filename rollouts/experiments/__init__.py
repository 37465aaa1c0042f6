"""Deciding for one Experiment: several ReplicaSets side by side for a while, judged by analyses. Pure.

`decide(snapshot, now) -> Plan`, in the manner of `rollouts.strategy`; how it hangs together:
docs/architecture/experiments.md.
"""

from rollouts.experiments.decide import decide
from rollouts.experiments.snapshot import Snapshot

__all__ = ["Snapshot", "decide"]
