"""Everything decided for one Rollout, before it is put into writes, status and events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rollouts.strategy.commands import Intent
from rollouts.strategy.course import Course
from rollouts.strategy.recorded import Recorded
from rollouts.strategy.restart import Restart
from rollouts.strategy.revisions import Revisions
from rollouts.strategy.runs import RunKind
from rollouts.strategy.situation import Situation
from rollouts.strategy.snapshot import ReplicaSet, Run
from rollouts.strategy.target import Target
from rollouts.strategy.trials import CurrentTrial
from rollouts.strategy.wants import Wants

JSON = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Abort:
    """An abort in force. `message`: the whole sentence; `fresh`: decided now; `by_person`: somebody asked for it."""

    message: str
    fresh: bool
    by_person: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentRun:
    """An AnalysisRun the Rollout looks at. `create`: its spec, when it is to be created now (`run` is None then)."""

    kind: RunKind
    name: str
    step: int | None
    run: Run | None
    create: JSON | None = None
    metadata: JSON | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The outcome of all stages. `trial`: the Experiment of the step it is at. `promote`: why new becomes stable now,
    else None."""

    at: Situation
    course: Course
    target: Target
    current_runs: tuple[CurrentRun, ...] = ()
    trial: CurrentTrial | None = None
    abort: Abort | None = None
    promote: str | None = None
    restart: Restart = field(default_factory=Restart)

    @property
    def rollout(self) -> JSON:
        """The object itself."""
        return self.at.snapshot.rollout

    @property
    def now(self) -> datetime:
        """The time of the decision."""
        return self.at.now

    @property
    def wants(self) -> Wants:
        """The spec."""
        return self.at.wants

    @property
    def recorded(self) -> Recorded:
        """The status so far."""
        return self.at.recorded

    @property
    def revisions(self) -> Revisions:
        """The ReplicaSets in their roles before this decision."""
        return self.at.revisions

    @property
    def intent(self) -> Intent:
        """What people asked for."""
        return self.at.intent

    @property
    def stable_hash(self) -> str:
        """status.stableRS after this decision."""
        return self.revisions.hash if self.promote else self.recorded.stable_hash

    @property
    def in_progress(self) -> bool:
        """Whether an update is under way after this decision."""
        return self.stable_hash != self.revisions.hash and self.abort is None

    @property
    def rolls_back(self) -> bool:
        """The template went back to that of the stable ReplicaSet."""
        return self.at.promoted and self.revisions.updated

    def target_of(self, rs: ReplicaSet) -> int:
        """spec.replicas this ReplicaSet gets."""
        counts, revisions = self.target.counts, self.revisions
        if revisions.new is not None and rs.name == revisions.new.name:
            return counts.new
        if revisions.stable is not None and rs.name == revisions.stable.name:
            return counts.stable
        return counts.others[revisions.others.index(rs)]
