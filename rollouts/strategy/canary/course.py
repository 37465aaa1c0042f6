"""Where in the steps a canary is, what holds it, and when it is over."""

from __future__ import annotations

from rollouts.strategy import measure, plugins, runs, trials
from rollouts.strategy import traffic as traffic_
from rollouts.strategy.canary.counts import FULL, at_desired, enough
from rollouts.strategy.canary.pointing import roles
from rollouts.strategy.course import INITIAL, Course, follow
from rollouts.strategy.situation import Situation
from rollouts.strategy.steps import Hold, Position


def course(at: Situation) -> Course:
    """Where in the steps it is, and what holds it."""
    steps = at.wants.steps
    found = follow(
        steps=steps,
        intent=at.intent,
        first=at.first,
        promoted=at.promoted,
        fast=at.fast is not None,
        view=lambda index: _position(at, index),
    )
    if not at.underway or at.fast:
        return found
    found = measure.heed_background(found, at)
    if found.hold is None and found.abort is None and _splits(at) and not _all_traffic(at):
        hold = Hold(kind="Traffic", reason="waiting until all traffic goes to the new version")
        return Course(index=found.index, completed=found.completed, hold=hold)
    return found


def _position(at: Situation, index: int) -> Position:
    """What a step sees of the world."""
    return Position(
        now=at.now,
        index=index,
        value=None,
        at_desired=at_desired(at, index),
        pauses=(),
        controller_pause=False,
        run=at.attempt.current(runs.STEP, step=index),
        obstacle=lambda weight: _obstacle(at, weight),
        trial=trials.standing(at, index),
        plugin=plugins.entry_of(at.plugins, index),
    )


def _obstacle(at: Situation, weight: int) -> str | None:
    return traffic_.obstacle(at, roles(at, promote=False), weight=weight) if _splits(at) else None


def _splits(at: Situation) -> bool:
    """There is traffic to wait for: without pods nobody could serve any."""
    return at.wants.routed is not None and at.wants.limits.replicas > 0


def _all_traffic(at: Situation) -> bool:
    told = at.recorded.weights
    full = at.wants.routed.full if at.wants.routed else FULL
    return told is not None and told.hash == at.revisions.hash and told.canary == full and told.verified is not False


def promotion(at: Situation, course: Course) -> str | None:
    """Why new becomes stable now; None when it does not yet."""
    if at.first:
        return INITIAL
    new = at.revisions.new
    if course.hold is not None or new is None or at.intent.paused or not enough(at, new):
        return None
    return at.fast or f"Completed all {len(at.wants.steps)} canary steps"
