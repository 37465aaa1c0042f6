"""The story the peer was recorded with, told again: the same Rollout, the same commands, and at each moment the same
status, conditions, ReplicaSets and annotations, down to the hashes; in the end the same events.

What may differ: times, the order of conditions, the conditions of kstatus, what keeps pods from coming up, and what
`BETTER` lists.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from rollouts.strategy import kstatus
from rollouts.strategy.progressing import MARK
from tests.cluster.controllers import OwnController
from tests.cluster.space import JSON, Space, blue_green, rollout, service, younger_than_pods
from tests.strategy.router import ROUTER

RECORDINGS = Path(__file__).parents[1] / "data" / "recordings"
STEPS = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 60}, {"pause": {"duration": 2}}]
TIMES = re.compile(r"At$|Time$|^(re)?startedAt$")
SPANS = "totalManualPauseDurationSeconds"
OURS = {SPANS, "pausedStepIndex"}
EMPTY = ({}, None, False)
#: Conditions the peer leaves behind untrue: after an abort out of a pause nothing is paused any more.
BETTER = {
    "canary-3-aborted": {"Paused": "False"},
    "bluegreen-4-aborted": {"Paused": "False"},
    "bluegreen-5-after-scale-down-delay": {"Paused": "False"},
    "istio-4-aborted": {"Paused": "False"},
}


def told(obj: Any) -> Any:
    """Without times, and without what says nothing."""
    if isinstance(obj, dict):
        kept = {key: "some time" if TIMES.search(key) else told(value) for key, value in obj.items() if key not in OURS}
        return {key: value for key, value in kept.items() if value not in EMPTY}
    return [told(item) for item in obj] if isinstance(obj, list) else obj


def told_status(status: JSON) -> JSON:
    """A status, conditions by type."""
    theirs = [c for c in status.get("conditions") or () if c["type"] not in kstatus.TYPES]
    conditions = {c["type"]: (c["status"], c["reason"], c["message"].partition(MARK)[0]) for c in theirs}
    return told({**status, "message": status.get("message", "").partition(MARK)[0], "conditions": conditions})


def moment(story: str, name: str) -> tuple[JSON, JSON]:
    """Status, and ReplicaSets by name, as recorded."""
    objects = [obj for obj in yaml.safe_load_all((RECORDINGS / f"{story}-{name}.yaml").read_text()) if obj]
    status = told_status(next(obj["status"] for obj in objects if obj["kind"] == "Rollout"))
    for kind, value in BETTER.get(f"{story}-{name}", {}).items():
        status["conditions"][kind] = (value, *status["conditions"][kind][1:])
    return status, told_sets([obj for obj in objects if obj["kind"] == "ReplicaSet"])


def events(story: str, name: str, namespace: str) -> list[tuple[str, str]]:
    """(reason, message) of the events up to this moment."""
    recorded = yaml.safe_load((RECORDINGS.parent / "events" / f"{story}-{name}.yaml").read_text())
    return [(event["reason"], event["message"].replace(f"{story}/app", f"{namespace}/app")) for event in recorded]


def told_sets(sets: list[JSON]) -> JSON:
    """What matters of ReplicaSets, by name."""
    return {
        rs["metadata"]["name"]: (
            rs["spec"]["replicas"],
            timeless(rs["metadata"]["annotations"]),
            rs["metadata"]["labels"],
        )
        for rs in sets
    }


def timeless(annotations: JSON) -> JSON:
    return {key: "some time" if key == "scale-down-deadline" else value for key, value in annotations.items()}


def same(space: Space, name: str, story: str = "canary", *, seconds: float = 15) -> None:
    """Wait until the Rollout and its ReplicaSets are as recorded at this moment."""
    wanted, wanted_sets = moment(story, name)

    def look() -> bool:
        seen = told_status(space.status())
        differing = {key: (seen.get(key), wanted.get(key)) for key in {*seen, *wanted}}
        differing = {key: pair for key, pair in differing.items() if pair[0] != pair[1]}
        assert not differing, differing
        seen_sets = told_sets(list(space.sets().values()))
        assert seen_sets == wanted_sets, (seen_sets, wanted_sets)
        return True

    space.until(name, look, seconds=seconds)


def test_the_recorded_canary(space: Space, controller: OwnController) -> None:
    app = rollout(replicas=5, steps=STEPS, progressDeadlineSeconds=8, revisionHistoryLimit=3)
    space.create(app)
    same(space, "1-initial-healthy")
    space.set_image("example/app:2")
    same(space, "2-paused-at-20")
    space.abort()
    same(space, "3-aborted")
    space.until(
        "the same events", lambda: space.events.of() == events("canary", "3-aborted", space.namespace), seconds=10
    )
    space.retry()
    space.until_paused(at=1)
    space.promote()
    same(space, "4-retried-paused-at-60")
    same(space, "5-promoted")
    space.set_image("example/app:does-not-exist")
    same(space, "6-deadline-exceeded")
    undo(space, revision="2")
    same(space, "7-undone")
    space.edit(paused=True)
    space.set_image("example/app:3")
    same(space, "8-spec-paused-with-new-image")
    space.promote_full()
    same(space, "9-promoted-in-full")
    space.edit(restartAt=younger_than_pods(space))
    same(space, "11-restarted")


def undo(space: Space, *, revision: str) -> None:
    """The plugin's `undo`: the template of an older ReplicaSet, without its hash."""
    template = space.sets()[revision]["spec"]["template"]
    template["metadata"]["labels"].pop("rollouts-pod-template-hash")
    template["metadata"].pop("creationTimestamp", None)
    space.edit(template=template)


