"""workloadRef: what is filled in, which generation is told, how the workload shrinks, and what is refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from rollouts.plan import Plan
from rollouts.strategy import workload
from rollouts.strategy.workload import Progress
from tests.strategy.world import CrashedError, World, rollout

TEMPLATE = {"metadata": {"labels": {"app": "app"}}, "spec": {"containers": [{"name": "app", "image": "app:1"}]}}
SELECTOR = {"matchLabels": {"app": "app"}}
GENERATION = "rollout.argoproj.io/workload-generation"
FROM = "rollout.argoproj.io/scaled-down-from"


def deployment(replicas: int = 5, *, kind: str = "Deployment") -> dict[str, Any]:
    """A workload, or with `kind` PodTemplate a bare template."""
    metadata = {"name": "old", "namespace": "ns", "uid": "uid-old", "generation": 1, "resourceVersion": "7"}
    if kind == "PodTemplate":
        return {"kind": kind, "metadata": metadata, "template": copy.deepcopy(TEMPLATE)}
    spec = {"replicas": replicas, "selector": SELECTOR, "template": copy.deepcopy(TEMPLATE)}
    return {"kind": kind, "metadata": metadata, "spec": spec}


def referring(
    scale_down: str | None = None, *, kind: str = "Deployment", selector: Any = None, **more: Any
) -> dict[str, Any]:
    """A Rollout without pods of its own."""
    body = rollout(**more)
    reference = {"apiVersion": "v1" if kind == "PodTemplate" else "apps/v1", "kind": kind, "name": "old"}
    body["spec"]["workloadRef"] = reference | ({"scaleDown": scale_down} if scale_down else {})
    del body["spec"]["template"], body["spec"]["selector"]
    if selector:
        body["spec"]["selector"] = selector
    return body


def world(body: dict[str, Any], referred: dict[str, Any] | None) -> World:
    made = World(body)
    made.workload = referred
    return made


def argo_cd_sees_it_observed(made: World) -> bool:
    """Its rule: annotation and status are the same number."""
    return made.rollout["metadata"]["annotations"].get(GENERATION) == made.status.get("workloadObservedGeneration")


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "PodTemplate"])
def test_the_workload_gives_pods_and_selector(kind: str) -> None:
    made = world(referring(kind=kind, selector=SELECTOR if kind == "PodTemplate" else None), deployment(kind=kind))
    made.settle()
    assert (made.status["phase"], made.status["selector"]) == ("Healthy", "app=app")
    assert made.replicas == {"app:1": 5}
    (rs,) = made.sets.values()
    assert rs["metadata"]["annotations"][GENERATION] == "1"
    assert "template" not in made.rollout["spec"]
    assert made.status["workloadObservedGeneration"] == "1"
    assert argo_cd_sees_it_observed(made)


def test_an_empty_template_of_a_go_client_is_no_template() -> None:
    body = referring()
    body["spec"]["template"] = {"metadata": {"creationTimestamp": None}, "spec": {"containers": None}}
    made = world(body, deployment())
    made.settle()
    assert made.status["phase"] == "Healthy"


def test_a_selector_of_its_own_wins() -> None:
    body = referring(selector={"matchLabels": {"app": "app", "tier": "web"}})
    referred = deployment()
    referred["spec"]["template"]["metadata"]["labels"]["tier"] = "web"
    made = world(body, referred)
    made.settle()
    assert made.status["selector"] == "app=app,tier=web"


def test_the_generation_goes_with_the_first_patch_of_the_rollout() -> None:
    made = world(referring(), deployment())
    made.reconcile()
    assert made.log == ["POST ReplicaSet", "PATCH Rollout", "PATCH Rollout/status"]


def test_a_change_of_the_workload_is_an_update() -> None:
    made = world(referring(steps=[{"setWeight": 20}, {"pause": {}}]), deployment())
    made.settle()
    assert made.workload is not None
    made.workload["spec"]["template"]["spec"]["containers"][0]["image"] = "app:2"
    made.workload["metadata"]["generation"] = 2
    assert argo_cd_sees_it_observed(made)
    made.reconcile()
    assert argo_cd_sees_it_observed(made)
    assert made.status["workloadObservedGeneration"] == "2"
    made.settle()
    assert (made.status["phase"], made.replicas) == ("Paused", {"app:1": 4, "app:2": 1})


def test_a_generation_without_another_template_only_is_noted() -> None:
    made = world(referring(), deployment())
    made.settle()
    assert made.workload is not None
    made.workload["metadata"]["generation"] = 9
    made.log.clear()
    made.settle()
    assert made.log == ["PATCH Rollout", "PATCH Rollout/status"]
    assert argo_cd_sees_it_observed(made)


# --- scaling down


@pytest.mark.parametrize(
    ("mode", "original", "current", "wanted", "available", "left"),
    [
        ("never", 5, 5, 5, 5, 5),
        ("onsuccess", 5, 5, 5, 4, 5),
        ("onsuccess", 5, 5, 5, 5, 0),
        ("progressively", 5, 5, 5, 0, 5),
        ("progressively", 5, 5, 5, 1, 4),
        ("progressively", 5, 2, 5, 3, 2),
        ("progressively", 5, 2, 5, 5, 0),
        ("progressively", 5, 0, 0, 0, 0),
        # bigger or smaller than the Rollout: together never fewer than it was
        ("progressively", 10, 10, 5, 4, 6),
        ("progressively", 10, 10, 5, 5, 0),
        ("progressively", 2, 2, 5, 1, 2),
        ("progressively", 2, 2, 5, 4, 1),
        # pods that fail bring it back, at most to what it was
        ("progressively", 5, 2, 5, 1, 4),
        ("progressively", 5, 0, 5, 2, 3),
        ("progressively", 2, 0, 5, 0, 2),
        # more pods being wanted does not, once it is done
        ("progressively", 2, 0, 5, 2, 0),
        # it only ever held the template
        ("progressively", 0, 0, 5, 0, 0),
    ],
)
def test_how_many_pods_stay(mode: str, original: int, current: int, wanted: int, available: int, left: int) -> None:
    healthy = available >= wanted
    at = Progress(wanted=wanted, available=available, healthy=healthy, current=current, original=original)
    assert workload.remaining(mode, at) == left


def serving(made: World) -> int:
    """Pods available: the Rollout's, and the workload's, which keeps all it is asked for."""
    assert made.workload is not None
    own = sum(rs.get("status", {}).get("availableReplicas", 0) for rs in made.sets.values())
    return int(own + made.workload["spec"]["replicas"])


@pytest.mark.parametrize("mode", ["onsuccess", "progressively"])
@pytest.mark.parametrize("before", [2, 5, 8])
def test_taking_over_never_serves_with_less_than_before(mode: str, before: int) -> None:
    made = world(referring(mode), deployment(before))
    for _ in range(20):
        made.reconcile()
        assert serving(made) >= min(before, 5)
        made.pods(available=1)
    assert made.workload is not None
    assert (made.workload["spec"]["replicas"], made.status["phase"]) == (0, "Healthy")
    assert made.workload["metadata"]["annotations"] == {FROM: str(before)}
    assert argo_cd_sees_it_observed(made)
    assert made.plan() == Plan()


@pytest.mark.parametrize("mode", ["onsuccess", "progressively"])
@pytest.mark.parametrize("death", range(1, 12))
def test_taking_over_survives_a_death_after_any_write(mode: str, death: int) -> None:
    made, left = world(referring(mode), deployment(3)), death
    for _ in range(20):
        plan = made.plan()
        count = len(plan.writes)
        try:
            made.apply(plan, die_after=left if 0 < left <= count else None)
        except CrashedError:
            left = 0
        else:
            left -= count if left else 0
        assert serving(made) >= 3
        made.pods(available=1)
    assert made.workload is not None
    assert (made.workload["spec"]["replicas"], made.status["phase"], made.replicas) == (0, "Healthy", {"app:1": 5})
    assert made.plan() == Plan()


def test_pods_that_never_start_leave_the_workload_alone() -> None:
    made = world(referring("progressively", progressDeadlineSeconds=5), deployment())
    made.reconcile()
    made.broken.update(made.sets)
    made.settle()
    made.advance(10)
    made.settle()
    assert made.workload is not None
    assert (made.status["phase"], made.workload["spec"]["replicas"]) == ("Degraded", 5)


@pytest.mark.parametrize("mode", ["onsuccess", "progressively"])
def test_only_revision_one_scales_it_down(mode: str) -> None:
    made = world(referring(mode), deployment())
    made.settle()
    assert made.workload is not None
    made.workload["spec"]["template"]["spec"]["containers"][0]["image"] = "app:2"
    made.workload["metadata"]["generation"] += 1
    made.settle()
    made.workload["spec"]["replicas"] = 3
    made.workload["metadata"]["generation"] += 1
    made.settle()
    assert (made.status["phase"], made.workload["spec"]["replicas"]) == ("Healthy", 3)


def test_an_invalid_rollout_moves_nothing() -> None:
    made = world(referring("progressively"), deployment())
    made.reconcile()
    made.pods(available=2)
    made.edit(progressDeadlineSeconds=0)
    made.settle()
    assert made.workload is not None
    assert (made.status["phase"], made.workload["spec"]["replicas"]) == ("Degraded", 5)


def test_a_pod_template_has_no_replicas_to_scale() -> None:
    made = world(referring("onsuccess", kind="PodTemplate", selector=SELECTOR), deployment(kind="PodTemplate"))
    made.settle()
    assert made.status["phase"] == "Healthy"
    assert made.workload == deployment(kind="PodTemplate")


# --- what is refused


def refusal(body: dict[str, Any], referred: dict[str, Any] | None) -> str:
    made = world(body, referred)
    made.settle()
    assert made.sets == {}
    assert made.last.requeue_after == 20
    assert made.status["phase"] == "Degraded"
    return str(made.status["message"])


def test_a_missing_workload() -> None:
    message = refusal(referring(), None)
    assert message == (
        'InvalidSpec: The Rollout "app" is invalid: spec.workloadRef: deployments.apps "old" not found; '
        "create it in namespace ns, or correct the reference"
    )


def test_pods_here_and_there() -> None:
    body = referring()
    body["spec"]["template"] = TEMPLATE
    assert "spec.template: must be empty with a workloadRef" in refusal(body, deployment())


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"kind": "StatefulSet"}, "spec.workloadRef.kind"),
        ({"apiVersion": "v1"}, "spec.workloadRef.apiVersion"),
        ({"name": None}, "spec.workloadRef.name"),
        ({"scaleDown": "now"}, "spec.workloadRef.scaleDown"),
    ],
)
def test_a_reference_that_says_nothing(changed: dict[str, Any], told: str) -> None:
    body = referring()
    body["spec"]["workloadRef"] |= changed
    assert told in refusal(body, None)


def test_pods_that_are_invalid_in_the_workload() -> None:
    referred = deployment()
    referred["spec"]["template"]["metadata"]["labels"] = {"app": "other"}
    assert "spec.selector" in refusal(referring(), referred)


def test_a_bare_template_needs_a_selector_of_the_rollout() -> None:
    assert "spec.selector" in refusal(referring(kind="PodTemplate"), deployment(kind="PodTemplate"))


def test_a_workload_that_comes_later_heals_it() -> None:
    made = world(referring(), None)
    made.settle()
    made.workload = deployment()
    made.settle()
    assert made.status["phase"] == "Healthy"


def test_a_rollout_that_goes_leaves_the_workload_alone() -> None:
    made = world(referring("onsuccess"), deployment())
    made.settle()
    assert made.workload is not None
    made.workload["spec"]["replicas"] = 5
    made.rollout["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert made.plan() == Plan()


# --- what is kept of a workload


def test_little_is_kept_of_a_workload() -> None:
    obj = deployment() | {"status": {"conditions": ["x"] * 100}}
    obj["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": "{}" * 1000, FROM: "5"}
    obj["spec"]["strategy"] = {"type": "RollingUpdate"}
    kept = workload.projected(obj)
    assert kept["metadata"]["annotations"] == {FROM: "5"}
    assert set(kept) == {"kind", "metadata", "spec"}
    assert set(kept["spec"]) == {"replicas", "selector", "template"}


@pytest.mark.parametrize(
    "written", [None, {}, {"kind": "Deployment"}, {"kind": "Pod", "name": "x"}, "text", {"kind": 3}]
)
def test_references_to_nothing(written: Any) -> None:
    assert workload.reference({"metadata": {"namespace": "ns"}, "spec": {"workloadRef": written}}) is None
