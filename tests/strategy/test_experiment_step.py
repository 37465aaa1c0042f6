"""The `experiment` step of a canary: what it makes, what comes of it, and what is left behind."""

import contextlib
from typing import Any

import pytest

from rollouts.strategy import Snapshot, decide
from tests.strategy.router import ROUTER
from tests.strategy.test_recordings import recorded
from tests.strategy.world import CrashedError, World, rollout

BOTH = [{"name": "baseline", "specRef": "stable"}, {"name": "candidate", "specRef": "canary"}]
STEP = {"experiment": {"duration": "1m", "templates": BOTH}}


def serving(**options: Any) -> dict[str, Any]:
    """A Rollout whose container names a port."""
    found = rollout(**options)
    found["spec"]["template"]["spec"]["containers"][0]["ports"] = [{"containerPort": 8080}]
    return found


def updating(*steps: Any, world: World | None = None, **spec: Any) -> World:
    """A second revision on its way, the first being stable."""
    found = world or World(serving(replicas=2, steps=list(steps or (STEP, {"setWeight": 50}, {"pause": {}})), **spec))
    found.settle()
    found.image("app:2")
    found.settle()
    return found


def only(world: World) -> dict[str, Any]:
    (found,) = world.experiments.values()
    return found


def ends(world: World, phase: str, message: str = "", *, name: str | None = None) -> None:
    experiment = only(world) if name is None else world.experiments[name]
    experiment["status"] = {"phase": phase, **({"message": message} if message else {})}
    world.settle()


def label(world: World, image: str) -> str:
    (found,) = [rs for rs in world.sets.values() if rs["spec"]["template"]["spec"]["containers"][0]["image"] == image]
    digest: str = found["metadata"]["labels"]["rollouts-pod-template-hash"]
    return digest


def test_makes_an_experiment_of_copies_and_waits_for_it() -> None:
    world = updating()
    stable, canary = label(world, "app:1"), label(world, "app:2")
    made = only(world)
    assert made["metadata"]["name"] == world.status["canary"]["currentExperiment"] == f"app-{canary}-2-0"
    assert made["metadata"]["labels"] == {"rollouts-pod-template-hash": canary}
    assert made["metadata"]["annotations"] == {"rollout.argoproj.io/revision": "2"}
    assert [owner["kind"] for owner in made["metadata"]["ownerReferences"]] == ["Rollout"]
    assert {key: value for key, value in made["spec"].items() if key != "templates"} == {
        "duration": "1m",
        "progressDeadlineSeconds": 600,
    }
    images = {t["name"]: t["template"]["spec"]["containers"][0]["image"] for t in made["spec"]["templates"]}
    assert images == {"baseline": "app:1", "candidate": "app:2"}
    for template, digest in zip(made["spec"]["templates"], (stable, canary), strict=True):
        labels = {"app": "app", "rollouts-pod-template-hash": digest}
        assert template["selector"] == {"matchLabels": labels}
        assert template["template"]["metadata"] == {"labels": labels}
    assert (world.status["currentStepIndex"], world.replicas) == (0, {"app:1": 2, "app:2": 0})
    assert world.events[-4:] == ["RolloutUpdated", "NewReplicaSetCreated", "RolloutNotCompleted", "ExperimentCreated"]


def test_success_goes_on() -> None:
    world = updating()
    ends(world, "Running")
    assert world.status["currentStepIndex"] == 0
    ends(world, "Successful")
    assert (world.status["currentStepIndex"], world.status["phase"]) == (2, "Paused")
    assert "currentExperiment" not in world.status["canary"]
    assert "terminate" not in only(world)["spec"]


