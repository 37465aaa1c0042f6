"""What the status remembers, decoded leniently: a broken or foreign status must never stop a decision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rollouts.strategy import sound, times
from rollouts.traffic import Destination

JSON = Mapping[str, Any]

CANARY_PAUSE = "CanaryPauseStep"
BLUE_GREEN_PAUSE = "BlueGreenPause"
INCONCLUSIVE = "InconclusiveAnalysisRun"
INCONCLUSIVE_EXPERIMENT = "InconclusiveExperiment"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """One entry of status.pauseConditions."""

    reason: str
    start: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """`status.canary.weights`: what the routers were last told. `canary` is the weight of the pods labelled `hash`."""

    canary: int
    hash: str
    stable: int
    verified: bool | None
    additional: tuple[Destination, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """The status of a Rollout as last written by us, by the peer, or by people."""

    raw: JSON = field(default_factory=dict)
    observed: bool = False
    current_hash: str = ""
    stable_hash: str = ""
    step_hash: str | None = None
    index: int | None = None
    collision_count: int | None = None
    abort: bool = False
    aborted_at: datetime | None = None
    promote_full: bool = False
    controller_pause: bool = False
    pauses: tuple[Pause, ...] = ()
    started: datetime | None = None

    @property
    def promoted(self) -> bool:
        """Whether the stable ReplicaSet is the current one."""
        return bool(self.stable_hash) and self.stable_hash == self.current_hash

    def condition(self, kind: str) -> JSON | None:
        """The condition of this type, if there is one."""
        return next((c for c in self.raw.get("conditions") or () if c.get("type") == kind), None)

    def run(self, section: str, key: str) -> JSON:
        """`status.<section>.<key>`: name, status and message of a current AnalysisRun; empty when there is none."""
        return _mapping(_mapping(self.raw.get(section)).get(key))

    @property
    def weights(self) -> Weights | None:
        """The traffic weights; None when none were ever set."""
        found = _mapping(_mapping(self.raw.get("canary")).get("weights"))
        if not found:
            return None
        canary, stable = _mapping(found.get("canary")), _mapping(found.get("stable"))
        return Weights(
            canary=_integer(canary.get("weight")) or 0,
            hash=canary.get("podTemplateHash") or "",
            stable=_integer(stable.get("weight")) or 0,
            verified=found.get("verified"),
            additional=tuple(_shares(found.get("additional") or ())),
        )

    @property
    def checkpoint(self) -> bool:
        """Blue/green: the pause before the switch is over."""
        return bool(_mapping(self.raw.get("blueGreen")).get("scaleUpPreviewCheckPoint"))

    @property
    def stable_is_pong(self) -> bool:
        """Which of two Services that take turns is the stable one."""
        return _mapping(self.raw.get("canary")).get("stablePingPong") == "pong"


def recall(rollout: JSON) -> Recorded:
    """Decode the status of a Rollout."""
    status = sound.status(rollout.get("status"))
    generation = rollout["metadata"].get("generation", 0)
    return Recorded(
        raw=status,
        observed=str(status.get("observedGeneration", "")) == str(generation),
        current_hash=status.get("currentPodHash") or "",
        stable_hash=status.get("stableRS") or "",
        step_hash=status.get("currentStepHash"),
        index=_integer(status.get("currentStepIndex")),
        collision_count=_integer(status.get("collisionCount")),
        abort=bool(status.get("abort")),
        aborted_at=times.moment(status.get("abortedAt")),
        promote_full=bool(status.get("promoteFull")),
        controller_pause=bool(status.get("controllerPause")) and not _moved_on(status),
        pauses=tuple(_pauses(status.get("pauseConditions") or ())),
        started=times.moment((status.get("duration") or {}).get("rolloutStartedAt")),
    )


def _moved_on(status: JSON) -> bool:
    """Whether somebody moved the index away from the step the controller's pause belongs to (Argo CD's
    `skip-current-step`): the pause is over, and was not ended at the step the Rollout is at now."""
    paused_at = _integer(_mapping(status.get("canary")).get("pausedStepIndex"))
    return paused_at is not None and not status.get("pauseConditions") and paused_at != status.get("currentStepIndex")


def _pauses(entries: Any) -> list[Pause]:
    found = [(entry.get("reason") or "", times.moment(entry.get("startTime"))) for entry in entries]
    return [Pause(reason=reason, start=start) for reason, start in found if reason and start]


def _shares(entries: Iterable[JSON]) -> Iterator[Destination]:
    for entry in entries:
        service, digest = entry.get("serviceName") or "", entry.get("podTemplateHash") or ""
        yield Destination(service=service, hash=digest, weight=_integer(entry.get("weight")) or 0)


def _mapping(value: object) -> JSON:
    return value if isinstance(value, Mapping) else {}


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) else None
