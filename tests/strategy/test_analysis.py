"""Analysis inside a canary: the runs it makes, what their results do, and what is wrong with a bad one."""

from typing import Any

import pytest

from tests.strategy.world import World, rollout

TEMPLATE = {
    "metadata": {"name": "success-rate"},
    "spec": {
        "args": [{"name": "service"}, {"name": "limit", "value": "0.95"}],
        "metrics": [
            {
                "name": "rate",
                "interval": "5s",
                "count": 2,
                "successCondition": "result[0] >= {{args.limit}}",
                "provider": {"prometheus": {"address": "http://p", "query": 'up{service="{{args.service}}"}'}},
            }
        ],
    },
}
ANALYSIS = {"templates": [{"templateName": "success-rate"}], "args": [{"name": "service", "value": "web"}]}
STEPS: list[Any] = [{"setWeight": 20}, {"analysis": ANALYSIS}, {"setWeight": 60}, {"analysis": ANALYSIS}]


def measured(steps: list[Any] = STEPS, templates: dict[str, Any] | None = None, **extra: Any) -> World:
    world = World(rollout(steps=steps, **extra), templates=templates or {"success-rate": TEMPLATE})
    world.settle()
    world.image("app:2")
    world.settle()
    return world


def only_run(world: World) -> dict[str, Any]:
    (run,) = world.runs.values()
    return run


def test_a_step_makes_one_run() -> None:
    world = measured()
    run, status = only_run(world), world.status
    assert run["metadata"]["name"] == f"app-{status['currentPodHash']}-2-1"
    assert run["metadata"]["labels"] == {
        "app": "app",
        "rollout-type": "Step",
        "rollouts-pod-template-hash": status["currentPodHash"],
        "step-index": "1",
    }
    assert run["metadata"]["annotations"] == {"rollout.argoproj.io/revision": "2"}
    assert run["spec"]["args"] == [{"name": "service", "value": "web"}, {"name": "limit", "value": "0.95"}]
    assert run["spec"]["metrics"] == TEMPLATE["spec"]["metrics"]
    assert status["canary"]["currentStepAnalysisRunStatus"] == {"name": run["metadata"]["name"], "status": ""}
    assert status["phase"] == "Progressing"


def test_success_goes_on_to_the_next_run() -> None:
    world = measured()
    first = only_run(world)["metadata"]["name"]
    world.finish(first, "Running")
    world.settle()
    assert world.status["canary"]["currentStepAnalysisRunStatus"]["status"] == "Running"
    world.finish(first)
    world.settle()
    assert world.replicas == {"app:1": 2, "app:2": 3}
    second = next(name for name in world.runs if name != first)
    assert second.endswith("-2-3")
    world.finish(second)
    world.settle()
    assert (world.status["phase"], world.replicas) == ("Healthy", {"app:1": 0, "app:2": 5})
    assert "currentStepAnalysisRunStatus" not in world.status.get("canary", {})


@pytest.mark.parametrize("phase", ["Failed", "Error"])
def test_failure_aborts_back_to_stable(phase: str) -> None:
    world = measured()
    world.events.clear()
    world.finish(only_run(world)["metadata"]["name"], phase, 'Metric "rate" assessed Failed')
    world.settle()
    assert world.replicas == {"app:1": 5, "app:2": 0}
    assert world.status["message"] == (
        "RolloutAborted: Rollout aborted update to revision 2: "
        'Step-based analysis phase error/failed: Metric "rate" assessed Failed'
    )
    assert world.status["abort"] is True
    assert world.events[:2] == [f"AnalysisRun{phase}", "RolloutAborted"]


def test_retry_measures_again_in_a_run_of_its_own() -> None:
    world = measured()
    name = only_run(world)["metadata"]["name"]
    world.finish(name, "Failed")
    world.settle()
    world.advance(30)
    world.command(abort=False)
    world.settle()
    assert sorted(world.runs) == [name, f"{name}.1"]
    world.finish(f"{name}.1")
    world.settle()
    assert world.status["currentStepIndex"] == 3


def test_inconclusive_pauses_until_somebody_decides() -> None:
    world = measured()
    name = only_run(world)["metadata"]["name"]
    world.finish(name, "Inconclusive")
    world.settle()
    assert (world.status["phase"], world.status["message"]) == ("Paused", "InconclusiveAnalysisRun")
    world.command(pauseConditions=None)
    world.settle()
    assert sorted(world.runs) == [name, f"{name}.1"]
    world.finish(f"{name}.1", "Inconclusive")
    world.settle()
    world.command(pauseConditions=None, controllerPause=False, currentStepIndex=2)
    world.settle()
    assert world.replicas == {"app:1": 2, "app:2": 3}


