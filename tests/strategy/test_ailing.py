"""A Rollout whose pods don't come up says so, keeps its deadline, and aborts at once where that was asked for."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.strategy import Snapshot, decide
from rollouts.strategy.kstatus import TYPES
from rollouts.strategy.trouble import Trouble
from tests.strategy.world import World, rollout

PULL = Trouble(container="app", reason="ImagePullBackOff", message="no such image", hopeless=True)
HICCUP = Trouble(container="app", reason="ErrImagePull", message="timeout")
CRASH = Trouble(container="app", reason="CrashLoopBackOff", message="exit code 1", hopeless=True)
QUOTA = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": 'pods "x" is forbidden: full'}


class Ailing(World):
    """`found`: what a look at the pods gives; None: nobody has looked."""

    found: tuple[Trouble, ...] | None = None

    def snapshot(self) -> Snapshot:
        plain = super().snapshot()
        fields = {name: getattr(plain, name) for name in Snapshot.__slots__}
        return Snapshot(**{**fields, "troubles": self.found})

    def condition(self, kind: str) -> dict[str, Any]:
        return next((c for c in self.status["conditions"] if c["type"] == kind), {})


def updating(**spec: Any) -> Ailing:
    """Revision 2 of five pods is under way; its pods don't come."""
    world = Ailing(rollout(steps=[{"setWeight": 40}, {"pause": {}}], **spec))
    world.settle()
    world.image("app:2")
    world.reconcile()
    new = next(name for name, rs in world.sets.items() if _image(rs) == "app:2")
    world.broken.add(new)
    world.pods()
    world.advance(5)
    world.reconcile()
    world.advance(5)
    world.events.clear()
    return world


def _image(rs: dict[str, Any]) -> Any:
    return rs["spec"]["template"]["spec"]["containers"][0]["image"]


def test_it_is_told_in_message_condition_and_event_once() -> None:
    world = updating()
    before = world.condition("Progressing")
    world.found = (PULL,)
    world.reconcile()
    words = "container app: ImagePullBackOff: no such image"
    assert world.status["phase"] == "Progressing"
    assert world.status["message"] == f"more replicas need to be updated: {words}"
    told = world.condition("Progressing")
    assert told["message"] == f"{before['message']} Not coming up: {words}"
    assert [(event.reason, event.type) for event in world.last.events] == [("PodsNotComingUp", "Warning")]
    assert words in world.last.events[0].message
    assert world.reconcile().empty


def test_the_deadline_still_counts_from_the_last_progress() -> None:
    world = updating(progressDeadlineSeconds=60)
    before = world.condition("Progressing")
    for found in ((HICCUP,), (PULL,), (HICCUP,)):
        world.advance(10)
        world.found = found
        world.reconcile()
        assert world.condition("Progressing")["lastUpdateTime"] == before["lastUpdateTime"]
    world.advance(40)
    world.reconcile()
    assert world.status["phase"] == "Degraded"
    assert world.status["message"].startswith("ProgressDeadlineExceeded: ReplicaSet ")
    assert world.status["message"].endswith("Not coming up: container app: ErrImagePull: timeout")
    assert world.reconcile().empty


def test_a_controller_that_has_just_started_repeats_what_was_said() -> None:
    world = updating()
    world.found = (PULL,)
    world.reconcile()
    world.found = None
    assert world.reconcile().empty
    world.found = ()
    world.reconcile()
    assert world.status["message"] == "more replicas need to be updated"
    assert "Not coming up" not in world.condition("Progressing")["message"]
    assert world.last.events == ()


def test_nothing_is_said_any_more_once_pods_are_there() -> None:
    world = updating()
    world.found = (PULL,)
    world.reconcile()
    world.broken.clear()
    world.settle()
    assert world.status["phase"] == "Paused"
    assert "container app" not in repr(world.status)


def test_crashing_pods_that_become_ready_for_a_moment_are_no_progress() -> None:
    world = updating(progressDeadlineSeconds=60)
    since = world.condition("Progressing")["lastUpdateTime"]
    (new,) = world.broken
    for ready in (1, 0, 1, 0, 1):
        world.advance(10)
        world.found = (CRASH,)
        world.sets[new]["status"] |= {"readyReplicas": 0, "availableReplicas": 0}
        world.reconcile()
        world.sets[new]["spec"]["replicas"] = 2
        world.sets[new]["status"] |= {"readyReplicas": ready, "availableReplicas": ready}
        world.reconcile()
        assert world.condition("Progressing")["lastUpdateTime"] == since
    world.advance(15)
    world.reconcile()
    assert world.status["phase"] == "Degraded"


@pytest.mark.parametrize(
    ("found", "asked", "aborts"),
    [((PULL,), True, True), ((HICCUP,), True, False), ((HICCUP, CRASH), True, True), ((PULL,), False, False)],
)
def test_what_is_hopeless_aborts_at_once_if_the_deadline_would(
    found: tuple[Trouble, ...], asked: bool, aborts: bool
) -> None:
    world = updating(progressDeadlineAbort=asked)
    world.found = found
    world.settle()
    assert bool(world.status.get("abort")) is aborts
    if aborts:
        hopeless = next(trouble for trouble in found if trouble.hopeless)
        assert world.status["message"] == f"RolloutAborted: Rollout aborted update to revision 2: {hopeless}"
        assert world.replicas == {"app:1": 5, "app:2": 0}
        assert "RolloutAborted" in world.events


def test_a_first_deploy_has_nothing_to_go_back_to() -> None:
    world = Ailing(rollout(progressDeadlineAbort=True))
    world.reconcile()
    world.broken.update(world.sets)
    world.pods()
    world.advance(5)
    world.found = (PULL,)
    world.reconcile()
    assert not world.status.get("abort")
    assert "ImagePullBackOff" in world.status["message"]


