"""Which AnalysisRuns belong to the update under way, and which should exist, end, or be forgotten (§2.10).

An *attempt* is the time from the start of an update, or from its retry, until now. The run a status names is current.
When it names none (the controller may have died between creating a run and saying so), an unfinished or successful
run of the same kind, step and attempt is taken up instead of making another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from rollouts.strategy.recorded import Recorded
from rollouts.strategy.revisions import Revisions
from rollouts.strategy.snapshot import Run, Trial


@dataclass(frozen=True, slots=True, kw_only=True)
class RunKind:
    """A place where runs come from: the label value, where status names its run, how events and aborts call it, and
    what its runs' names end in (`-pre`; the step's index for a step)."""

    label: str
    section: str
    status_key: str
    title: str
    abort_prefix: str
    suffix: str = ""


STEP: Final = RunKind(
    label="Step",
    section="canary",
    status_key="currentStepAnalysisRunStatus",
    title="Step",
    abort_prefix="Step-based",
)
BACKGROUND: Final = RunKind(
    label="Background",
    section="canary",
    status_key="currentBackgroundAnalysisRunStatus",
    title="Background",
    abort_prefix="Background",
)
PRE: Final = RunKind(
    label="PrePromotion",
    section="blueGreen",
    status_key="prePromotionAnalysisRunStatus",
    title="PrePromotion",
    abort_prefix="Blue/green pre-promotion",
    suffix="-pre",
)
POST: Final = RunKind(
    label="PostPromotion",
    section="blueGreen",
    status_key="postPromotionAnalysisRunStatus",
    title="PostPromotion",
    abort_prefix="Blue/green post-promotion",
    suffix="-post",
)
KINDS: Final = (STEP, BACKGROUND, PRE, POST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """The runs of the update under way."""

    runs: tuple[Run, ...]
    started: datetime | None
    recorded: Recorded

    def current(self, kind: RunKind, *, step: int | None = None) -> Run | None:
        """The run of this kind (and step) which counts now, if there is one."""
        same = [run for run in self.runs if run.kind == kind.label and run.step == step]
        named = self.recorded.run(kind.section, kind.status_key).get("name")
        if named:
            found = next((run for run in same if run.name == named), None)
            if found is not None:
                return found
        return next((run for run in reversed(same) if self._mine(run)), None)

    def _mine(self, run: Run) -> bool:
        fresh = self.started is None or run.created is None or run.created >= self.started
        return fresh and not run.terminating and (not run.finished or run.phase == "Successful")


def attempt(runs: Iterable[Run], *, recorded: Recorded, revisions: Revisions, fresh: bool) -> Attempt:
    """The runs of this revision. `fresh`: the attempt begins now, so no earlier run counts."""
    mine = [run for run in runs if run.hash == revisions.hash and run.revision == revisions.number]
    ordered = sorted(mine, key=lambda run: (run.created is not None, run.created, run.name))
    if fresh:
        return Attempt(runs=(), started=None, recorded=Recorded())
    return Attempt(runs=tuple(ordered), started=recorded.started, recorded=recorded)


def free_name(base: str, taken: Iterable[str]) -> str:
    """`base`, or `base.1`, `base.2`, … where that name is taken."""
    names = set(taken)
    candidate, count = base, 0
    while candidate in names:
        count += 1
        candidate = f"{base}.{count}"
    return candidate


_Judged = TypeVar("_Judged", Run, Trial)


def to_terminate(runs: Iterable[_Judged], keep: Sequence[str]) -> tuple[_Judged, ...]:
    """Unfinished runs (or Experiments) that nothing waits for any more."""
    return tuple(run for run in runs if not run.finished and not run.terminating and run.name not in keep)


def to_delete(
    runs: Iterable[_Judged], *, keep: Sequence[str], hashes: Iterable[str], successful: int, unsuccessful: int
) -> tuple[_Judged, ...]:
    """Finished runs (or Experiments) beyond the history limits, and all finished ones of ReplicaSets that are gone. The
    newest are kept."""
    alive = set(hashes)
    finished = [run for run in runs if run.finished and run.name not in keep]
    orphans = [run for run in finished if run.hash not in alive]
    # Within a second, which is all that creation times tell apart, a later revision is younger.
    rest = sorted(
        (run for run in finished if run.hash in alive),
        key=lambda run: (run.created is not None, run.created, run.revision, run.name),
    )
    good = [run for run in rest if run.phase == "Successful"]
    bad = [run for run in rest if run.phase != "Successful"]
    return tuple(orphans + good[: max(len(good) - successful, 0)] + bad[: max(len(bad) - unsuccessful, 0)])
