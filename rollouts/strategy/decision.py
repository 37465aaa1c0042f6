"""Everything decided for one canary, before it is put into writes, status and events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rollouts.strategy.commands import Intent
from rollouts.strategy.course import Course
from rollouts.strategy.moves import Counts
from rollouts.strategy.recorded import Recorded
from rollouts.strategy.restart import Restart
from rollouts.strategy.revisions import Revisions
from rollouts.strategy.runs import RunKind
from rollouts.strategy.snapshot import ReplicaSet, Run
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
    """The outcome of all stages. `first`: nothing was ever stable; `promoted`: new was stable before this decision;
    `promote`: why new becomes stable now, else None."""

    rollout: JSON
    now: datetime
    wants: Wants
    recorded: Recorded
    revisions: Revisions
    intent: Intent
    course: Course
    counts: Counts
    runs: tuple[Run, ...]
    current_runs: tuple[CurrentRun, ...]
    first: bool
    promoted: bool
    abort: Abort | None = None
    promote: str | None = None
    restart: Restart = field(default_factory=Restart)

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
        return self.promoted and self.intent.reset

    def target_of(self, rs: ReplicaSet) -> int:
        """spec.replicas this ReplicaSet gets."""
        if self.revisions.new is not None and rs.name == self.revisions.new.name:
            return self.counts.new
        if self.revisions.stable is not None and rs.name == self.revisions.stable.name:
            return self.counts.stable
        return self.counts.others[self.revisions.others.index(rs)]
