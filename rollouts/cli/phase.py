"""A Rollout's phase and message as clients show them: the controller's, unless it hasn't seen the latest change yet."""

from __future__ import annotations

from rollouts.cli import world
from rollouts.cli.world import JSON

WORKLOAD_GENERATION = "rollout.argoproj.io/workload-generation"
NOT_OBSERVED = "waiting for rollout spec update to be observed"
NOT_UNPAUSED = "waiting for rollout to unpause"
WORKLOAD_NOT_OBSERVED = "waiting for rollout spec update to be observed for the reference workload"


def phase_of(rollout: JSON) -> tuple[str, str]:
    """(phase, message): Healthy, Degraded, Progressing or Paused, and why; the message is empty when Healthy."""
    status = world.status(rollout)
    overlaid = _overlay(rollout, status)
    if overlaid:
        return "Progressing", overlaid
    return str(status["phase"]), str(status.get("message") or "")


def _overlay(rollout: JSON, status: JSON) -> str:
    checks = (
        (not status.get("phase") or not _observed(rollout), NOT_OBSERVED),
        (status.get("controllerPause") and not status.get("pauseConditions"), NOT_UNPAUSED),
        (not _workload_observed(rollout), WORKLOAD_NOT_OBSERVED),
    )
    return next((message for applies, message in checks if applies), "")


def _observed(rollout: JSON) -> bool:
    """Whether the controller saw this generation. A value that is no number comes from a very old controller."""
    seen = str(world.status(rollout).get("observedGeneration") or "")
    generation = int(world.metadata(rollout).get("generation") or 0)
    return not seen.isdecimal() or int(seen) >= generation


def _workload_observed(rollout: JSON) -> bool:
    if not world.spec(rollout).get("workloadRef"):
        return True
    wanted = world.annotation(rollout, WORKLOAD_GENERATION)
    return not wanted or wanted == str(world.status(rollout).get("workloadObservedGeneration") or "")
