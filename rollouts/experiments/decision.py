"""Everything decided for one Experiment, before it is put into writes, status and events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rollouts.api.experiment import Experiment
from rollouts.experiments.course import Course
from rollouts.experiments.looks import Look
from rollouts.experiments.recorded import Recorded
from rollouts.experiments.retire import Leave
from rollouts.experiments.snapshot import Snapshot

JSON = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The outcome of all stages. `leaves`: the templates that are over, each with the pods it keeps for now. `now` is
    in whole seconds."""

    snapshot: Snapshot
    model: Experiment
    now: datetime
    recorded: Recorded
    course: Course
    leaves: tuple[tuple[Look, Leave], ...]

    @property
    def experiment(self) -> JSON:
        """The object."""
        return self.snapshot.experiment

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.experiment["metadata"]["name"])

    @property
    def wanted(self) -> tuple[Look, ...]:
        """Templates whose pods are to be kept up."""
        return tuple(each for each in self.course.looks if not each.final)

    @property
    def served(self) -> tuple[Look, ...]:
        """Templates whose Service, if they ask for one, stays: while there are pods to find."""
        leaving = tuple(each for each, leave in self.leaves if leave.replicas)
        return tuple(each for each in (*self.wanted, *leaving) if each.service is not None)
