"""Every event reason of the peer that belongs to no concrete router: a story that ends in it, its type, its words.

The table is the contract (argo-rollouts.md §1.15): a reason that is lost from the code fails its row, and the page for
users (docs/events.md) must name exactly these and our own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from analysis.spec import RunStatus
from rollouts.engine.deletions import Deletions
from rollouts.engine.errors import ApiError, Attempt
from rollouts.engine.events import Recorder
from rollouts.engine.measuring import told
from rollouts.engine.reconcile import fault
from rollouts.plan import Event
from tests.engine.memory import MemoryApi
from tests.engine.objects import rollout as object_
from tests.experiments.world import World as Trial
from tests.experiments.world import analysis as analyses
from tests.experiments.world import experiment, template
from tests.strategy.test_analysis import measured, only_run
from tests.strategy.test_bluegreen import blue_green
from tests.strategy.test_experiment_step import STEP
from tests.strategy.test_routed import routed
from tests.strategy.test_step_plugins import at_plugin
from tests.strategy.world import World, rollout

ABSENT = {"phase": "Error", "message": "not installed", "absent": True}
PAGE = Path(__file__).parents[2] / "docs" / "events.md"
OURS = frozenset({"InvalidSpec", "PodsNotComingUp"})
RESULTS = ("Running", "Successful", "Failed", "Error", "Inconclusive")
ROUTERS = frozenset(
    {
        *("TargetGroupVerified", "TargetGroupUnverified", "TargetGroupVerifyError", "LoadBalancerNotFound"),
        *("CreatingCanaryIngress", "PatchingCanaryIngress", "PatchingALBIngress"),
        *("TrafficSplitCreated", "TrafficSplitNotCreated", "Updated VirtualService", "UpdatedDestinationRule"),
        *("VirtualServiceNotFound", "DestinationRuleNotFound", "VirtualNodeNotFound", "VirtualRouterNotFound"),
    }
)
"""They come with the routers they belong to."""


def canary(*commands: Callable[[World], Any], **options: Any) -> World:
    """A first version, a second one at its pause, then whatever people do."""
    world = World(rollout(**{"steps": [{"setWeight": 20}, {"pause": {}}], **options}))
    world.settle()
    for command in (lambda it: it.image("app:2"), *commands):
        command(world)
        world.settle()
    return world


def broken_route(**data: str) -> World:
    world = routed(verify=True)
    world.routes["routes"]["data"] |= data
    world.image("app:2")
    world.settle()
    return world


def without_route() -> World:
    world = routed()
    world.routes.clear()
    world.image("app:2")
    world.settle()
    return world


def without_service() -> World:
    world = blue_green()
    del world.services["active"]
    world.reconcile()
    return world


def judged(phase: str) -> World:
    world = measured()
    world.finish(only_run(world)["metadata"]["name"], phase)
    world.settle()
    return world


def trying() -> World:
    return canary(steps=[STEP])


def tried(phase: str) -> Trial:
    """An Experiment whose one analysis ends like this, while another still runs."""
    trial = Trial(experiment(duration="1h", analyses=[analyses(), analyses("other")]))
    trial.settle()
    trial.finish("exp-other", "Running")
    trial.finish("exp-check", phase)
    trial.finish("exp-other", "Successful")
    return trial


def ended() -> Trial:
    trial = Trial(experiment(duration="1m"))
    trial.settle()
    trial.advance(61)
    return trial


def late() -> Trial:
    trial = Trial(experiment(progressDeadlineSeconds=10))
    trial.reconcile()
    trial.advance(11)
    return trial


def impossible() -> Trial:
    """Its Service has the name of somebody else's."""
    trial = Trial(experiment(template(ports=[{"containerPort": 80}], service={"name": "web"})))
    trial.taken = {"taken_services": frozenset({"web"})}
    trial.settle()
    return trial


def failing(verb: str, kind: str = "ReplicaSet") -> list[Event]:
    error = ApiError("no")
    error.attempt = Attempt(verb=verb, kind=kind, name="app-5f6c")
    return [fault(error)]


def deleted() -> list[Event]:
    recorder = Kept()
    Deletions(recorder).tell(object_())
    return recorder.kept