@pytest.mark.parametrize(("phase", "message", "why"), [("Failed", "too slow", ": too slow"), ("Error", "", "")])
def test_failure_aborts(phase: str, message: str, why: str) -> None:
    world = updating({"setWeight": 50}, STEP)
    assert world.replicas == {"app:1": 1, "app:2": 1}
    ends(world, phase, message)
    text = f"RolloutAborted: Rollout aborted update to revision 2: Experiment phase is error/failed{why}"
    assert (world.status["phase"], world.status["message"]) == ("Degraded", text)
    assert world.replicas == {"app:1": 2, "app:2": 0}
    assert "currentExperiment" not in world.status["canary"]


def test_retry_makes_another() -> None:
    world = updating()
    ends(world, "Failed")
    first = only(world)["metadata"]["name"]
    world.advance(5)
    world.command(abort=False)
    world.settle()
    assert list(world.experiments) == [first, f"{first}-1"]
    assert world.status["canary"]["currentExperiment"] == f"{first}-1"
    ends(world, "Successful", name=f"{first}-1")
    assert world.status["phase"] == "Paused"


def test_inconclusive_pauses_and_promoting_goes_on() -> None:
    world = updating()
    ends(world, "Inconclusive", "hard to say")
    assert (world.status["phase"], world.status["message"]) == ("Paused", "InconclusiveExperiment")
    assert world.status["controllerPause"] is True
    world.command(pauseConditions=None)
    world.settle()
    assert (world.status["currentStepIndex"], world.status["message"]) == (2, "CanaryPauseStep")


@pytest.mark.parametrize(
    "command",
    [
        lambda world: world.command(abort=True),
        lambda world: world.command(promoteFull=True),
        lambda world: world.image("app:3"),
        lambda world: world.image("app:1"),
        lambda world: world.command(currentStepIndex=1),
        lambda world: world.edit(strategy={"canary": {"steps": [{"pause": {}}]}}),
    ],
    ids=["abort", "promote full", "another image", "roll back", "skip", "other steps"],
)
def test_one_that_nothing_waits_for_is_told_to_end(command: Any) -> None:
    world = updating()
    ends(world, "Running")
    first = only(world)["metadata"]["name"]
    command(world)
    world.settle()
    assert world.experiments[first]["spec"]["terminate"] is True
    assert world.status["canary"].get("currentExperiment") != first


def test_a_manual_pause_leaves_it_alone() -> None:
    world = updating()
    world.edit(paused=True)
    world.settle()
    assert "terminate" not in only(world)["spec"]
    assert world.status["canary"]["currentExperiment"] == only(world)["metadata"]["name"]


def test_one_the_status_could_not_name_is_taken_up() -> None:
    world = World(rollout(replicas=2, steps=[STEP]))
    world.settle()
    world.image("app:2")
    with pytest.raises(CrashedError):
        world.apply(world.plan(), die_after=3)
    assert len(world.experiments) == 1
    world.settle()
    assert world.status["canary"]["currentExperiment"] == only(world)["metadata"]["name"]


@pytest.mark.parametrize("die_after", range(1, 6))
def test_dying_after_any_write_makes_no_second_one(die_after: int) -> None:
    world = World(rollout(replicas=2, steps=[{"setWeight": 50}, STEP, {"setWeight": 60}]))
    world.settle()
    world.image("app:2")
    for _ in range(10):
        with contextlib.suppress(CrashedError):
            world.apply(world.plan(), die_after=die_after)
        world.pods()
    world.settle()
    ends(world, "Successful")
    assert world.status["phase"] == "Healthy"
    assert len(world.experiments) == 1


def test_each_step_has_its_own() -> None:
    world = updating(STEP, *({"setWeight": 10},) * 9, {"pause": {}}, STEP)
    first = only(world)["metadata"]["name"]
    ends(world, "Successful")
    world.command(pauseConditions=None)
    world.settle()
    second = f"{first.removesuffix('-0')}-11"
    assert list(world.experiments) == [first, second]


