"""What the status remembers, decoded leniently: a broken or foreign status must never stop a decision.

`status: null` is the command to start over (`retry experiment`), and then nothing is remembered at all. An Experiment
that was refused (InvalidSpec) before anything was made of it starts over likewise once its spec is mended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from rollouts.strategy import conditions, sound, times

JSON = Mapping[str, Any]

PENDING: Final = "Pending"
PROGRESSING: Final = "Progressing"
RUNNING: Final = "Running"
SUCCESSFUL: Final = "Successful"
FAILED: Final = "Failed"
ERROR: Final = "Error"
INCONCLUSIVE: Final = "Inconclusive"
FINAL: Final = frozenset({SUCCESSFUL, FAILED, ERROR, INCONCLUSIVE})
BAD: Final = frozenset({FAILED, ERROR, INCONCLUSIVE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is remembered of one template or one analysis; all empty for one that is new."""

    raw: JSON = field(default_factory=dict)
    status: str = ""
    message: str = ""
    since: datetime | None = None

    @property
    def final(self) -> bool:
        """Whether nothing will change it any more."""
        return self.status in FINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The status of an Experiment as last written by us or by the peer."""

    raw: JSON
    phase: str
    message: str
    available_at: datetime | None
    templates: Mapping[str, Entry]
    analyses: Mapping[str, Entry]

    @property
    def over(self) -> bool:
        """Whether its phase is final."""
        return self.phase in FINAL

    def template(self, name: str) -> Entry:
        """What is remembered of a template."""
        return self.templates.get(name) or Entry()

    def analysis(self, name: str) -> Entry:
        """What is remembered of an analysis."""
        return self.analyses.get(name) or Entry()


def recall(experiment: JSON) -> Recorded:
    """Decode the status of an Experiment."""
    status = sound.experiment(experiment.get("status"))
    blank = refused(status)
    return Recorded(
        raw=status,
        phase="" if blank else status.get("phase") or "",
        message="" if blank else status.get("message") or "",
        available_at=times.moment(status.get("availableAt")),
        templates=_entries(status.get("templateStatuses"), key="status"),
        analyses=_entries(status.get("analysisRuns"), key="phase"),
    )


def refused(status: JSON) -> bool:
    """Whether the spec was found invalid before anything was made of it."""
    types = {condition.get("type") for condition in status.get("conditions") or ()}
    return conditions.INVALID_SPEC in types and not status.get("templateStatuses")


def _entries(written: Any, *, key: str) -> dict[str, Entry]:
    return {
        entry.get("name") or "": Entry(
            raw=entry,
            status=entry.get(key) or "",
            message=entry.get("message") or "",
            since=times.moment(entry.get("lastTransitionTime")),
        )
        for entry in written or ()
    }
