"""What every kind of canary step answers: whether it is done, and if not, what holds it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rollouts.strategy.recorded import Pause
from rollouts.strategy.snapshot import Run, Trial

JSON = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Why a Rollout waits, as data: shown by kubectl, the pages and the simulator. `until`: when it ends by itself.
    `patient`: it may take its time, so the progress deadline does not count."""

    kind: str
    reason: str
    since: datetime | None = None
    until: datetime | None = None
    patient: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What a step sees. `value` is the step's own block as written; `run` the current AnalysisRun of this step, `trial`
    its Experiment, `plugin` what its plugin said last; `obstacle(weight)`: why traffic can't have that weight yet, None
    when it can (always, without a router)."""

    now: datetime
    index: int
    value: Any
    at_desired: bool
    pauses: tuple[Pause, ...]
    controller_pause: bool
    run: Run | None = None
    obstacle: Callable[[int], str | None] = lambda _weight: None
    trial: Trial | None = None
    plugin: JSON | None = None

    @property
    def resumed(self) -> bool:
        """Somebody cleared the pause the controller had made."""
        return self.controller_pause and not self.pauses


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A step's answer. `pauses` replaces the pause conditions; `abort` is the reason to abort; `measure` asks for a
    new AnalysisRun, or for an Experiment."""

    done: bool = False
    hold: Hold | None = None
    pauses: tuple[Pause, ...] = ()
    controller_pause: bool = False
    abort: str | None = None
    measure: bool = False


Progress = Callable[[Position], Verdict]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One row of the table of steps: its key in the API, its logic, and how events name it."""

    key: str
    progress: Progress
    describe: Callable[[Any], str] = field(default=lambda _: "")