class Kept(Recorder):
    """Keeps what it is told."""

    def __init__(self) -> None:
        super().__init__(MemoryApi())
        self.kept: list[Event] = []

    def record(self, obj: Any, event: Event) -> None:
        self.kept.append(event)


def metrics(phase: str) -> list[Event]:
    before = {"phase": "Running", "metricResults": [{"name": "rate", "phase": "Running"}]}
    after = {"phase": phase, "metricResults": [{"name": "rate", "phase": phase}]}
    return list(told(RunStatus.model_validate(before), RunStatus.model_validate(after)))


def resumed(world: World) -> None:
    world.advance(11)


Story = Callable[[], Any]
ROWS: list[tuple[str, str, str, Story]] = [
    ("RolloutAddedToInformer", "Normal", r"Rollout resource added to informer: ns/app", canary),
    ("RolloutDeleted", "Normal", r"Rollout web/ns is deleted\.", deleted),
    ("RolloutUpdated", "Normal", r"Rollout updated to revision 2", canary),
    ("RolloutNotCompleted", "Normal", r"Rollout not completed, started update to revision 2 \(\w+\)", canary),
    ("NewReplicaSetCreated", "Normal", r"Created ReplicaSet app-\w+ \(revision 2\)", canary),
    ("ScalingReplicaSet", "Normal", r"Scaled up ReplicaSet app-\w+ \(revision 1\) from 0 to 5", canary),
    ("ReplicaSetCreateError", "Warning", r'Failed to create new replica set "app-5f6c": no', lambda: failing("create")),
    ("ReplicaSetUpdateError", "Warning", r"Failed to scale app-5f6c up: no", lambda: failing("scale up")),
    ("ReplicaSetUpdateError", "Warning", r"Failed to update app-5f6c: no", lambda: failing("update")),
    ("RolloutPaused", "Normal", r"Rollout is paused \(CanaryPauseStep\)", canary),
    (
        "RolloutResumed",
        "Normal",
        r"Rollout is resumed",
        lambda: canary(resumed, steps=[{"setWeight": 20}, {"pause": {"duration": 10}}]),
    ),
    ("RolloutStepCompleted", "Normal", r"Rollout step 1/2 completed \(setWeight: 20\)", canary),
    ("TrafficWeightUpdated", "Normal", r"Traffic weight updated from 0 to 20", lambda: broken_route()),
    (
        "RolloutAborted",
        "Warning",
        r"Rollout aborted update to revision 2",
        lambda: canary(lambda it: it.command(abort=True)),
    ),
    (
        "RolloutCompleted",
        "Normal",
        r"Rollout completed update to revision 2 \(\w+\): Completed all 2 canary steps",
        lambda: canary(lambda it: it.command(pauseConditions=None)),
    ),
    ("SkipSteps", "Normal", r"Rollback to stable ReplicaSets", lambda: canary(lambda it: it.image("app:1"))),
    (
        "SwitchService",
        "Normal",
        r"Switched selector for service 'active' from '' to '\w+'",
        lambda: settled(blue_green()),
    ),
    ("TrafficRoutingError", "Warning", r"ConfigMap routes not found", without_route),
    (
        "WeightVerifyError",
        "Warning",
        r"Failed to verify weight: no answer",
        lambda: broken_route(broken="no answer"),
    ),
    (
        "ServiceReferenceError",
        "Warning",
        r'spec.strategy.blueGreen.activeService: Invalid value: "active": service "active" not found',
        without_service,
    ),
    (
        "StepPluginTransition",
        "Normal",
        r"Step plugin acme/approve \(step 2\) transitioned to Running: soon",
        lambda: at_plugin({"phase": "Running", "message": "soon"}),
    ),
    (
        "StepPluginTransition",
        "Warning",
        r"Step plugin acme/approve \(step 2\) transitioned to Failed: no",
        lambda: at_plugin({"phase": "Failed", "message": "no"}),
    ),
    ("ReconciliationError", "Warning", r"Reconciliation failed with error: not installed", lambda: at_plugin(ABSENT)),
    ("ReconciliationError", "Warning", r"no", lambda: failing("update", "Service")),
    ("AnalysisRunTerminating", "Normal", r"Terminating other \(exp-other\)", lambda: tried("Failed")),
    ("AnalysisRunPending", "Normal", r"Analysis 'check' transitioned from  -> Pending", lambda: tried("Failed")),
    ("AnalysisRunFailed", "Warning", r"Analysis 'check' transitioned from Pending -> Failed", lambda: tried("Failed")),
    (
        "AnalysisRunInconclusive",
        "Warning",
        r"Analysis 'check' transitioned from Pending -> Inconclusive",
        lambda: tried("Inconclusive"),
    ),
    ("AnalysisRunFailed", "Warning", r"Analysis Completed\. Result: Failed", lambda: metrics("Failed")),
    ("AnalysisRunSuccessful", "Normal", r"Analysis Completed\. Result: Successful", lambda: metrics("Successful")),
    ("ExperimentCreated", "Normal", r"Created Experiment 'app-\w+-2-0'", trying),
    ("ExperimentPending", "Normal", r"Experiment transitioned from  -> Pending", ended),
    ("ExperimentRunning", "Normal", r"Experiment transitioned from Pending -> Running", ended),
    ("ExperimentSuccessful", "Normal", r"Experiment transitioned from Running -> Successful", ended),
    ("TemplateProgressing", "Normal", r"Template 'candidate' transitioned from  -> Progressing", ended),
    ("TemplateRunning", "Normal", r"Template 'candidate' transitioned from Progressing -> Running", ended),
    ("TemplateSuccessful", "Normal", r"Template 'candidate' transitioned from Running -> Successful", ended),
    ("TemplateFailed", "Warning", r"Template 'candidate' transitioned from Progressing -> Failed: .*", late),
    ("TemplateError", "Warning", r"Template 'candidate' transitioned from  -> Error: .*", impossible),
    *(
        (f"Experiment{phase}", "Warning", rf"Experiment transitioned from \w+ -> {phase}", lambda p=phase: tried(p))  # type: ignore[misc]
        for phase in ("Failed", "Error", "Inconclusive")
    ),
    *(
        (
            f"AnalysisRun{phase}",
            "Warning" if phase in {"Failed", "Error"} else "Normal",
            rf"Step Analysis Run 'app-\w+-2-1' Status New: '{phase}' Previous: ''",
            lambda p=phase: judged(p),  # type: ignore[misc]
        )
        for phase in RESULTS
    ),
    *(
        (
            f"Metric{phase}",
            "Warning" if phase in {"Failed", "Error"} else "Normal",
            rf"Metric 'rate' Completed\. Result: {phase}",
            lambda p=phase: metrics(p),  # type: ignore[misc]
        )
        for phase in RESULTS
        if phase != "Running"
    ),
]


