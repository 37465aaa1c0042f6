"""What follows from the role of a ReplicaSet: Services without a router, anti-affinity, metadata of pods, rollbacks."""

import copy
import json
from typing import Any

import pytest

from tests.strategy.world import World, rollout

STEPS = [{"setWeight": 20}, {"pause": {}}]
HASH = "rollouts-pod-template-hash"


def canary(
    steps: list[Any] | None = None, *, services: tuple[str, ...] = (), replicas: int = 5, **fields: Any
) -> World:
    extra = {key: fields.pop(key) for key in ("rollbackWindow",) if key in fields}
    world = World(
        rollout(replicas=replicas, steps=STEPS if steps is None else steps, canary=fields, **extra), services=services
    )
    world.settle()
    world.events.clear()
    return world


def served() -> World:
    return canary(services=("canary", "stable"), canaryService="canary", stableService="stable")


def the(world: World, image: str) -> dict[str, Any]:
    found = [rs for rs in world.sets.values() if rs["spec"]["template"]["spec"]["containers"][0]["image"] == image]
    return found[0]


# --- Services without a router


def test_services_follow_their_pods() -> None:
    world = served()
    assert (world.selected("canary"), world.selected("stable")) == ("app:1", "app:1")
    world.image("app:2")
    world.settle()
    assert (world.selected("canary"), world.selected("stable")) == ("app:2", "app:1")
    world.command(pauseConditions=None)
    world.settle()
    assert (world.selected("canary"), world.selected("stable")) == ("app:2", "app:2")


def test_a_service_is_taken_over_only_when_all_pods_are_there() -> None:
    world = World(rollout(steps=STEPS, canary={"stableService": "stable"}), services=("stable",))
    world.reconcile()
    world.pods(available=4)
    world.reconcile()
    assert world.selected("stable") == ""
    world.settle()
    assert world.selected("stable") == "app:1"


def test_a_service_that_lost_its_annotation_gets_it_back() -> None:
    """Who deletes the Rollout then frees it; until then nobody else may take it."""
    world = served()
    for name in ("stable", "canary"):
        del world.services[name]["metadata"]["annotations"]
    world.events.clear()
    world.settle()
    owners = [world.services[name]["metadata"]["annotations"] for name in ("stable", "canary")]
    assert owners == [{"argo-rollouts.argoproj.io/managed-by-rollouts": "app"}] * 2
    assert (world.selected("stable"), world.selected("canary")) == ("app:1", "app:1")
    assert world.events == ["SwitchService"] * 2
    assert world.plan().empty


def test_the_canary_service_goes_back_on_abort() -> None:
    world = served()
    world.image("app:2")
    world.settle()
    world.command(abort=True)
    world.reconcile()
    assert world.selected("canary") == "app:1"


def test_the_canary_service_leaves_an_abandoned_version() -> None:
    world = served()
    world.image("app:2")
    world.settle()
    world.image("app:3")
    world.reconcile()
    assert world.selected("canary") == "app:1"
    world.settle()
    assert world.selected("canary") == "app:3"


@pytest.mark.parametrize("replicas", [1, 2])
def test_an_abandoned_version_never_blocks_the_next(replicas: int) -> None:
    world = canary([{"setWeight": 50}, {"pause": {}}], services=("canary",), replicas=replicas, canaryService="canary")
    world.image("app:2")
    world.settle()
    world.image("app:3")
    world.settle()
    assert (world.status["message"], world.selected("canary")) == ("CanaryPauseStep", "app:3")
    assert world.replicas["app:2"] == 0


def test_services_are_not_written_twice() -> None:
    world = served()
    world.log.clear()
    world.image("app:2")
    world.settle()
    assert world.log.count("PATCH Service") == 1


def test_a_service_of_another_rollout_makes_it_invalid() -> None:
    world = served()
    world.services["canary"]["metadata"]["annotations"] = {"argo-rollouts.argoproj.io/managed-by-rollouts": "other"}
    world.reconcile()
    assert "is managed by another Rollout" in world.status["message"]


# --- anti-affinity