def test_a_run_made_before_a_crash_is_taken_up() -> None:
    world = World(rollout(steps=[{"analysis": ANALYSIS}]), templates={"success-rate": TEMPLATE})
    world.settle()
    world.image("app:2")
    before = world.rollout["status"]
    world.settle()
    assert len(world.runs) == 1
    world.rollout["status"] = {**world.status, "canary": {}}
    assert before is not world.rollout["status"]
    world.settle()
    assert len(world.runs) == 1
    assert world.status["canary"]["currentStepAnalysisRunStatus"]["name"] in world.runs


def test_background_run_lives_as_long_as_the_update() -> None:
    background = {**ANALYSIS, "startingStep": 2}
    steps = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {}}]
    world = measured(steps, canary={"analysis": background})
    assert not world.runs
    world.command(pauseConditions=None)
    world.settle()
    run = only_run(world)
    assert run["metadata"]["labels"]["rollout-type"] == "Background"
    assert run["metadata"]["name"] == f"app-{world.status['currentPodHash']}-2"
    world.finish(run["metadata"]["name"], "Running")
    world.command(pauseConditions=None)
    world.settle()
    assert world.status["phase"] == "Healthy"
    assert only_run(world)["spec"]["terminate"] is True


def test_background_failure_aborts() -> None:
    steps = [{"setWeight": 20}, {"pause": {}}]
    world = measured(steps, canary={"analysis": ANALYSIS})
    world.finish(only_run(world)["metadata"]["name"], "Failed", "too many errors")
    world.settle()
    assert world.replicas == {"app:1": 5, "app:2": 0}
    assert "Background analysis phase error/failed: too many errors" in world.status["message"]


def test_promote_full_ends_running_analysis() -> None:
    world = measured()
    world.finish(only_run(world)["metadata"]["name"], "Running")
    world.settle()
    world.command(promoteFull=True)
    world.settle()
    assert only_run(world)["spec"]["terminate"] is True
    assert world.status["phase"] == "Healthy"


def test_history_keeps_five_and_five() -> None:
    world = World(rollout(steps=[{"analysis": ANALYSIS}]), templates={"success-rate": TEMPLATE})
    world.settle()
    for version in range(2, 10):
        world.advance(60)
        world.image(f"app:{version}")
        world.settle()
        current = world.status["canary"]["currentStepAnalysisRunStatus"]["name"]
        world.finish(current, "Successful" if version % 8 else "Failed")
        world.settle()
    phases = [run["status"]["phase"] for run in world.runs.values()]
    assert phases.count("Successful") == 5
    assert phases.count("Failed") == 1


def invalid(world: World) -> str:
    assert world.status["phase"] == "Degraded"
    assert world.status["message"].startswith('InvalidSpec: The Rollout "app" is invalid: ')
    return str(world.status["message"])


def test_missing_template_is_invalid_moves_nothing_and_heals() -> None:
    world = World(rollout(steps=STEPS), templates={"success-rate": TEMPLATE})
    world.settle()
    world.templates = {}
    world.image("app:2")
    world.settle()
    message = invalid(world)
    assert "spec.strategy.canary.steps[1].analysis.templates" in message
    assert "spec.strategy.canary.steps[3].analysis.templates" in message
    assert "AnalysisTemplate 'success-rate' not found" in message
    assert world.replicas == {"app:1": 5}
    assert world.plan().requeue_after == 20
    world.templates = {"success-rate": TEMPLATE}
    world.settle()
    assert world.replicas == {"app:1": 4, "app:2": 1}
    assert not [c for c in world.status["conditions"] if c["type"] == "InvalidSpec"]


def test_unresolved_argument_is_named() -> None:
    world = World(
        rollout(steps=[{"analysis": {"templates": [{"templateName": "success-rate"}]}}]),
        templates={"success-rate": TEMPLATE},
    )
    world.settle()
    assert "steps[0].analysis.args: args.service was not resolved" in invalid(world)


