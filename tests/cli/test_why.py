"""Why it waits: one sentence for each of the states a Rollout can be in."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from rollouts.cli.why import why
from tests.cli.recorded import moment, seen

Change = Callable[[dict[str, Any]], None]


def status(**fields: Any) -> Change:
    return lambda rollout: rollout["status"].update(fields)


def spec(**fields: Any) -> Change:
    return lambda rollout: rollout["spec"].update(fields)


def both(*changes: Change) -> Change:
    def change(rollout: dict[str, Any]) -> None:
        for each in changes:
            each(rollout)

    return change


def condition(kind: str, message: str) -> Change:
    return lambda rollout: rollout["status"]["conditions"].append({"type": kind, "status": "True", "message": message})


def pause(reason: str) -> Change:
    return status(pauseConditions=[{"reason": reason, "startTime": "2026-11-21T06:21:33Z"}])


def step_pauses(duration: Any) -> Change:
    return lambda rollout: rollout["spec"]["strategy"]["canary"]["steps"][1].update(pause={"duration": duration})


def blue_green(**fields: Any) -> Change:
    return lambda rollout: rollout["spec"]["strategy"]["blueGreen"].update(fields)


def nothing(rollout: dict[str, Any]) -> None:
    """The recording as it is."""


@pytest.mark.parametrize(
    ("story", "change", "reason"),
    [
        ("canary-1", nothing, None),
        ("canary-5", nothing, None),
        ("canary-2", nothing, "waits for a promotion, 4s so far (step 2 of 4, pause)"),
        ("canary-2", step_pauses(60), "waits for the pause of 1m to pass, 56s left (step 2 of 4, pause: 60s)"),
        ("canary-2", step_pauses("1h"), "waits for the pause of 1h to pass, 59m56s left (step 2 of 4, pause: 1h)"),
        (
            "canary-2",
            step_pauses(2),
            "waits for the pause of 2s to pass, over, the controller goes on (step 2 of 4, pause: 2s)",
        ),
        (
            "canary-2",
            pause("InconclusiveAnalysisRun"),
            "waits for a person to decide, 4s so far: the measurements were inconclusive (step 2 of 4, pause)",
        ),
        ("canary-2", pause("SomethingNew"), "waits for a promotion, 4s so far (step 2 of 4, pause)"),
        ("canary-2", status(pauseConditions=None), "waits for the controller to go on after a promotion"),
        ("canary-2", spec(paused=True), "paused by a person (spec.paused)"),
        (
            "canary-2",
            status(observedGeneration="1"),
            "the controller hasn't seen the latest change yet; is it running?",
        ),
        ("canary-3", nothing, "aborted 5s ago; stable serves until a new revision or a retry"),
        (
            "analysis-2",
            nothing,
            "aborted 5s ago after app-5f5db89b74-2-2 failed; stable serves until a new revision or a retry",
        ),
        (
            "canary-6",
            nothing,
            "no progress for more than 20s: 0 of 1 pod of revision 3 ready; app-7d4d756755-fcw52 is Pending",
        ),
        ("canary-8", nothing, "paused by a person (spec.paused)"),
        ("canary-10", nothing, "waits for pods to be restarted: 1 of 5 pods done"),
        ("canary-11", nothing, None),
        ("analysis-1", nothing, "waits for analysis app-5f5db89b74-2-1: job measured 1 of 2 (step 2 of 3, analysis)"),
        ("experiment-1", nothing, "waits for experiment app-5f5db89b74-2-0, 2s left (step 1 of 3, experiment)"),
        (
            "istio-1",
            condition("TrafficFailure", "VirtualService vs not found"),
            "traffic does not follow: VirtualService vs not found",
        ),
        ("istio-2", condition("TrafficFailure", "no"), "waits for a promotion, 4s so far (step 2 of 4, pause)"),
        (
            "canary-3",
            condition("ReconcileError", "Failed to scale app-65757c859c up: no"),
            "the controller can't do what it should: Failed to scale app-65757c859c up: no",
        ),
        ("bluegreen-2", nothing, "waits for a promotion, 4s so far"),
        ("bluegreen-2", blue_green(autoPromotionSeconds=30), "waits for a promotion, 4s so far"),
        (
            "bluegreen-2",
            blue_green(autoPromotionEnabled=True, autoPromotionSeconds=30),
            "waits for the pause of 30s to pass, 26s left",
        ),
        ("invalid-1", nothing, "the spec is invalid, nothing is changed until it is mended"),
    ],
)
def test_the_reason(story: str, change: Change, reason: str | None) -> None:
    found = why(seen(story, change), now=moment(story))
    assert (found and found.reason) == reason


@pytest.mark.parametrize(
    ("story", "verbs"),
    [
        ("canary-2", ("promote app", "abort app")),
        ("canary-3", ("retry rollout app", "undo app")),
        ("canary-6", ("undo app", "abort app")),
        ("canary-8", ("promote app",)),
    ],
)
def test_what_to_do_about_it(story: str, verbs: tuple[str, ...]) -> None:
    found = why(seen(story), now=moment(story))
    assert found is not None
    assert found.verbs == verbs


def test_an_ailing_pod_is_named_with_its_complaint() -> None:
    world = seen("canary-6")
    (pod,) = [item for item in world.pods if item["metadata"]["name"].startswith("app-7d4d756755")]
    waiting = {"reason": "ImagePullBackOff", "message": 'Back-off pulling image "example/app:does-not-exist"'}
    pod["status"]["containerStatuses"] = [{"name": "app", "ready": False, "state": {"waiting": waiting}}]  # type: ignore[index]
    found = why(world, now=moment("canary-6"))
    assert found is not None
    assert found.reason.endswith(
        'app-7d4d756755-fcw52 is ImagePullBackOff (Back-off pulling image "example/app:does-not-exist")'
    )


def test_an_experiment_whose_pods_do_not_come_up_says_why() -> None:
    world = seen("experiment-1")
    status = world.experiments[0]["status"]
    status |= {"phase": "Pending", "availableAt": None, "message": "container app: ImagePullBackOff"}  # type: ignore[operator]
    found = why(world, now=moment("experiment-1"))
    assert found is not None
    assert found.reason.endswith("(step 1 of 3, experiment): container app: ImagePullBackOff")


def test_a_background_analysis_holds_nobody() -> None:
    world = seen("analysis-1")
    world.runs[0]["metadata"]["labels"]["rollout-type"] = "Background"
    assert why(world, now=moment("analysis-1")) is None


def test_a_restart_to_come_is_no_reason_yet() -> None:
    later: datetime = moment("canary-11") + timedelta(hours=1)
    change = both(spec(restartAt=later.strftime("%Y-%m-%dT%H:%M:%SZ")))
    assert why(seen("canary-11", change), now=moment("canary-11")) is None
