"""`status.duration`: how long an update took, when one ends that goes on differently, and what counts as ended."""

from typing import Any

import pytest

from rollouts.strategy.duration import Ended, ended
from tests.strategy.world import World, rollout

STEPS = [{"setWeight": 20}, {"pause": {}}]
BEGUN = {"rolloutStartedAt": "2026-01-01T00:00:00Z"}
OVER = {**BEGUN, "finishedAt": "2026-01-01T00:02:00Z", "completionStatus": "Promoted"}
WAITED = {"totalManualPauseDurationSeconds": 50}
NEXT = {"rolloutStartedAt": "2026-01-01T00:05:00Z"}
WAITING = {**BEGUN, "manualPauseStartedAt": "2026-01-01T00:04:00Z"}


@pytest.mark.parametrize(
    ("before", "after", "releases"),
    [
        ({}, {}, []),
        ({}, BEGUN, []),
        (BEGUN, BEGUN, []),
        (BEGUN, OVER, [("Promoted", 120, 0)]),
        (BEGUN, {**OVER, **WAITED}, [("Promoted", 120, 50)]),
        ({}, OVER, [("Promoted", 120, 0)]),
        (OVER, OVER, []),
        (OVER, NEXT, []),
        (OVER, {**NEXT, "finishedAt": "2026-01-01T00:06:00Z", "completionStatus": "Aborted"}, [("Aborted", 60, 0)]),
        (BEGUN, NEXT, [("Superseded", 300, 0)]),
        ({**BEGUN, **WAITED}, NEXT, [("Superseded", 300, 50)]),
        (WAITING, NEXT, [("Superseded", 300, 60)]),
        (
            BEGUN,
            {**NEXT, "finishedAt": NEXT["rolloutStartedAt"], "completionStatus": "FastRolledBack"},
            [("Superseded", 300, 0), ("FastRolledBack", 0, 0)],
        ),
        ({"rolloutStartedAt": "nonsense"}, NEXT, []),
        (BEGUN, {**OVER, "finishedAt": "nonsense"}, []),
        (BEGUN, {**OVER, "totalManualPauseDurationSeconds": 10**6}, [("Promoted", 120, 120)]),
    ],
)
def test_what_ended(before: dict[str, Any], after: dict[str, Any], releases: list[tuple[str, int, int]]) -> None:
    wanted = [Ended(status=status, seconds=seconds, waited=waited) for status, seconds, waited in releases]
    assert list(ended(before, after)) == wanted


def test_another_template_within_the_second_ends_an_update_too() -> None:
    assert [release.status for release in ended(BEGUN, BEGUN, other_pods=True)] == ["Superseded"]
    assert [release.status for release in ended(BEGUN, OVER, other_pods=True)] == ["Promoted"]
    assert list(ended(OVER, OVER, other_pods=True)) == []


def updating() -> World:
    world = World(rollout(steps=STEPS))
    world.settle()
    world.advance(60)
    world.image("app:2")
    world.settle()
    world.advance(30)
    return world


def test_going_back_in_the_middle_ends_the_update_as_the_peer_has_it() -> None:
    """Recording canary-7: one duration from the begin of the update, `FastRolledBack` at once."""
    world = updating()
    began = world.status["duration"]["rolloutStartedAt"]
    world.image("app:1")
    world.reconcile()
    assert world.status["duration"]["completionStatus"] == "FastRolledBack"
    assert world.status["duration"]["rolloutStartedAt"] == began
    assert world.status["duration"]["finishedAt"] == "2026-01-01T00:01:30Z"
    assert world.status["duration"]["totalManualPauseDurationSeconds"] == 30


def test_a_third_version_begins_anew() -> None:
    world = updating()
    before = world.status["duration"]
    world.image("app:3")
    world.reconcile()
    assert [release.status for release in ended(before, world.status["duration"])] == ["Superseded"]
