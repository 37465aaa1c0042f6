"""How long releases took, for Prometheus: histograms under the peer's names, one observation for each that is over.

A release is observed by whoever writes its end into the status, once that is written: a controller that starts later
finds the end there and observes nothing. Labels are the six ways a release can end, never names.

    rollout_duration_seconds               from begin to end
    rollout_progression_duration_seconds   the same without the time people were waited for
    rollout_manual_pause_duration_seconds  that time; 0 for a release that waited for nobody
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from prometheus_client import Histogram
from prometheus_client.registry import Collector

from rollouts.plan import Plan
from rollouts.strategy import duration, sound

JSON = Mapping[str, Any]

STATUSES: Final = ("Promoted", "FastPromoted", "Aborted", duration.SUPERSEDED, "RolledBack", "FastRolledBack")
_MINUTE: Final = 60
_HOUR: Final = 3600
_BUCKETS: Final = (
    *(5, 15, 30, _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 20 * _MINUTE, 40 * _MINUTE),
    *(_HOUR, 2 * _HOUR, 4 * _HOUR, 8 * _HOUR, 24 * _HOUR, 72 * _HOUR),
)


class Durations:
    """`observe` fits `reconcile.Controller.done`."""

    def __init__(self) -> None:
        self._whole = _histogram("rollout_duration_seconds", "Seconds from the begin of a release to its end")
        self._moving = _histogram("rollout_progression_duration_seconds", "The same without waiting for people")
        self._waiting = _histogram("rollout_manual_pause_duration_seconds", "Seconds a release waited for people")

    @property
    def collectors(self) -> tuple[Collector, ...]:
        """For a registry."""
        return (self._whole, self._moving, self._waiting)

    def observe(self, rollout: JSON, plan: Plan) -> None:
        """Count the releases that ended with a plan, carried out on this Rollout."""
        told = plan.status.get("duration")
        if not told:
            return
        before = sound.status(rollout.get("status")).get("duration") or {}
        after = {key: value for key, value in {**before, **told}.items() if value is not None}
        for release in duration.ended(before, after, other_pods="currentPodHash" in plan.status):
            status = release.status if release.status in STATUSES else "Unknown"
            self._whole.labels(status).observe(release.seconds)
            self._moving.labels(status).observe(release.seconds - release.waited)
            self._waiting.labels(status).observe(release.waited)


def _histogram(name: str, text: str) -> Histogram:
    return Histogram(name, text, ["status"], buckets=_BUCKETS, registry=None)
