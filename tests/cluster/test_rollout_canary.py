"""A canary on a real API server, behaviour by behaviour: what people do to it, and where that leaves it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rollouts.api import kinds
from tests.cluster.controllers import OwnController
from tests.cluster.harness import Kubectl
from tests.cluster.space import JSON, Space, container, rollout

WAIT: JSON = {"pause": {}}
STEPS = [{"setWeight": 50}, WAIT]
CAUSE = "kubernetes.io/change-cause"
pytestmark = pytest.mark.usefixtures("controller")


def deployed(space: Space, name: str = "app", **options: object) -> None:
    """A first revision, healthy."""
    space.create(rollout(name, **options))  # type: ignore[arg-type]
    space.until_phase("Healthy", name)


def paused(space: Space, *, at: int = 1, **options: object) -> None:
    """A second revision, at a pause."""
    deployed(space, **{"steps": STEPS, "replicas": 2, **options})
    space.set_image("example/app:2")
    space.until_paused(at=at)


def test_a_first_deploy_skips_the_steps(space: Space) -> None:
    space.create(rollout(steps=STEPS, replicas=3))
    status = space.until_phase("Healthy", message=None)
    assert (status["currentStepIndex"], status["availableReplicas"]) == (2, 3)
    assert status["stableRS"] == status["currentPodHash"]
    assert space.sizes() == {"1": 3}
    assert space.rollout()["metadata"]["annotations"] == {"rollout.argoproj.io/revision": "1"}
    assert space.until("all events", lambda: space.events.reasons()[5:]) == ["RolloutCompleted"]


def test_timed_and_indefinite_pauses(space: Space) -> None:
    deployed(space, steps=[{"setWeight": 20}, {"pause": {"duration": 1}}, {"setWeight": 60}, WAIT], replicas=5)
    space.set_image("example/app:2")
    status = space.until_paused(at=3)
    assert [pause["reason"] for pause in status["pauseConditions"]] == ["CanaryPauseStep"]
    assert status["controllerPause"] is True
    assert {"rolloutStartedAt", "manualPauseStartedAt"} <= set(status["duration"])
    assert space.sizes() == {"1": 2, "2": 3}
    reasons = space.until(
        "resumed", lambda: space.events.reasons() if "RolloutResumed" in space.events.reasons() else 0
    )
    assert reasons.count("RolloutPaused") in {1, 2}
    space.promote()
    status = space.until_phase("Healthy")
    assert not {"pauseConditions", "controllerPause"} & set(status)
    assert (status["duration"]["completionStatus"], "finishedAt" in status["duration"]) == ("Promoted", True)
    assert space.sizes() == {"1": 0, "2": 5}


def test_abort_retry_promote(space: Space) -> None:
    paused(space)
    space.abort()
    status = space.until_status(
        phase="Degraded", message="RolloutAborted: Rollout aborted update to revision 2", currentStepIndex=0
    )
    assert status["abort"]
    assert status["abortedAt"]
    space.until("stable serves alone", lambda: space.sizes() == {"1": 2, "2": 0})
    space.retry()
    status = space.until_paused(at=1)
    assert "abortedAt" not in status
    space.promote()
    space.until_phase("Healthy")
    assert space.sizes() == {"1": 0, "2": 2}


def test_the_events_of_a_life_have_the_order_of_the_peer(space: Space) -> None:
    """Its documented order for one replica: deploy, update, abort at the pause, retry, finish."""
    deployed(space, steps=[{"setWeight": 50}, {"pause": {"duration": "3s"}}])
    space.set_image("example/app:2")
    space.until_paused(at=1)
    space.abort()
    space.until_phase("Degraded")
    space.until("the canary is gone", lambda: space.sizes() == {"1": 1, "2": 0})
    space.retry()
    space.until_phase("Healthy")
    wanted = [
        *("RolloutAddedToInformer", "RolloutUpdated", "NewReplicaSetCreated", "RolloutNotCompleted"),
        *("ScalingReplicaSet", "RolloutCompleted"),
        *("RolloutUpdated", "NewReplicaSetCreated", "RolloutNotCompleted", "ScalingReplicaSet"),
        *("RolloutStepCompleted", "RolloutPaused"),
        *("ScalingReplicaSet", "RolloutAborted"),
        *("ScalingReplicaSet", "RolloutStepCompleted", "RolloutPaused", "RolloutStepCompleted", "RolloutResumed"),
        *("ScalingReplicaSet", "RolloutCompleted"),
    ]

    def told() -> bool:
        assert space.events.reasons() == wanted
        return True

    space.until("the events", told, seconds=10)


def test_promote_skips_a_step_that_is_no_pause(space: Space) -> None:
    deployed(space, steps=[{"setWeight": 50}, WAIT], replicas=2)
    space.set_image("example/app:does-not-exist")
    space.until("the canary is there", lambda: space.sizes().get("2"))
    space.until_phase("Progressing")
    space.promote()
    space.until_paused(at=1)


def test_promote_in_full_skips_everything(space: Space) -> None:
    paused(space, steps=[{"setWeight": 20}, WAIT, {"setWeight": 40}, WAIT], replicas=5)
    space.promote_full()
    status = space.until_phase("Healthy")
    assert not status.get("promoteFull")
    assert status["duration"]["completionStatus"] == "FastPromoted"
    assert space.sizes() == {"1": 0, "2": 5}


def test_promote_in_full_takes_back_an_abort(space: Space) -> None:
    paused(space)
    space.abort()
    space.until_phase("Degraded")
    space.promote_full()
    status = space.until_phase("Healthy")
    assert not status.get("abort")
    assert space.sizes() == {"1": 0, "2": 2}


def test_a_new_template_midway_begins_again(space: Space) -> None:
    paused(space, steps=[{"setWeight": 50}, WAIT, {"setWeight": 75}, WAIT], replicas=4)
    space.promote()
    space.until_paused(at=3)
    space.set_image("example/app:3")
    space.until_paused(at=1)
    space.until("the one between is gone", lambda: space.sizes() == {"1": 2, "2": 0, "3": 2})
    space.promote_full()
    status = space.until_phase("Healthy")
    assert status["stableRS"] == space.sets()["3"]["metadata"]["labels"]["rollouts-pod-template-hash"]
    space.until("said so", lambda: "RolloutCompleted" in space.events.reasons()[-3:])
    begun = [message.split(", ")[1] for reason, message in space.events.of() if reason == "RolloutNotCompleted"]
    assert [words[: len("started update to revision 2")] for words in begun] == [
        "started update to revision 1",
        "started update to revision 2",
    ]


def test_changed_steps_begin_again(space: Space) -> None:
    paused(space, replicas=4)
    before = space.status()["currentStepHash"]
    space.set_steps([{"setWeight": 25}, WAIT, {"setWeight": 50}])
    space.until("the smaller canary", lambda: space.sizes() == {"1": 3, "2": 1})
    status = space.until_paused(at=1)
    assert status["currentStepHash"] != before


def test_scaling_midway_keeps_the_weight(space: Space, kubectl: Kubectl) -> None:
    paused(space, replicas=4)
    assert space.sizes() == {"1": 2, "2": 2}
    kubectl("scale", "rollout", "app", "--replicas=8")
    space.until_status(phase="Paused", currentStepIndex=1, availableReplicas=8, updatedReplicas=4)
    assert space.sizes() == {"1": 4, "2": 4}
    kubectl("scale", "rollout", "app", "--replicas=2")
    space.until_status(phase="Paused", currentStepIndex=1, availableReplicas=2, updatedReplicas=1, HPAReplicas=2)
    scale = kubectl.json("get", "rollout", "app", "--subresource=scale")
    assert (scale["status"]["replicas"], scale["status"]["selector"]) == (2, "app=app")


@pytest.mark.parametrize("aborted", [False, True])
def test_going_back_to_stable_skips_the_steps(space: Space, aborted: bool) -> None:
    paused(space, replicas=2)
    if aborted:
        space.abort()
        space.until_phase("Degraded")
    space.patch(kinds.ROLLOUT, "app", {"metadata": {"annotations": {CAUSE: "2 was slow"}}})
    space.set_image("example/app:1")
    status = space.until_phase("Healthy")
    assert (status.get("abort"), status["currentStepIndex"]) == (None, 2)
    assert status["duration"]["completionStatus"] == "FastRolledBack"
    assert space.sizes() == {"2": 0, "3": 2}
    annotations = space.sets()["3"]["metadata"]["annotations"]
    assert (annotations["rollout.argoproj.io/revision-history"], annotations[CAUSE]) == ("1", "2 was slow")
    space.until("said so", lambda: "SkipSteps" in space.events.reasons())


def test_history_is_kept_to_its_limit(space: Space) -> None:
    deployed(space, revisionHistoryLimit=1)
    for number in (2, 3, 4):
        space.set_image(f"example/app:{number}")
        space.until_phase("Healthy")
    space.until("two ReplicaSets are left", lambda: space.sizes() == {"3": 0, "4": 1})


def test_a_paused_spec_moves_nothing(space: Space) -> None:
    deployed(space, replicas=2, steps=STEPS)
    space.edit(paused=True)
    space.until_phase("Paused", message="manually paused")
    space.set_image("example/app:2")
    space.until_phase("Paused", message="manually paused")
    assert space.sizes() == {"1": 2, "2": 0}
    space.promote()
    space.until_paused(at=1)
    assert space.sizes() == {"1": 1, "2": 1}


@pytest.mark.parametrize(
    ("aborts", "reason", "sizes"),
    [(False, "ProgressDeadlineExceeded", {"1": 2, "2": 1}), (True, "RolloutAborted", {"1": 2, "2": 0})],
)
def test_the_progress_deadline(space: Space, aborts: bool, reason: str, sizes: JSON) -> None:
    deployed(space, replicas=2, progressDeadlineSeconds=2, progressDeadlineAbort=aborts)
    space.set_image("example/app:does-not-exist")
    space.until_phase("Degraded")
    condition = space.condition("Progressing")
    assert (condition["status"], condition["reason"]) == ("False", reason)
    space.until("pods are safe", lambda: space.sizes() == sizes)
    assert space.status()["availableReplicas"] == 2
    space.set_image("example/app:3")
    space.until_phase("Healthy")


def test_the_deadline_does_not_count_while_something_may_take_its_time(space: Space) -> None:
    """A pause of three deadlines."""
    paused(space, steps=[{"setWeight": 50}, {"pause": {"duration": 3}}, WAIT])
    space.edit(progressDeadlineSeconds=1, progressDeadlineAbort=True)
    space.until_paused(at=2)
    space.edit(progressDeadlineSeconds=None)
    space.promote()
    space.until_phase("Healthy")
    assert "RolloutAborted" not in space.events.reasons()


@pytest.mark.parametrize(
    ("surge", "unavailable", "sizes"),
    [("50", 0, {"1": 4, "2": 2}), (0, "50%", {"1": 2, "2": 2}), (None, None, {"1": 3, "2": 2})],
)
def test_max_surge_and_max_unavailable_pace_an_update(space: Space, surge: Any, unavailable: Any, sizes: JSON) -> None:
    """Pods that never come show how far it goes without them. Text without % is a percentage; 25 % each by default."""
    deployed(space, replicas=4, canary={"maxSurge": surge, "maxUnavailable": unavailable})
    space.set_image("example/app:does-not-exist")
    space.until("as far as it may", lambda: space.sizes() == sizes)
    space.set_image("example/app:3")
    space.until_status(phase="Healthy", availableReplicas=4)


def test_missing_replicas_are_written(space: Space) -> None:
    """And nothing else of the spec is ever written."""
    written = rollout(replicas=None)
    space.create(written)
    space.until_phase("Healthy")
    assert space.rollout()["spec"] == {**written["spec"], "replicas": 1}


def test_a_change_of_nothing_but_pods_labels_is_a_revision_and_of_replicas_is_not(space: Space) -> None:
    deployed(space)
    space.edit(replicas=3)
    space.until_status(phase="Healthy", availableReplicas=3)
    space.edit(minReadySeconds=1)
    space.until("its ReplicaSet is kept in step", lambda: space.sets()["1"]["spec"].get("minReadySeconds") == 1)
    assert space.sizes() == {"1": 3}
    space.edit(template={"metadata": {"labels": {"colour": "green"}}})
    space.until_status(phase="Healthy", availableReplicas=3, updatedReplicas=3)
    assert space.sizes() == {"1": 0, "2": 3}
    assert space.sets()["2"]["spec"]["minReadySeconds"] == 1


def test_what_kubectl_shows_and_waits_for(space: Space, kubectl: Kubectl) -> None:
    deployed(space, steps=STEPS, replicas=2)
    head, row = kubectl("get", "ro").splitlines()
    assert head.split() == ["NAME", "DESIRED", "CURRENT", "UP-TO-DATE", "AVAILABLE", "AGE"]
    assert row.split()[:5] == ["app", "2", "2", "2", "2"]
    kubectl("wait", "--for=condition=Healthy", "rollout/app", "--timeout=10s")
    space.set_image("example/app:2")
    kubectl("wait", "--for=condition=Paused", "rollout/app", "--timeout=10s")
    assert kubectl("get", "ro", "--no-headers").split()[:5] == ["app", "2", "2", "1", "2"]
    space.promote()
    kubectl("wait", "--for=condition=Completed", "rollout/app", "--timeout=10s")
    kubectl("wait", "--for=jsonpath={.status.phase}=Healthy", "rollout/app", "--timeout=10s")


def test_a_deleted_rollout_takes_everything_along(space: Space) -> None:
    paused(space)
    assert space.rollout()["metadata"].get("finalizers") is None
    space.delete(kinds.ROLLOUT, "app")
    space.until("nothing is left", lambda: not space.list(kinds.REPLICA_SET) and not space.pods())


def test_pods_that_disappear_are_replaced_and_reported(space: Space) -> None:
    deployed(space, replicas=2)
    before = {pod["metadata"]["name"] for pod in space.pods()}
    space.delete(kinds.POD, min(before))
    space.until("a new pod", lambda: len(space.pods()) == 2 and {p["metadata"]["name"] for p in space.pods()} != before)
    space.until_status(phase="Healthy", availableReplicas=2)


def test_somebody_elses_replica_set_of_that_name_is_left_alone(
    space: Space, own_controller: Callable[..., OwnController]
) -> None:
    """The name is a hash: taken by another owner, it is avoided by a collision count."""
    deployed(space, "model")
    (model,) = space.sets("model").values()
    taken = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": model["metadata"]["name"].replace("model", "app")},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "stranger"}},
            "template": {
                "metadata": {"labels": {"app": "stranger"}},
                "spec": {"containers": [container("example/x:1")]},
            },
        },
    }
    body = rollout()
    body["spec"]["selector"] = {"matchLabels": {"app": "model"}}
    body["spec"]["template"]["metadata"]["labels"] = {"app": "model"}
    space.delete(kinds.ROLLOUT, "model")
    space.until("the model is gone", lambda: not space.sets("model"))
    stranger = space.create(taken)
    space.create(body)
    status = space.until_phase("Healthy")
    assert status["collisionCount"] == 1
    assert space.get(kinds.REPLICA_SET, stranger["metadata"]["name"])["spec"] == stranger["spec"]
    assert len(space.sets()) == 1


def test_orphans_are_adopted(space: Space) -> None:
    """A Rollout deleted with `--cascade=orphan` and created again finds its ReplicaSets: no pod is replaced."""
    deployed(space, replicas=2)
    pods = {pod["metadata"]["uid"] for pod in space.pods()}
    space.send(orphaning(space, "app"))
    space.until_gone(kinds.ROLLOUT, "app")
    space.until("they have no owner", lambda: not space.sets())
    deployed(space, replicas=2)
    assert space.sizes() == {"1": 2}
    assert {pod["metadata"]["uid"] for pod in space.pods()} == pods


def orphaning(space: Space, name: str) -> object:
    """Deletion that leaves dependents alone."""
    from rollouts.engine.client import Request

    return Request(
        method="DELETE", path=kinds.ROLLOUT.path(space.namespace, name), body={"propagationPolicy": "Orphan"}
    )
