"""Blue/green on a real API server: the Services are real, so EndpointSlices say whom users would reach."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rollouts.api import kinds
from rollouts.api.kinds import Kind
from tests.cluster.controllers import OwnController
from tests.cluster.harness import Kubectl
from tests.cluster.space import JSON, Space, blue_green, rollout, service

pytestmark = pytest.mark.usefixtures("controller")
WAIT: JSON = {"autoPromotionEnabled": False}
SLICE = Kind(group="discovery.k8s.io", version="v1", kind="EndpointSlice", plural="endpointslices")


def deployed(space: Space, **options: Any) -> None:
    """A first revision, healthy, its Services taken over."""
    space.create(service("active"), service("preview"), blue_green(**{"replicas": 2, **options}))
    space.until_phase("Healthy")


def paused(space: Space, strategy: JSON | None = None, **options: Any) -> None:
    """A second revision at its pause."""
    deployed(space, strategy={**WAIT, **(strategy or {})}, **options)
    space.set_image("example/app:2")
    space.until_phase("Paused", message="BlueGreenPause")


def reached(space: Space, name: str) -> set[str]:
    """Names of the pods behind a Service that are ready."""
    slices = space.list(SLICE, f"kubernetes.io/service-name={name}")
    return {
        endpoint["targetRef"]["name"]
        for part in slices
        for endpoint in part.get("endpoints") or ()
        if endpoint["conditions"].get("ready")
    }


def test_users_reach_one_version_before_and_the_other_after(space: Space) -> None:
    paused(space)
    old, new = (space.sets()[revision]["metadata"]["name"] for revision in ("1", "2"))
    space.until("only old pods", lambda: len(reached(space, "active")) == 2)
    assert all(pod.startswith(old) for pod in reached(space, "active"))
    space.until(
        "the preview", lambda: reached(space, "preview") and all(p.startswith(new) for p in reached(space, "preview"))
    )
    space.promote()
    space.until_phase("Healthy")
    assert space.selected("active") == "2"
    space.until(
        "only new pods", lambda: reached(space, "active") and all(p.startswith(new) for p in reached(space, "active"))
    )


def test_kubectl_scale_and_the_autoscaler_see_the_active_pods(space: Space) -> None:
    paused(space, {"previewReplicaCount": 1})
    scale = space.background.call(space.background.api.get(kinds.ROLLOUT, space.namespace, "app/scale"))
    assert scale["status"]["replicas"] == 2
    assert scale["status"]["selector"].endswith(space.status()["stableRS"])
    space.edit(replicas=3)
    space.until("both follow", lambda: space.sizes() == {"1": 3, "2": 1})
    space.until_phase("Paused", message="BlueGreenPause")


def test_a_small_preview_grows_before_the_switch(space: Space, kubectl: Kubectl) -> None:
    """A quota has no room for it at first."""
    hard = {"spec": {"hard": {"pods": "3"}}}
    kubectl.apply({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "few"}, **hard})
    paused(space, {"previewReplicaCount": 1})
    space.promote()
    space.until("it grows", lambda: space.status()["blueGreen"].get("scaleUpPreviewCheckPoint"))
    space.until("as far as it may", lambda: space.sizes() == {"1": 2, "2": 2})
    assert space.selected("active") == "1"
    kubectl("delete", "quota", "few")
    space.until_phase("Healthy", seconds=60)
    assert (space.selected("active"), "scaleUpPreviewCheckPoint" in space.status()["blueGreen"]) == ("2", False)


def test_fast_rollback(space: Space) -> None:
    deployed(space, strategy={"scaleDownDelaySeconds": 60})
    space.set_image("example/app:2")
    space.until_phase("Healthy")
    assert space.sizes() == {"1": 2, "2": 2}
    space.edit(strategy={"blueGreen": {**WAIT, "activeService": "active"}})
    space.set_image("example/app:1")
    space.until_phase("Healthy")
    assert space.selected("active") == "3"
    assert space.sizes() == {"2": 2, "3": 2}
    assert space.status()["duration"]["completionStatus"] == "FastRolledBack"


def test_abort_and_retry(space: Space) -> None:
    paused(space, {"abortScaleDownDelaySeconds": 1})
    space.abort()
    space.until_phase("Degraded", message="RolloutAborted: Rollout aborted update to revision 2")
    space.until("the preview is gone", lambda: space.sizes() == {"1": 2, "2": 0})
    assert (space.selected("active"), space.selected("preview")) == ("1", "2")
    space.retry()
    space.until_phase("Paused", message="BlueGreenPause")
    assert space.sizes() == {"1": 2, "2": 2}


def test_how_many_revisions_stay_and_a_preview_that_stays_for_ever(space: Space) -> None:
    paused(space, {"scaleDownDelayRevisionLimit": 1, "scaleDownDelaySeconds": 600, "abortScaleDownDelaySeconds": 0})
    space.promote()
    space.until_phase("Healthy")
    assert space.sizes() == {"1": 2, "2": 2}
    space.set_image("example/app:3")
    space.until_phase("Paused", message="BlueGreenPause")
    space.promote()
    space.until_phase("Healthy")
    space.until("one revision waits", lambda: space.sizes() == {"1": 0, "2": 2, "3": 2})
    assert deadline(space, "2")
    space.set_image("example/app:4")
    space.until_phase("Paused", message="BlueGreenPause")
    space.abort()
    status = space.until_phase("Degraded")
    assert space.sizes() == {"1": 0, "2": 2, "3": 2, "4": 2}
    assert (space.selected("active"), space.selected("preview")) == ("3", "4")
    assert (status["abort"], deadline(space, "4")) == (True, None)


def test_without_a_delay_the_old_pods_go_at_once(space: Space, controller: OwnController) -> None:
    paused(space, {"scaleDownDelaySeconds": 0})
    space.promote()
    space.until_phase("Healthy")
    space.until("nothing is left", lambda: space.sizes() == {"1": 0, "2": 2})
    assert "scale-down-deadline" not in str([request.body for request in controller.writes])


def deadline(space: Space, revision: str) -> str | None:
    """Until when a ReplicaSet stays."""
    found: str | None = space.sets()[revision]["metadata"]["annotations"].get("scale-down-deadline")
    return found


def test_without_auto_promotion_its_seconds_mean_nothing(space: Space) -> None:
    paused(space, {"autoPromotionSeconds": 1})
    over = datetime.now(UTC) + timedelta(seconds=3)
    space.until("the seconds are over", lambda: datetime.now(UTC) > over)
    space.edit(replicas=3)
    space.until("it was decided about", lambda: space.sizes() == {"1": 3, "2": 3})
    space.until_phase("Paused", message="BlueGreenPause")
    assert space.selected("active") == "1"


def test_auto_promotion_after_a_while(space: Space) -> None:
    deployed(space, strategy={"autoPromotionSeconds": 2})
    space.set_image("example/app:2")
    space.until_phase("Paused", message="BlueGreenPause")
    space.until_phase("Healthy")
    assert space.selected("active") == "2"


def test_pods_that_never_come_never_get_the_service(space: Space) -> None:
    deployed(space, progressDeadlineSeconds=2)
    space.set_image("example/app:does-not-exist")
    space.until_phase("Degraded")
    assert (space.selected("active"), space.sizes()["1"]) == ("1", 2)
    space.set_image("example/app:1")
    space.until_phase("Healthy")


def test_a_service_that_comes_later(space: Space) -> None:
    space.create(service("preview"), blue_green())
    wanted = 'spec.strategy.blueGreen.activeService: Invalid value: "active": service "active" not found'
    space.until("invalid", lambda: wanted in space.status().get("message", ""))
    space.create(service("active"))
    space.until_phase("Healthy", seconds=10)


def test_from_canary_to_blue_green_and_back(space: Space) -> None:
    space.create(service("active"), service("preview"), rollout(replicas=2, steps=[{"setWeight": 50}, {"pause": {}}]))
    space.until_phase("Healthy")
    space.set_image("example/app:2")
    space.until_paused(at=1)
    space.edit(strategy={"canary": None, "blueGreen": {"activeService": "active", "previewService": "preview"}})
    space.until_phase("Healthy")
    assert space.selected("active") == "2"
    space.edit(strategy={"blueGreen": None, "canary": {"steps": [{"pause": {}}]}})
    space.until("let go", lambda: space.selected("active") is None and space.selected("preview") is None)
    space.set_image("example/app:3")
    space.until_phase("Paused")
    space.promote()
    space.until_phase("Healthy")


def test_nobody_else_takes_a_service_that_is_managed(space: Space) -> None:
    taken = service("active")
    taken["spec"]["selector"] = {"tier": "web"}
    space.create(taken)
    for name in ("app", "other"):
        body = blue_green(name, strategy={"previewService": None})
        body["spec"]["template"]["metadata"]["labels"]["tier"] = "web"
        space.create(body)
        space.until_phase("Healthy" if name == "app" else "Degraded", name)
    assert 'Service "active" is managed by another Rollout, "app"' in space.status("other")["message"]
    assert space.selected("active") == "1"


def test_the_events_of_an_update_have_the_order_of_the_peer(space: Space) -> None:
    """Its documented order for three replicas; the first deploy says nothing of not being completed."""
    space.create(service("active"), blue_green(replicas=3, strategy={"previewService": None}))
    space.until_phase("Healthy")
    space.set_image("example/app:2")
    space.until_phase("Healthy")
    wanted = [
        *("RolloutAddedToInformer", "RolloutUpdated", "NewReplicaSetCreated", "ScalingReplicaSet"),
        *("RolloutCompleted", "SwitchService"),
        *("RolloutUpdated", "NewReplicaSetCreated", "RolloutNotCompleted", "ScalingReplicaSet"),
        *("SwitchService", "RolloutCompleted"),
    ]
    space.until("the events", lambda: space.events.reasons() == wanted, seconds=10)


def test_at_nothing_an_update_goes_all_the_way(space: Space) -> None:
    deployed(space, replicas=0, strategy=WAIT)
    assert space.selected("active") is None
    space.edit(replicas=1)
    space.until("taken over", lambda: space.selected("active") == "1")
    space.edit(replicas=0)
    space.until_phase("Healthy")
    space.set_image("example/app:2")
    space.until_phase("Paused", message="BlueGreenPause")
    space.promote()
    space.until_phase("Healthy")
    assert space.selected("active") == "2"
    space.edit(replicas=2)
    space.until_status(phase="Healthy", availableReplicas=2)
    assert space.sizes() == {"1": 0, "2": 2}


def test_a_preview_stays_one_when_the_first_pods_come_while_a_person_holds_it(space: Space) -> None:
    deployed(space, replicas=0)
    space.edit(paused=True, replicas=2)
    space.set_image("example/app:2")
    space.until("the stable pods got the Service", lambda: space.selected("active") == "1")
    old = space.sets()["1"]["metadata"]["name"]
    space.until("only old pods", lambda: len(reached(space, "active")) == 2)
    assert all(pod.startswith(old) for pod in reached(space, "active"))
    space.edit(paused=False)
    space.until_phase("Healthy")
    assert space.selected("active") == "2"


def test_a_first_version_that_never_comes_is_replaced_without_a_pause(space: Space) -> None:
    image = "example/does-not-exist:1"
    space.create(service("active"), service("preview"), blue_green(replicas=2, strategy=WAIT, image=image))
    space.until("the first pods are asked for", lambda: space.sizes() == {"1": 2})
    space.set_image("example/app:2")
    space.until_phase("Healthy")
    assert (space.selected("active"), space.status()["duration"]["completionStatus"]) == ("2", "Promoted")


def test_a_promotion_while_a_person_holds_it_is_not_lost(space: Space) -> None:
    """Argo CD's `resume` patches the status first, then the spec."""
    paused(space)
    space.edit(paused=True)
    space.until_phase("Paused", message="manually paused")
    space.command(pauseConditions=None)
    space.edit(revisionHistoryLimit=9)  # observed only by a decision that has seen the promotion
    space.until_phase("Paused", message="manually paused")
    space.edit(paused=False)
    space.until_phase("Healthy")
    assert space.selected("active") == "2"