def test_the_recorded_blue_green(space: Space, controller: OwnController) -> None:
    strategy = {"autoPromotionEnabled": False, "previewReplicaCount": 1, "scaleDownDelaySeconds": 6}
    app = blue_green(replicas=3, strategy=strategy, progressDeadlineSeconds=20, revisionHistoryLimit=3)
    space.create(service("active"), service("preview"), app)
    same(space, "1-initial-healthy", "bluegreen")
    space.set_image("example/app:2")
    same(space, "2-paused-with-preview", "bluegreen")
    space.promote()
    same(space, "3-promoted-in-scale-down-delay", "bluegreen")
    space.set_image("example/app:3")
    space.until_phase("Paused")
    space.abort()
    same(space, "4-aborted", "bluegreen", seconds=4)
    same(space, "5-after-scale-down-delay", "bluegreen")
    wanted = set(events("bluegreen", "5-after-scale-down-delay", space.namespace))
    space.until("the same events", lambda: set(space.events.of()) == wanted, seconds=10)


def test_the_recorded_canary_behind_a_router(space: Space, own_controller: Any) -> None:
    """Recorded with Istio; told with the tests' own router, so the events of the mesh are missing."""
    own_controller(routers=ROUTER)
    space.create(
        service("canary"),
        service("stable"),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "routes"}},
        routed(replicas=4, progressDeadlineSeconds=20, revisionHistoryLimit=3),
    )
    same(space, "1-initial-healthy", "istio")
    space.set_image("example/app:2")
    same(space, "2-paused-at-25", "istio")
    space.promote()
    same(space, "3-canary-scale-50", "istio")
    space.abort()
    same(space, "4-aborted", "istio")
    space.retry()
    space.until_paused(at=1)
    space.promote_full()
    same(space, "5-promoted-in-scale-down-delay", "istio")
    space.until("the old pods are gone", lambda: space.sizes() == {"1": 0, "2": 4}, seconds=20)
    space.until("Healthy at last", lambda: space.condition("Healthy")["status"] == "True")


def routed(**options: Any) -> JSON:
    """A canary behind the tests' router."""
    steps = [{"setWeight": 25}, {"pause": {}}, {"setCanaryScale": {"weight": 50}}, {"pause": {}}]
    canary = {
        "canaryService": "canary",
        "stableService": "stable",
        "scaleDownDelaySeconds": 8,
        "trafficRouting": {"plugins": {"test/router": {"configMap": "routes"}}},
    }
    made = rollout(steps=steps, **options)
    made["spec"]["strategy"]["canary"] = {"steps": steps, **canary}
    return made