def test_what_was_found_of_an_older_template_says_nothing_of_a_newer() -> None:
    world = updating(progressDeadlineAbort=True)
    world.found = (PULL,)
    world.image("app:3")
    world.reconcile()
    assert not world.status.get("abort")
    assert "ImagePullBackOff" not in repr(world.status)


def test_a_replica_set_that_can_not_create_pods_is_a_condition_and_a_message() -> None:
    world = updating()
    (new,) = world.broken
    world.sets[new]["status"]["conditions"] = [QUOTA]
    world.reconcile()
    failure = world.condition("ReplicaFailure")
    assert {key: failure[key] for key in QUOTA} == QUOTA
    assert world.status["message"] == "more replicas need to be updated: FailedCreate: a pod is forbidden: full"
    assert world.reconcile().empty
    world.sets[new]["status"]["conditions"] = []
    world.reconcile()
    assert world.condition("ReplicaFailure") == {}


def test_the_conditions_of_kstatus_follow_the_phase() -> None:
    world = World(rollout(steps=[{"setWeight": 40}, {"pause": {}}]))
    world.reconcile()
    seen = [("created", world.status["phase"], _kstatus(world))]
    for moment, change in (
        ("healthy", lambda: None),
        ("updated", lambda: world.image("app:2")),
        ("aborted", lambda: world.command(abort=True)),
        ("retried", lambda: world.command(abort=False)),
        ("promoted", lambda: world.command(promoteFull=True)),
    ):
        change()
        world.settle()
        seen.append((moment, world.status["phase"], _kstatus(world)))
    assert seen == [
        ("created", "Progressing", [("Reconciling", "Progressing")]),
        ("healthy", "Healthy", []),
        ("updated", "Paused", [("Reconciling", "Paused")]),
        ("aborted", "Degraded", [("Stalled", "Degraded")]),
        ("retried", "Paused", [("Reconciling", "Paused")]),
        ("promoted", "Healthy", []),
    ]


def test_a_spec_that_is_invalid_is_stalled() -> None:
    world = World(rollout(steps=[{"setWeight": 400}]))
    world.reconcile()
    assert _kstatus(world) == [("Stalled", "Degraded")]
    world.rollout["spec"]["strategy"]["canary"]["steps"] = []
    world.settle()
    assert _kstatus(world) == []


def test_a_status_without_them_is_not_written_for_their_sake() -> None:
    world = World(rollout(steps=[{"setWeight": 40}, {"pause": {}}]))
    world.settle()
    world.image("app:2")
    world.settle()
    world.status["conditions"] = [c for c in world.status["conditions"] if c["type"] not in TYPES]
    assert decide(world.snapshot(), world.now).empty


def _kstatus(world: World) -> list[tuple[str, str]]:
    found = [c for c in world.status["conditions"] if c["type"] in TYPES]
    assert all(c["status"] == "True" and c["message"] == world.status.get("message") for c in found)
    return [(c["type"], c["reason"]) for c in found]


def test_the_generation_is_a_number_where_kstatus_is_to_read_it() -> None:
    world = World(rollout(steps=[{"setWeight": 40}, {"pause": {}}]))
    world.settle()
    assert world.status["observedGeneration"] == "1"
    world.rollout["metadata"]["annotations"]["rollouts.dev/observed-generation"] = "integer"
    world.settle()
    assert world.status["observedGeneration"] == 1
    world.image("app:2")
    world.settle()
    assert (world.status["observedGeneration"], world.status["phase"]) == (2, "Paused")
    assert world.reconcile().empty
    assert not any("observed-generation" in key for rs in world.sets.values() for key in rs["metadata"]["annotations"])


def test_blue_green_says_and_aborts_the_same() -> None:
    spec = rollout(replicas=3, progressDeadlineAbort=True)
    spec["spec"]["strategy"] = {"blueGreen": {"activeService": "active"}}
    world = Ailing(spec, services=("active",))
    world.settle()
    world.image("app:2")
    world.reconcile()
    world.broken.update(name for name, rs in world.sets.items() if _image(rs) == "app:2")
    world.pods()
    world.advance(5)
    world.found = (HICCUP,)
    world.reconcile()
    assert world.status["message"].endswith(": container app: ErrImagePull: timeout")
    world.found = (PULL,)
    world.reconcile()
    assert world.status["message"] == f"RolloutAborted: Rollout aborted update to revision 2: {PULL}"


def test_while_it_is_paused_it_is_told_aside() -> None:
    """Message and Progressing are the pause's; the event comes once, and not again when the pause is over."""
    world = Ailing(rollout(steps=[{"setWeight": 40}, {"pause": {}}, {"setWeight": 60}]))
    world.settle()
    world.image("app:2")
    world.settle()
    new = next(name for name, rs in world.sets.items() if _image(rs) == "app:2")
    world.broken.add(new)
    world.pods()
    world.advance(5)
    world.reconcile()
    world.events.clear()
    world.found = (CRASH,)
    world.advance(5)
    world.reconcile()
    words = "container app: CrashLoopBackOff: exit code 1"
    assert (world.status["phase"], world.status["message"]) == ("Paused", "CanaryPauseStep")
    assert world.condition("Progressing")["message"] == "Rollout is paused"
    assert world.condition("Reconciling")["message"] == f"CanaryPauseStep. Not coming up: {words}"
    assert world.events == ["PodsNotComingUp"]
    assert world.reconcile().empty
    world.broken.clear()
    world.pods()
    world.found = ()
    world.advance(5)
    world.reconcile()
    assert world.condition("Reconciling")["message"] == "CanaryPauseStep"
