"""What a release costs the API server: every request other than reading, by sort, as an upper bound that is met today.

The scenario of docs/performance.md: one replica, setWeight 20, pause 1 s, setWeight 60, pause 1 s.
"""

from __future__ import annotations

from collections import Counter

from rollouts.api import kinds
from tests.cluster.controllers import OwnController
from tests.cluster.space import Space, rollout

STEPS = [{"setWeight": 20}, {"pause": {"duration": 1}}, {"setWeight": 60}, {"pause": {"duration": 1}}]
STATUS, ROLLOUT, CREATE, RESIZE = "PATCH rollouts/status", "PATCH rollouts", "POST replicasets", "PATCH replicasets"
EVENT, COUNT_UP = "POST events", "PATCH events"
#: moment: the event that comes last
LAST_EVENT = {"created": "RolloutCompleted", "updated": "RolloutCompleted", "paused": "RolloutPaused"}
#: moment: most requests of each sort since the moment before
BUDGET = {
    "created": {STATUS: 2, ROLLOUT: 1, CREATE: 1, EVENT: 6},
    "updated": {STATUS: 5, ROLLOUT: 1, CREATE: 1, RESIZE: 1, EVENT: 12, COUNT_UP: 2},
    "idle": {},
    "paused": {STATUS: 2, ROLLOUT: 1, CREATE: 1, RESIZE: 1, EVENT: 7},
    "scaled": {STATUS: 3, RESIZE: 1, EVENT: 1},
    "aborted": {STATUS: 4, RESIZE: 2, EVENT: 3},
}


class Meter:
    """Counts from one moment to the next."""

    def __init__(self, controller: OwnController) -> None:
        self._controller = controller
        self._read = Counter[str]()

    def read(self) -> Counter[str]:
        """Requests since the last reading."""
        now = self._controller.counts()
        since = now - self._read
        self._read = now
        return since


def within(space: Space, meter: Meter, moment: str) -> None:
    """Compare, once the last event, which is the last thing posted, is there."""
    if last := LAST_EVENT.get(moment):
        space.until(f"event {last}", lambda: space.events.reasons()[-1:] == [last])
    spent = meter.read()
    print(moment, dict(spent))  # noqa: T201  # what there is to save, shown when a test fails
    over = {sort: count for sort, count in spent.items() if count > BUDGET[moment].get(sort, 0)}
    assert not over, (moment, dict(spent))


def looked_again(space: Space, controller: OwnController) -> None:
    """Wake the controller with nothing to do, and wait until it has looked."""
    queue = controller.app.loops[kinds.ROLLOUT].queue
    before = queue.statistics().done
    space.patch(kinds.ROLLOUT, "app", {"metadata": {"labels": {"touched": "yes"}}})
    space.until("a look", lambda: queue.statistics().done > before and not queue.statistics().working)


def test_the_requests_of_a_release(space: Space, controller: OwnController) -> None:
    meter = Meter(controller)
    space.create(rollout(steps=STEPS))
    space.until_phase("Healthy")
    within(space, meter, "created")
    space.set_image("example/app:2")
    space.until_status(phase="Healthy", replicas=1)
    within(space, meter, "updated")
    looked_again(space, controller)
    within(space, meter, "idle")
    space.edit(replicas=3)
    space.until_status(phase="Healthy", availableReplicas=3)
    within(space, meter, "scaled")


def test_the_requests_of_an_abort(space: Space, controller: OwnController) -> None:
    meter = Meter(controller)
    space.create(rollout(steps=[{"setWeight": 50}, {"pause": {}}], replicas=2))
    space.until_phase("Healthy")
    within(space, meter, "created")
    space.set_image("example/app:2")
    space.until_paused(at=1)
    within(space, meter, "paused")
    looked_again(space, controller)
    within(space, meter, "idle")
    space.abort()
    space.until_status(phase="Degraded", replicas=2, updatedReplicas=None, availableReplicas=2)
    within(space, meter, "aborted")