def test_everything_a_template_may_ask_for() -> None:
    asked = {
        "name": "candidate",
        "specRef": "canary",
        "replicas": 3,
        "metadata": {"labels": {"tier": "test"}, "annotations": {"note": "x"}},
        "selector": {"matchLabels": {"tier": "test"}},
        "service": {"name": "named"},
    }
    step = {
        "templates": [asked],
        "scaleDownDelaySeconds": 5,
        "dryRun": [{"metricName": ".*"}],
        "analysisRunMetadata": {"labels": {"a": "b"}},
    }
    world = updating({"experiment": step}, minReadySeconds=7, progressDeadlineSeconds=90)
    spec = only(world)["spec"]
    assert {key: spec[key] for key in spec if key != "templates"} == {
        "scaleDownDelaySeconds": 5,
        "dryRun": [{"metricName": ".*"}],
        "analysisRunMetadata": {"labels": {"a": "b"}},
        "progressDeadlineSeconds": 90,
    }
    (template,) = spec["templates"]
    assert {key: template[key] for key in ("replicas", "selector", "service", "minReadySeconds")} == {
        "replicas": 3,
        "selector": {"matchLabels": {"tier": "test"}},
        "service": {"name": "named"},
        "minReadySeconds": 7,
    }
    metadata = template["template"]["metadata"]
    assert (metadata["labels"]["tier"], metadata["annotations"]) == ("test", {"note": "x"})


def test_what_a_controller_put_into_the_stable_is_not_copied() -> None:
    canary = {
        "stableMetadata": {"labels": {"role": "stable"}},
        "canaryMetadata": {"labels": {"role": "canary"}},
        "antiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {}},
    }
    world = updating(canary=canary)
    for template in only(world)["spec"]["templates"]:
        assert "role" not in template["template"]["metadata"]["labels"]
        assert "affinity" not in template["template"]["spec"]


# --- its analyses


RATE = {
    "spec": {
        "args": [{"name": "hash"}, {"name": "stable"}, {"name": "app"}, {"name": "own"}],
        "metrics": [{"name": "m", "provider": {"web": {"url": "http://x"}}}],
    }
}


def measured(*args: Any, template: str = "rate") -> Any:
    return {"experiment": {**STEP["experiment"], "analyses": [{"name": "a", "templateName": template, "args": args}]}}


def test_arguments_that_speak_of_the_rollout_are_filled_in() -> None:
    args = [
        {"name": "hash", "valueFrom": {"podTemplateHashValue": "Latest"}},
        {"name": "stable", "valueFrom": {"podTemplateHashValue": "Stable"}},
        {"name": "app", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "own", "value": "{{templates.candidate.podTemplateHash}}"},
    ]
    step = measured(*args)
    world = updating(world=World(rollout(replicas=2, steps=[step]), templates={"rate": RATE}))
    (analysis,) = only(world)["spec"]["analyses"]
    assert analysis == {
        "name": "a",
        "templateName": "rate",
        "args": [
            {"name": "hash", "value": label(world, "app:2")},
            {"name": "stable", "value": label(world, "app:1")},
            {"name": "app", "value": "app"},
            {"name": "own", "value": "{{templates.candidate.podTemplateHash}}"},
        ],
    }


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (
            measured(template="none"),
            "analyses[0].templateName: Invalid value: \"none\": AnalysisTemplate 'none' not found",
        ),
        (measured(), "analyses[0].args: args.hash was not resolved: no value is given"),
        (
            measured({"name": "app", "valueFrom": {"fieldRef": {"fieldPath": "spec.nowhere"}}}),
            'analyses[0].args[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.nowhere"',
        ),
    ],
)
def test_an_analysis_that_cannot_start_makes_the_rollout_invalid(step: Any, words: str) -> None:
    world = World(rollout(steps=[{"setWeight": 20}, step]), templates={"rate": RATE})
    world.settle()
    assert world.status["message"].startswith('InvalidSpec: The Rollout "app" is invalid: ')
    assert f"spec.strategy.canary.steps[1].experiment.{words}" in world.status["message"]


# --- traffic


