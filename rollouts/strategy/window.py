"""Fast rollbacks (argo-rollouts.md §2.6): what was proven lately needs no steps and no analysis.

* Blue/green: the target still has its pods, because the delay after its own replacement is not over.
* `rollbackWindow.revisions: n`: the target is older than the stable ReplicaSet, and fewer than n others came between.

Going back to the stable ReplicaSet itself needs no rule: then nothing is under way any more.
"""

from __future__ import annotations

from datetime import datetime

from rollouts.strategy.revisions import Revisions
from rollouts.strategy.wants import Wants

WINDOW = "Rollback within window"
FAST = "Fast rollback"


def reason(revisions: Revisions, wants: Wants, *, now: datetime) -> str | None:
    """Why the update under way is a fast rollback; None when it is none."""
    if revisions.new is None or revisions.distinct_stable is None:
        return None
    if _within_window(revisions, wants.rollback_window):
        return WINDOW
    deadline = revisions.new.deadline
    waiting = deadline is not None and deadline > now and goes_back(revisions)
    return FAST if wants.blue_green and waiting and revisions.new.replicas else None


def goes_back(revisions: Revisions) -> bool:
    """Whether what is new is older than what is stable; an aborted preview is younger, and was never proven."""
    return bool(revisions.new and revisions.stable and revisions.new.older_than(revisions.stable))


def _within_window(revisions: Revisions, window: int) -> bool:
    new, stable = revisions.new, revisions.stable
    if not window or new is None or stable is None or not goes_back(revisions):
        return False
    between = [rs for rs in revisions.others if new.older_than(rs) and rs.older_than(stable)]
    return len(between) < window
