"""The `plugin` step: what is asked when, and what the answers do."""

import json
from typing import Any

import pytest

from rollouts.strategy import Snapshot, decide, plugins
from rollouts.strategy.plugins import Call, Outcome
from tests.strategy.world import World, rollout

STEPS = [{"setWeight": 20}, {"plugin": {"name": "acme/approve", "config": {"who": "me"}}}, {"pause": {}}]


class Asked(World):
    """A world whose engine asks plugins: `answers` is what they say, `asked` what they were asked."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.answers: list[dict[str, Any]] = []
        self.asked: list[Call] = []
        self.answer: Outcome | None = None

    def snapshot(self) -> Snapshot:
        from dataclasses import replace

        return replace(super().snapshot(), plugin=self.answer)

    def reconcile(self) -> Any:
        call = plugins.due(json.loads(json.dumps(self.rollout)), now=self.now)
        self.answer = None
        if call is not None and self.answers:
            self.asked.append(call)
            self.answer = Outcome(call=call, **self.answers.pop(0))
        try:
            return super().reconcile()
        finally:
            self.answer = None


def at_plugin(*answers: dict[str, Any], steps: list[Any] | None = None) -> Asked:
    world = Asked(rollout(replicas=5, steps=steps or STEPS))
    world.settle()
    world.answers = list(answers)
    world.image("app:2")
    for _ in range(12):
        world.reconcile()
        world.pods()
    return world


def entry(world: World, operation: str = "Run") -> dict[str, Any]:
    found = [e for e in world.status["canary"]["stepPluginStatuses"] if e["operation"] == operation]
    return dict(found[0])


def test_a_successful_plugin_completes_its_step() -> None:
    world = at_plugin({"phase": "Successful", "state": {"ticket": 7}})
    assert [(c.operation, c.name, c.config, c.state) for c in world.asked] == [
        ("Run", "acme/approve", {"who": "me"}, None)
    ]
    assert (world.status["currentStepIndex"], world.status["message"]) == (2, "CanaryPauseStep")
    told = entry(world)
    assert (told["phase"], told["executions"], told["status"]) == ("Successful", 1, {"ticket": 7})
    assert told["finishedAt"]


def test_a_running_plugin_is_asked_again_with_its_state() -> None:
    world = at_plugin({"phase": "Running", "again": 60, "state": {"n": 1}}, {"phase": "Successful"})
    assert len(world.asked) == 1
    assert world.last.requeue_after == pytest.approx(60, abs=5)
    assert entry(world)["backoff"] == "60s"
    world.advance(61)
    world.reconcile()
    assert world.asked[1].state == {"n": 1}
    assert entry(world)["executions"] == 2
    world.settle()
    assert world.status["currentStepIndex"] == 2


def test_an_error_is_tried_again_after_half_a_minute() -> None:
    world = at_plugin({"phase": "Error", "message": "no answer"}, {"phase": "Successful"})
    assert world.status["currentStepIndex"] == 1
    assert world.last.requeue_after == pytest.approx(30, abs=5)
    world.advance(31)
    world.reconcile()
    world.settle()
    assert world.status["currentStepIndex"] == 2


def test_a_failed_plugin_aborts_and_is_told_so() -> None:
    world = at_plugin({"phase": "Failed", "message": "declined"}, {"phase": "Successful"})
    assert world.status["phase"] == "Degraded"
    assert world.status["message"] == "RolloutAborted: Rollout aborted update to revision 2: declined"
    assert [call.operation for call in world.asked] == ["Run", "Abort"]
    assert entry(world, "Abort")["phase"] == "Successful"


def test_a_plugin_that_fails_without_a_word_is_named() -> None:
    world = at_plugin({"phase": "Failed"}, {"phase": "Successful"})
    assert world.status["message"].endswith("revision 2: Step plugin acme/approve failed")


def test_an_abort_tells_plugins_in_reverse() -> None:
    steps = [{"plugin": {"name": "a"}}, {"plugin": {"name": "b"}}, {"pause": {}}]
    world = at_plugin({"phase": "Successful"}, {"phase": "Successful"}, steps=steps)
    assert world.status["currentStepIndex"] == 2
    world.answers = [{"phase": "Successful"}, {"phase": "Successful"}]
    world.command(abort=True)
    for _ in range(5):
        world.reconcile()
    assert [(c.operation, c.name) for c in world.asked[2:]] == [("Abort", "b"), ("Abort", "a")]


def test_a_skipped_plugin_is_terminated() -> None:
    world = at_plugin({"phase": "Running"}, {"phase": "Successful"})
    world.command(currentStepIndex=2)
    for _ in range(3):
        world.reconcile()
    assert [call.operation for call in world.asked] == ["Run", "Terminate"]
    assert world.status["message"] == "CanaryPauseStep"


def test_promote_full_terminates() -> None:
    world = at_plugin({"phase": "Running"}, {"phase": "Successful"})
    world.command(promoteFull=True)
    for _ in range(6):
        world.reconcile()
        world.pods()
    assert [call.operation for call in world.asked] == ["Run", "Terminate"]
    assert world.status["phase"] == "Healthy"


def test_a_new_version_and_a_retry_begin_anew() -> None:
    world = at_plugin({"phase": "Successful"}, {"phase": "Successful"})
    world.image("app:3")
    for _ in range(12):
        world.reconcile()
        world.pods()
    assert [call.operation for call in world.asked] == ["Run", "Run"]


def test_a_paused_rollout_asks_nothing() -> None:
    world = at_plugin()
    assert world.status["currentStepIndex"] == 1
    world.edit(paused=True)
    world.reconcile()
    world.answers = [{"phase": "Successful"}]
    world.reconcile()
    assert world.asked == []


def test_first_deploys_ask_nothing() -> None:
    world = Asked(rollout(steps=[{"plugin": {"name": "a"}}]))
    world.answers = [{"phase": "Successful"}]
    world.settle()
    assert (world.asked, world.status["phase"]) == ([], "Healthy")


def test_decide_is_pure() -> None:
    world = at_plugin()
    assert decide(world.snapshot(), world.now) == decide(world.snapshot(), world.now)