def settled(world: World) -> World:
    world.settle()
    return world


def events_of(story: Any) -> list[Event]:
    return list(story.told) if hasattr(story, "told") else list(story)


@pytest.mark.parametrize(("reason", "type_", "words", "story"), ROWS, ids=[f"{row[0]}-{row[1]}" for row in ROWS])
def test_a_story_ends_in_it_once(reason: str, type_: str, words: str, story: Story) -> None:
    told = events_of(story())
    same = [event.type for event in told if event.reason == reason and re.fullmatch(words, event.message)]
    assert same == [type_], [event for event in told if event.reason == reason]


def test_the_page_names_every_reason_and_no_other() -> None:
    named = re.findall(r"^\| `(\w+)` \|", PAGE.read_text().partition("On a [GitSync]")[0], flags=re.MULTILINE)
    assert set(named) == {row[0] for row in ROWS} | OURS
    assert len(named) == len(set(named))


def reasons_in(source: str) -> Iterable[str]:
    return re.findall(r'reason="(\w+)"', source)


def test_the_code_has_no_reason_that_the_table_lacks() -> None:
    root = PAGE.parents[1] / "rollouts"
    known = {row[0] for row in ROWS} | OURS | {"AvailableReason", "RolloutHealthy"}
    files = [path for path in root.rglob("*.py") if "gitops" not in path.parts and path.name != "conditions.py"]
    written = {reason for path in files for reason in reasons_in(path.read_text())}
    assert written and written <= known, written - known
    assert not written & ROUTERS