def routed() -> World:
    weighed = [{**template, "weight": 5} for template in BOTH]
    step = {"experiment": {"templates": weighed}}
    canary = {
        "trafficRouting": {"plugins": {"test/router": {"configMap": "split"}}},
        "canaryService": "canary",
        "stableService": "stable",
    }
    world = World(
        serving(replicas=2, steps=[step, {"setWeight": 50}, {"pause": {}}], canary=canary),
        services=["canary", "stable"],
        routers=ROUTER,
    )
    world.routes["split"] = {"metadata": {"name": "split"}, "data": {}}
    return updating(world=world)


def test_its_templates_get_traffic_from_the_stable_while_it_runs() -> None:
    world = routed()
    assert all(template["service"] == {} for template in only(world)["spec"]["templates"])
    weights = world.status["canary"]["weights"]
    assert (weights["stable"]["weight"], "additional" in weights) == (100, False)
    only(world)["status"] = {
        "phase": "Running",
        "templateStatuses": [
            {"name": "baseline", "serviceName": "b", "podTemplateHash": "bb"},
            {"name": "candidate", "serviceName": "c", "podTemplateHash": "cc"},
        ],
    }
    world.settle()
    weights = world.status["canary"]["weights"]
    assert (weights["canary"]["weight"], weights["stable"]["weight"]) == (0, 90)
    assert weights["additional"] == [
        {"weight": 5, "serviceName": "b", "podTemplateHash": "bb"},
        {"weight": 5, "serviceName": "c", "podTemplateHash": "cc"},
    ]
    ends(world, "Successful")
    weights = world.status["canary"]["weights"]
    assert (weights["canary"]["weight"], weights["stable"]["weight"], "additional" in weights) == (50, 50, False)


def test_its_share_comes_from_the_stable_while_the_canary_keeps_its_own() -> None:
    step = {"experiment": {"templates": [{**BOTH[0], "weight": 5}]}}
    canary = {
        "trafficRouting": {"plugins": {"test/router": {"configMap": "split"}}},
        "canaryService": "canary",
        "stableService": "stable",
    }
    world = World(
        serving(replicas=2, steps=[{"setWeight": 50}, step, {"pause": {}}], canary=canary),
        services=["canary", "stable"],
        routers=ROUTER,
    )
    world.routes["split"] = {"metadata": {"name": "split"}, "data": {}}
    updating(world=world)
    running = [{"name": "baseline", "serviceName": "b", "podTemplateHash": "bb"}]
    only(world)["status"] = {"phase": "Running", "templateStatuses": running}
    world.settle()
    weights = world.status["canary"]["weights"]
    assert (weights["canary"]["weight"], weights["stable"]["weight"]) == (50, 45)
    assert [part["weight"] for part in weights["additional"]] == [5]


# --- history, the peer's objects


def test_old_ones_are_forgotten() -> None:
    history = {"successfulRunHistoryLimit": 1, "unsuccessfulRunHistoryLimit": 1}
    world = World(rollout(replicas=2, steps=[STEP], analysis=history))
    world.settle()
    for image in ("app:2", "app:3", "app:4"):
        world.advance(10)
        world.image(image)
        world.settle()
        newest = list(world.experiments)[-1]
        ends(world, "Successful", name=newest)
    assert world.status["phase"] == "Healthy"
    assert list(world.experiments) == [newest]


def test_the_one_made_is_the_peers() -> None:
    snapshot, now = recorded("experiment-1-running")
    (theirs,) = snapshot.experiments
    alone = {**snapshot.rollout, "status": {**snapshot.rollout["status"], "canary": {}}}
    plan = decide(Snapshot(rollout=alone, replica_sets=snapshot.replica_sets), now)
    (made,) = [write.body for write in plan.writes]
    for part in ("name", "labels", "annotations", "ownerReferences"):
        assert made["metadata"][part] == theirs["metadata"][part]
    assert made["spec"] == theirs["spec"]