def test_arguments_from_fields_and_hashes() -> None:
    args = [
        {"name": "service", "valueFrom": {"podTemplateHashValue": "Latest"}},
        {"name": "limit", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['example.com/limit']"}}},
    ]
    spec = rollout(steps=[{"analysis": {**ANALYSIS, "args": args}}])
    spec["metadata"]["labels"] = {"example.com/limit": "0.9"}
    world = World(spec, templates={"success-rate": TEMPLATE})
    world.settle()
    world.image("app:2")
    world.settle()
    assert only_run(world)["spec"]["args"] == [
        {"name": "service", "value": world.status["currentPodHash"]},
        {"name": "limit", "value": "0.9"},
    ]


def test_a_field_of_the_status_may_come_to_be_later() -> None:
    """There is none before the first deploy, which must not wait for it."""
    args = [{"name": "service", "valueFrom": {"fieldRef": {"fieldPath": "status.stableRS"}}}]
    world = measured([{"analysis": {**ANALYSIS, "args": args}}])
    assert only_run(world)["spec"]["args"][0] == {"name": "service", "value": world.status["stableRS"]}


def test_a_field_that_will_never_be_is_refused() -> None:
    args = [{"name": "service", "valueFrom": {"fieldRef": {"fieldPath": "spec.statusPage"}}}]
    world = World(rollout(steps=[{"analysis": {**ANALYSIS, "args": args}}]), templates={"success-rate": TEMPLATE})
    world.settle()
    assert '"spec.statusPage": the Rollout has no such field' in invalid(world)


@pytest.mark.parametrize(
    ("metric", "fault"),
    [
        ({"interval": "soon", "count": 2}, "metrics[0].interval: "),
        ({"count": 5}, "interval"),
        ({"provider": {}}, "metrics[0].provider: no provider specified"),
        ({"intervall": "5s"}, "metrics[0].intervall: "),
        ({"successCondition": "result >"}, "metrics[0].successCondition: "),
        ({"provider": {"web": {"url": "http://{{args.host}}"}}}, "failed to resolve {{args.host}}"),
        ({"interval": "5s", "count": "{{args.times}}"}, "failed to resolve {{args.times}}"),
    ],
)
@pytest.mark.parametrize("where", ["step", "background"])
def test_a_metric_that_can_not_be_measured_is_refused_before_anything_moves(
    where: str, metric: dict[str, Any], fault: str
) -> None:
    world = release(metric, where)
    assert (world.status["phase"], world.replicas, world.runs) == ("Degraded", {"app:1": 5}, {})
    assert 'analysis.templates: Invalid value: "smoke": AnalysisTemplate smoke: ' in world.status["message"]
    assert fault in world.status["message"]
    assert "\n" not in world.status["message"]


@pytest.mark.parametrize(("metric", "count"), [({}, "<nil>"), ({"count": 0}, "<nil>"), ({"count": "0"}, "0")])
def test_only_in_the_background_a_metric_may_run_without_end(metric: dict[str, Any], count: str) -> None:
    words = f"AnalysisTemplate smoke has metric ok which runs indefinitely. Invalid value for count: {count}"
    assert words in release({"interval": "5s", **metric}, "step").status["message"]
    assert len(release({"interval": "5s", **metric}, "background").runs) == 1


def release(metric: dict[str, Any], where: str) -> World:
    """A first version, and an update whose analysis has one metric, in a step or in the background."""
    whole = {"name": "ok", "provider": {"web": {"url": "http://x", "jsonPath": "{$}"}}}
    template = {"metadata": {"name": "smoke"}, "spec": {"metrics": [whole]}}
    block = {"templates": [{"templateName": "smoke"}]}
    steps: list[Any] = [{"setWeight": 20}, {"analysis": block} if where == "step" else {"pause": {}}]
    canary = {"analysis": block} if where == "background" else {}
    world = World(rollout(steps=steps, canary=canary), templates={"smoke": template})
    world.settle()
    template["spec"] = {"metrics": [{**whole, **metric}]}
    world.image("app:2")
    world.settle()
    return world


def with_score(name: str, score: dict[str, Any]) -> dict[str, Any]:
    metric = {**TEMPLATE["spec"]["metrics"][0], "name": name}  # type: ignore[index]
    spec = {"args": TEMPLATE["spec"]["args"], "metrics": [metric], "score": score}  # type: ignore[index]
    return {"metadata": {"name": name}, "spec": spec}


TWO = {"templates": [{"templateName": "success-rate"}, {"templateName": "b"}], "args": ANALYSIS["args"]}


def test_a_score_is_that_of_the_one_template_that_has_one() -> None:
    templates = {"success-rate": TEMPLATE, "b": with_score("b", {"passScore": 80})}
    run = only_run(measured([{"analysis": TWO}], templates))
    assert run["spec"]["score"] == {"passScore": 80}
    assert [metric["name"] for metric in run["spec"]["metrics"]] == ["rate", "b"]


def test_two_scores_contradict_each_other() -> None:
    templates = {"success-rate": with_score("rate", {"passScore": 90}), "b": with_score("b", {"passScore": 80})}
    world = measured([{"analysis": TWO}], templates)
    assert not world.runs
    assert "two templates have different scores: keep one" in world.status["message"]


@pytest.mark.parametrize(
    ("score", "words"),
    [
        ({"groupWeights": {"other": 10}}, "score.groupWeights.other is the group of no metric"),
        ({"passMark": 1}, "score can't be read: "),
        ({"passScore": 10}, "score.marginalScore must be between 0 and passScore (10)"),
    ],
)
def test_a_faulty_score_is_refused_before_anything_moves(score: dict[str, Any], words: str) -> None:
    world = measured([{"analysis": TWO}], {"success-rate": TEMPLATE, "b": with_score("b", score)})
    assert not world.runs
    assert words in world.status["message"]
