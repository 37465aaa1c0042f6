"""Where a Rollout is, before anything is decided: what the stages `recall`, `identify` and `heed` found, in one value.

Both strategies work on it; so do the simulator and the pages.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rollouts.strategy import plugins, window
from rollouts.strategy.commands import Intent
from rollouts.strategy.recorded import Recorded
from rollouts.strategy.revisions import Revisions
from rollouts.strategy.runs import Attempt
from rollouts.strategy.snapshot import JSON, ReplicaSet, Run, Snapshot
from rollouts.strategy.wants import Wants
from rollouts.traffic import Routers


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """`first`: nothing was ever stable; `promoted`: what is new is stable already; `attempt`: the AnalysisRuns of the
    update under way; `runs`: all of this Rollout."""

    snapshot: Snapshot
    now: datetime
    wants: Wants
    recorded: Recorded
    revisions: Revisions
    intent: Intent
    attempt: Attempt
    runs: tuple[Run, ...]
    routers: Routers

    @property
    def first(self) -> bool:
        """Nothing was ever stable."""
        return not self.recorded.stable_hash

    @property
    def promoted(self) -> bool:
        """What is new is stable already."""
        return not self.first and self.recorded.stable_hash == self.revisions.hash

    @property
    def alone(self) -> bool:
        """The stable ReplicaSet was deleted: the new one is all there is, whatever is thought of it."""
        return not self.first and self.revisions.stable is None

    @property
    def least(self) -> int:
        """Pods a new ReplicaSet is made with while somebody holds the Rollout: all, when it is the stable one again."""
        return self.wants.limits.replicas if self.promoted else 0

    @property
    def begins(self) -> bool:
        """An attempt begins now: no run and no Experiment made before counts."""
        return self.first or self.intent.reset or self.intent.retry

    @property
    def underway(self) -> bool:
        """There is an update that may go on."""
        return not self.first and not self.promoted and not self.intent.abort

    @property
    def fast(self) -> str | None:
        """Why steps and analyses are skipped: a full promotion was asked for, or it goes back to what was proven
        lately; None in the ordinary case."""
        if self.intent.promote_full:
            return "Full promotion requested"
        return window.reason(self.revisions, self.wants, now=self.now)

    @property
    def plugins(self) -> tuple[JSON, ...]:
        """What step plugins have said in this attempt, the answer just given among it."""
        if self.intent.reset or self.intent.retry:
            return ()
        return plugins.taken_in(plugins.recorded(self.recorded.raw), self.snapshot.plugin, now=self.now)

    @property
    def checkpoint(self) -> bool:
        """Blue/green: the pause before the switch was over before this decision."""
        return self.recorded.checkpoint and not self.intent.reset and not self.intent.retry

    @property
    def rescaled(self) -> bool:
        """`spec.replicas` is another than the ReplicaSets were last sized for; one that does not say for how many is
        half-way. One without pods has no say, unless none has any: then they were scaled to 0, and come back even
        while somebody holds the Rollout. The stable one of a blue/green Rollout always has all its pods."""
        stable = self.revisions.distinct_stable
        both = [rs for rs in (self.revisions.new, stable) if rs]
        in_full = stable if self.wants.blue_green and self.wants.limits.replicas else None
        sized = [rs for rs in both if rs.replicas or rs is in_full] or ([] if self.first else both)
        return any(rs.desired != self.wants.limits.replicas for rs in sized)

    def labelled(self, hash_: str) -> ReplicaSet | None:
        """The ReplicaSet with this hash."""
        return next((rs for rs in self.revisions.all if rs.hash == hash_), None) if hash_ else None
