"""The moments that are recorded: what is created, what is done until it is there, and the command that goes on from it.

Each has a namespace of its own, so that all of them are there at once when the controller is stopped. A moment has to
stay as it is until it was looked at: what takes its time (a pause, a delay, a measurement) takes an hour.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rollouts.api import kinds
from tests.cluster.space import JSON, Space, blue_green, container, rollout, service

PAUSE: JSON = {"pause": {}}
STEPS = [{"setWeight": 25}, PAUSE, {"setWeight": 50}, {"pause": {"duration": "1h"}}, {"setWeight": 75}, PAUSE]
DELAYS = {"autoPromotionEnabled": False, "scaleDownDelaySeconds": 3600, "abortScaleDownDelaySeconds": 3600}
Do = Callable[[Space], None]


@dataclass(frozen=True, kw_only=True)
class Moment:
    """`arrive`: from nothing to the moment, with a controller; `go_on`: a command and what has to come of it."""

    arrive: Do
    go_on: Do


# --- on the way there


def measured(space: Space, url: str, *names: str) -> None:
    """Templates whose metric is measured once, and then in an hour."""
    for name in names:
        metric = {
            "name": name,
            "interval": "1h",
            "count": 2,
            "successCondition": "result > 0",
            "provider": {"web": {"url": url, "jsonPath": "{$.value}"}},
        }
        head = {"apiVersion": kinds.ROLLOUT.api_version, "kind": "AnalysisTemplate", "metadata": {"name": name}}
        space.create({**head, "spec": {"metrics": [metric]}})


def until_measured(space: Space) -> None:
    """Each run has a first measurement, and the Rollout says so."""

    def look() -> bool:
        runs = space.runs()
        return bool(runs) and all(run.get("status", {}).get("metricResults") for run in runs)

    space.until("a measurement", look)


def released(space: Space, body: JSON) -> None:
    """Its first version."""
    space.create(body)
    space.until_phase("Healthy", seconds=60)


def updated(space: Space, body: JSON) -> None:
    """Its second version, at the first pause."""
    released(space, body)
    space.set_image("example/app:2")
    space.until_paused(at=1)


def canary_healthy(space: Space) -> None:
    """Of the second version, so that there is a past."""
    updated(space, rollout(replicas=4, steps=STEPS[:2]))
    space.promote()
    space.until_phase("Healthy")


def canary_paused(space: Space) -> None:
    updated(space, rollout(replicas=4, steps=STEPS))


def canary_timed_pause(space: Space) -> None:
    canary_paused(space)
    space.promote()
    space.until_paused(at=3)


def canary_aborted(space: Space) -> None:
    canary_timed_pause(space)
    space.abort()
    space.until_phase("Degraded")
    space.until("the canary is gone", lambda: space.sizes()["2"] == 0 and space.status()["availableReplicas"] == 4)


def canary_third(space: Space) -> None:
    """The third version at its first pause, which the second never left."""
    canary_paused(space)
    space.set_image("example/app:3")
    space.until_paused(at=1)


def canary_by_hand(space: Space) -> None:
    canary_paused(space)
    space.edit(paused=True)
    space.until_phase("Paused", message="manually paused")


def canary_deadline(space: Space) -> None:
    released(space, rollout(replicas=4, steps=STEPS, progressDeadlineSeconds=3))
    space.set_image("example/does-not-exist:2")
    space.until_phase("Degraded", seconds=60)


def services(space: Space) -> None:
    space.create(service("stable"), service("canary"))
    updated(space, rollout(replicas=4, steps=STEPS, canary={"stableService": "stable", "canaryService": "canary"}))


def roles(space: Space) -> None:
    """Pods with metadata of their role and a term of anti-affinity, and a template Kubernetes fills much into."""
    more: JSON = {
        "canaryMetadata": {"labels": {"role": "canary"}, "annotations": {"said": "canary"}},
        "stableMetadata": {"labels": {"role": "stable"}},
        "antiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": {"weight": 10}},
    }
    body = rollout(replicas=4, steps=STEPS, canary=more)
    probe = {"httpGet": {"path": "/", "port": 8080}}
    pods = {"containers": [container("example/app:1", readinessProbe=probe, env=[{"name": "A", "value": "<&>"}])]}
    body["spec"]["template"]["spec"] = {**pods, "volumes": [{"name": "tmp", "emptyDir": {"sizeLimit": "1.5Gi"}}]}
    updated(space, body)


def analysing(space: Space, url: str) -> None:
    """An analysis as a step, and one in the background."""
    measured(space, url, "inline", "background")
    step = {"analysis": {"templates": [{"templateName": "inline"}]}}
    background = {"analysis": {"templates": [{"templateName": "background"}]}}
    released(space, rollout(replicas=4, steps=[{"setWeight": 25}, step, PAUSE], canary=background))
    space.set_image("example/app:2")
    space.until_status(currentStepIndex=1)
    space.until("both runs", lambda: len(space.runs()) == 2)
    until_measured(space)


def experimenting(space: Space) -> None:
    parts = [{"name": "base", "specRef": "stable"}, {"name": "candidate", "specRef": "canary"}]
    step = {"experiment": {"duration": "1h", "templates": parts}}
    released(space, rollout(replicas=4, steps=[{"setWeight": 25}, step, PAUSE]))
    space.set_image("example/app:2")
    space.until_status(currentStepIndex=1)
    space.until("it runs", lambda: all(e.get("status", {}).get("phase") == "Running" for e in experiments(space)))


def experiments(space: Space) -> list[JSON]:
    found = space.list(kinds.EXPERIMENT)
    assert found
    return found


def blue_green_preview(space: Space, **more: object) -> None:
    space.create(service("active"), service("preview"))
    released(space, blue_green(replicas=3, strategy={**DELAYS, **more}))
    space.set_image("example/app:2")
    space.until_phase("Paused", message="BlueGreenPause")


def blue_green_delayed(space: Space) -> None:
    """Switched, the old pods still there."""
    blue_green_preview(space)
    space.promote()
    space.until_phase("Healthy")


def blue_green_healthy(space: Space) -> None:
    """Switched, the old pods gone."""
    blue_green_preview(space, scaleDownDelaySeconds=1)
    space.promote()
    space.until_phase("Healthy")
    space.until("the old pods are gone", lambda: space.sizes() == {"1": 0, "2": 3})


def blue_green_aborted(space: Space) -> None:
    blue_green_preview(space)
    space.abort()
    space.until_phase("Degraded")


def workload(space: Space) -> None:
    """The pods of a Deployment, whose image was changed."""
    pods = rollout()["spec"]["template"]
    spec = {"replicas": 3, "selector": {"matchLabels": {"app": "app"}}, "template": pods}
    space.create({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "old"}, "spec": spec})
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "old"}
    body = rollout(replicas=3, steps=STEPS, workloadRef=reference)
    del body["spec"]["template"], body["spec"]["selector"]
    released(space, body)
    space.patch(kinds.DEPLOYMENT, "old", {"spec": {"template": {"spec": {"containers": [container("example/app:2")]}}}})
    space.until_paused(at=1)


# --- and on from there


def promoted(space: Space) -> None:
    space.promote_full()
    space.until_phase("Healthy", seconds=60)


def switched(space: Space) -> None:
    space.promote()
    space.until_phase("Healthy", seconds=60)


def stepped(space: Space) -> None:
    space.promote()
    space.until_paused(at=3)


def next_pause(space: Space) -> None:
    space.promote()
    space.until_paused(at=5)


def resumed(space: Space) -> None:
    space.edit(paused=False)
    space.until_paused(at=1)


def aborted(space: Space) -> None:
    space.abort()
    space.until_phase("Degraded")


def retried(space: Space) -> None:
    space.retry()
    space.until("it begins again", lambda: space.status()["phase"] == "Paused" and not space.status().get("abort"))


def scaled(space: Space) -> None:
    replicas = space.rollout()["spec"]["replicas"] + 1
    space.edit(replicas=replicas)
    space.until_status(availableReplicas=replicas)


def rolled_back(space: Space) -> None:
    space.set_image("example/app:1")
    space.until_phase("Healthy", seconds=60)


def mended(space: Space) -> None:
    """Back to the image from before, which is there already."""
    space.set_image("example/app:1")
    space.until_phase("Healthy", seconds=60)


def moments(url: str) -> dict[str, Moment]:
    """By name; `url` answers `{"value": 7}`."""
    return {
        "canary-healthy": Moment(arrive=canary_healthy, go_on=scaled),
        "canary-paused": Moment(arrive=canary_paused, go_on=stepped),
        "canary-timed-pause": Moment(arrive=canary_timed_pause, go_on=next_pause),
        "canary-aborted": Moment(arrive=canary_aborted, go_on=retried),
        "canary-third": Moment(arrive=canary_third, go_on=promoted),
        "canary-by-hand": Moment(arrive=canary_by_hand, go_on=resumed),
        "canary-deadline": Moment(arrive=canary_deadline, go_on=mended),
        "canary-services": Moment(arrive=services, go_on=aborted),
        "canary-roles": Moment(arrive=roles, go_on=promoted),
        "analysis-running": Moment(arrive=lambda space: analysing(space, url), go_on=aborted),
        "experiment-running": Moment(arrive=experimenting, go_on=aborted),
        "bluegreen-healthy": Moment(arrive=blue_green_healthy, go_on=scaled),
        "bluegreen-preview": Moment(arrive=blue_green_preview, go_on=switched),
        "bluegreen-delayed": Moment(arrive=blue_green_delayed, go_on=rolled_back),
        "bluegreen-aborted": Moment(arrive=blue_green_aborted, go_on=retried),
        "workloadref-paused": Moment(arrive=workload, go_on=stepped),
    }