def test_anti_affinity_to_the_stable_pods() -> None:
    world = canary(antiAffinity={"requiredDuringSchedulingIgnoredDuringExecution": {}})
    stable = the(world, "app:1")["metadata"]["labels"][HASH]
    assert "affinity" not in the(world, "app:1")["spec"]["template"]["spec"]
    world.image("app:2")
    world.settle()
    (term,) = the(world, "app:2")["spec"]["template"]["spec"]["affinity"]["podAntiAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]
    assert term["labelSelector"]["matchExpressions"] == [{"key": HASH, "operator": "In", "values": [stable]}]
    assert term["topologyKey"] == "kubernetes.io/hostname"


def test_anti_affinity_follows_the_stable() -> None:
    """app:1 is used again while app:2 is stable: its term, if it has one, must not name an older hash."""
    world = canary(antiAffinity={"preferredDuringSchedulingIgnoredDuringExecution": {"weight": 10}})
    for image in ("app:2", "app:3"):
        world.image(image)
        world.settle()
        world.command(promoteFull=True)
        world.settle()
    world.image("app:2")
    world.settle()
    text = json.dumps(the(world, "app:2")["spec"]["template"]["spec"]["affinity"])
    assert the(world, "app:3")["metadata"]["labels"][HASH] in text
    assert the(world, "app:1")["metadata"]["labels"][HASH] not in text


# --- metadata of a role

ROLES = {
    "canaryMetadata": {"labels": {"role": "canary"}, "annotations": {"note": "new"}},
    "stableMetadata": {"labels": {"role": "stable"}},
}


def pod(world: World, rs: dict[str, Any], name: str) -> None:
    """A pod as the ReplicaSet controller makes it now."""
    metadata = copy.deepcopy(rs["spec"]["template"]["metadata"])
    owner = {"kind": "ReplicaSet", "name": rs["metadata"]["name"], "uid": rs["metadata"]["uid"], "controller": True}
    world.pods_[name] = {
        "metadata": {**metadata, "name": name, "namespace": "ns", "uid": f"uid-{name}", "ownerReferences": [owner]}
    }


def test_pods_carry_the_metadata_of_their_role() -> None:
    world = canary(**ROLES)
    assert the(world, "app:1")["spec"]["template"]["metadata"]["labels"]["role"] == "stable"
    world.image("app:2")
    world.settle()
    new = the(world, "app:2")
    assert new["spec"]["template"]["metadata"]["labels"]["role"] == "canary"
    assert (
        json.loads(new["metadata"]["annotations"]["rollout.argoproj.io/ephemeral-metadata"]) == ROLES["canaryMetadata"]
    )
    assert new["metadata"]["labels"][HASH] == world.status["currentPodHash"]


def test_pods_are_labelled_anew_on_promotion() -> None:
    world = canary(**ROLES)
    world.image("app:2")
    world.settle()
    pod(world, the(world, "app:2"), "p")
    assert world.pods_["p"]["metadata"]["labels"]["role"] == "canary"
    world.command(pauseConditions=None)
    world.settle()
    assert world.status["phase"] == "Healthy"
    assert the(world, "app:2")["spec"]["template"]["metadata"]["labels"]["role"] == "stable"
    assert world.pods_["p"]["metadata"]["labels"]["role"] == "stable"
    assert "note" not in (world.pods_["p"]["metadata"].get("annotations") or {})
    assert "stale-pod-metadata" not in repr(world.sets)


def test_a_controller_that_dies_on_the_way_leaves_no_pod_behind() -> None:
    world = canary(**ROLES)
    world.image("app:2")
    world.settle()
    pod(world, the(world, "app:2"), "p")
    world.command(promoteFull=True)
    while "stale-pod-metadata" not in repr(the(world, "app:2")):
        world.reconcile()
        world.pods()
    pod(world, the(world, "app:2"), "born-later")
    world.settle()
    assert {p["metadata"]["labels"]["role"] for p in world.pods_.values()} == {"stable"}


def test_a_changed_metadata_rolls_nothing() -> None:
    world = canary(**ROLES)
    changed = {**world.rollout["spec"]["strategy"]["canary"], "stableMetadata": {"labels": {"role": "main"}}}
    world.edit(strategy={"canary": changed})
    world.settle()
    assert len(world.sets) == 1
    assert the(world, "app:1")["spec"]["template"]["metadata"]["labels"]["role"] == "main"
    assert world.status["phase"] == "Healthy"


# --- rollbackWindow


def test_a_rollback_within_the_window_skips_the_steps() -> None:
    world = canary(rollbackWindow={"revisions": 2})
    for image in ("app:2", "app:3"):
        world.advance(10)
        world.image(image)
        world.settle()
        world.command(promoteFull=True)
        world.settle()
    world.events.clear()
    world.image("app:1")
    world.settle()
    assert (world.status["phase"], world.replicas["app:1"]) == ("Healthy", 5)
    assert world.status["duration"]["completionStatus"] == "FastRolledBack"
    assert world.events[:3] == ["RolloutUpdated", "SkipSteps", "RolloutNotCompleted"]


def test_a_rollback_beyond_the_window_does_not() -> None:
    world = canary(rollbackWindow={"revisions": 1})
    for image in ("app:2", "app:3"):
        world.advance(10)
        world.image(image)
        world.settle()
        world.command(promoteFull=True)
        world.settle()
    world.image("app:1")
    world.settle()
    assert world.status["message"] == "CanaryPauseStep"
    world.image("app:2")
    world.settle()
    assert world.status["phase"] == "Healthy"


def test_a_new_version_is_never_a_rollback() -> None:
    world = canary(rollbackWindow={"revisions": 5})
    world.advance(10)
    world.image("app:2")
    world.settle()
    assert world.status["message"] == "CanaryPauseStep"
