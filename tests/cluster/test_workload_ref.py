"""A Rollout with the pods of a Deployment, ReplicaSet or PodTemplate, beside the real Deployment controller."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from rollouts.api import kinds
from rollouts.api.kinds import Kind
from rollouts.cli.main import plugin_app
from tests.cluster.controllers import OwnController
from tests.cluster.harness import Kubectl
from tests.cluster.space import JSON, Space, container, rollout, service, younger_than_pods

GENERATION = "rollout.argoproj.io/workload-generation"
STEPS = [{"setWeight": 50}, {"pause": {}}]
SELECTOR = {"matchLabels": {"app": "app"}}
KINDS = {"Deployment": kinds.DEPLOYMENT, "ReplicaSet": kinds.REPLICA_SET, "PodTemplate": kinds.POD_TEMPLATE}
Run = Callable[..., Any]
OwnControllers = Callable[..., OwnController]


def template(image: str = "example/app:1") -> JSON:
    return {"metadata": {"labels": {"app": "app"}}, "spec": {"containers": [container(image)]}}


def workload(kind: str = "Deployment", *, name: str = "old", replicas: int = 3) -> JSON:
    """What Rollouts here refer to."""
    described: JSON = {"spec": {"replicas": replicas, "selector": SELECTOR, "template": template()}}
    if kind == "PodTemplate":
        described = {"template": template()}
    return {"apiVersion": KINDS[kind].api_version, "kind": kind, "metadata": {"name": name}, **described}


def referring(scale_down: str = "never", *, kind: str = "Deployment", name: str = "app", **more: Any) -> JSON:
    """A Rollout without pods of its own."""
    reference = {"apiVersion": KINDS[kind].api_version, "kind": kind, "name": "old", "scaleDown": scale_down}
    body = rollout(name, workloadRef=reference, **{"replicas": 3, "steps": STEPS, **more})
    del body["spec"]["template"]
    if kind != "PodTemplate":
        del body["spec"]["selector"]
    return body


def change(space: Space, kind: str = "Deployment", *, image: str = "example/app:2") -> None:
    """Another image in the workload."""
    where = {"template": {"spec": {"containers": [container(image)]}}}
    space.patch(KINDS[kind], "old", where if kind == "PodTemplate" else {"spec": where})


def observed(space: Space) -> str:
    """Argo CD's rule: annotation and status name the same generation, that of the workload; wait for it."""

    def look() -> str:
        seen = space.rollout()
        reference = seen["spec"]["workloadRef"]
        generation = str(space.get(KINDS[reference["kind"]], reference["name"])["metadata"]["generation"])
        assert seen["metadata"]["annotations"].get(GENERATION) == generation
        assert seen["status"].get("workloadObservedGeneration") == generation
        return generation

    return str(space.until("the workload's generation is told", look))


def replicas(space: Space, kind: Kind = kinds.DEPLOYMENT) -> int:
    return int(space.get(kind, "old")["spec"]["replicas"])


def ready(space: Space) -> int:
    """Pods that serve, whoever they belong to."""
    return sum(
        any(c["type"] == "Ready" and c["status"] == "True" for c in pod.get("status", {}).get("conditions") or ())
        for pod in space.pods()
    )


def serving(space: Space, pods: int = 3) -> None:
    """Wait until the Deployment alone serves."""
    space.until("the Deployment serves", lambda: ready(space) == pods)


class Floor:
    """Counts the pods that serve, again and again, and remembers the fewest."""

    def __init__(self, space: Space) -> None:
        self.fewest = ready(space)
        self._space = space
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(0.02):
            self.fewest = min(self.fewest, ready(self._space))

    def end(self) -> int:
        self._over.set()
        self._thread.join(20)
        return self.fewest


@pytest.fixture
def floor(space: Space) -> Iterator[Callable[[], Floor]]:
    started: list[Floor] = []

    def begin() -> Floor:
        started.append(Floor(space))
        return started[-1]

    yield begin
    for one in started:
        one.end()


# --- taking over from a Deployment


@pytest.mark.parametrize("mode", ["onsuccess", "progressively"])
def test_taking_over_from_a_deployment_without_serving_with_less(
    space: Space, controller: OwnController, floor: Callable[[], Floor], mode: str
) -> None:
    space.create(workload())
    serving(space)
    watched = floor()
    space.create(referring(mode))
    space.until_phase("Healthy")
    space.until("the Deployment has no pods", lambda: replicas(space) == 0 and len(space.pods()) == 3)
    assert watched.end() == 3
    observed(space)
    assert space.get(kinds.DEPLOYMENT, "old")["metadata"]["annotations"]["rollout.argoproj.io/scaled-down-from"] == "3"
    assert space.sizes() == {"1": 3}
    assert space.status()["selector"] == "app=app"


def test_progressively_goes_pod_by_pod(space: Space, own_controller: OwnControllers) -> None:
    asked: list[tuple[int, int]] = []

    def look(_: int, request: Any) -> None:
        if "/deployments/" in request.path:
            asked.append((request.body["spec"]["replicas"], ready(space)))

    space.create(workload())
    serving(space)
    own_controller(before=look)
    # One pod after the other: each waits for the one before it.
    space.create(referring("progressively", canary={"maxSurge": 1, "maxUnavailable": 0}))
    space.until("the Deployment is at 0", lambda: replicas(space) == 0)
    counts = [count for count, _ in asked]
    assert counts == sorted(set(counts), reverse=True)
    assert counts[-1] == 0
    assert all(serve > 3 for _, serve in asked)  # what replaces the pods that go serves already


def test_pods_that_never_start_leave_the_deployment_alone(space: Space, controller: OwnController) -> None:
    space.create(workload())
    serving(space)
    change(space, image="example/app:does-not-exist")
    space.create(referring("progressively", progressDeadlineSeconds=2))
    space.until_phase("Degraded")
    assert replicas(space) == 3


def test_never_leaves_it_alone(space: Space, controller: OwnController) -> None:
    space.create(workload(replicas=2))
    space.create(referring())
    space.until_phase("Healthy")
    observed(space)
    assert replicas(space) == 2
    assert not [request for request in controller.writes if "/deployments" in request.path]


@pytest.mark.parametrize("death", range(1, 8))
def test_taking_over_survives_a_death_after_any_write(space: Space, own_controller: OwnControllers, death: int) -> None:
    space.create(workload(replicas=2))
    serving(space, 2)
    first = own_controller(die_after=death)
    space.create(referring("progressively", replicas=2))
    space.until("it died, or was done", lambda: first.dead.is_set() or replicas(space) == 0)
    first.kill()
    own_controller()
    space.until_phase("Healthy")
    space.until("the Deployment is at 0", lambda: replicas(space) == 0)
    observed(space)
    assert space.sizes() == {"1": 2}


def test_a_later_revision_does_not_scale_it(space: Space, controller: OwnController) -> None:
    space.create(workload(replicas=1))
    space.create(referring("onsuccess", replicas=1, steps=[]))
    space.until("taken over", lambda: replicas(space) == 0)
    change(space)
    space.until("revision 2", lambda: "2" in space.sets())
    space.until_phase("Healthy")
    space.patch(kinds.DEPLOYMENT, "old", {"spec": {"replicas": 2}})
    observed(space)
    assert replicas(space) == 2


def test_blue_green_takes_over_and_its_service_is_never_without_pods(
    space: Space, controller: OwnController, floor: Callable[[], Floor]
) -> None:
    space.create(service("active"), workload(replicas=2))
    serving(space, 2)
    watched = floor()
    body = referring("progressively", replicas=2)
    body["spec"]["strategy"] = {"blueGreen": {"activeService": "active", "autoPromotionEnabled": False}}
    space.create(body)
    space.until_phase("Healthy")
    space.until("the Deployment has no pods", lambda: replicas(space) == 0 and len(space.pods()) == 2)
    assert watched.end() == 2
    assert space.selected("active") == "1"
    change(space)
    space.until_phase("Paused", message="BlueGreenPause")
    space.until("the scale subresource shows the active pods", lambda: space.status()["HPAReplicas"] == 2)
    space.promote()
    space.until_phase("Healthy")
    assert space.selected("active") == "2"


# --- changes of the workload


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_change_of_the_workload_is_released_step_by_step(space: Space, controller: OwnController, kind: str) -> None:
    space.create(workload(kind, replicas=0))
    space.create(referring(kind=kind, replicas=2))
    space.until_phase("Healthy")
    before = observed(space)
    change(space, kind)
    space.until("the change was seen", lambda: space.rollout()["metadata"]["annotations"][GENERATION] != before)
    space.until_paused(at=1)
    assert int(observed(space)) > int(before)
    assert space.sizes() == {"1": 1, "2": 1}
    images = [rs["spec"]["template"]["spec"]["containers"][0]["image"] for _, rs in sorted(space.sets().items())]
    assert images == ["example/app:1", "example/app:2"]
    space.promote()
    space.until_phase("Healthy")
    change(space, kind, image="example/app:1")
    space.until("revision 3", lambda: "3" in space.sets())


def test_a_replica_set_is_taken_over_from_too(space: Space, controller: OwnController) -> None:
    space.create(workload("ReplicaSet"))
    serving(space)
    space.create(referring("onsuccess", kind="ReplicaSet"))
    space.until_phase("Healthy")
    space.until("the old ReplicaSet is at 0", lambda: replicas(space, kinds.REPLICA_SET) == 0)
    observed(space)
    assert space.sizes() == {"1": 3}


def test_a_restart_finds_the_pods_by_the_workloads_selector(space: Space, controller: OwnController) -> None:
    space.create(workload(replicas=0), referring(replicas=1))
    space.until_phase("Healthy")
    (before,) = space.pods()
    space.edit(restartAt=younger_than_pods(space))
    space.until("its restart is over", lambda: space.status().get("restartedAt"))
    space.until("another pod serves", lambda: ready(space) == 1)
    assert before["metadata"]["name"] not in [pod["metadata"]["name"] for pod in space.pods()]


# --- what is not there, or is wrong


def invalid(space: Space, told: str) -> None:
    def look() -> bool:
        assert told in space.condition("InvalidSpec").get("message", "")
        assert space.status()["phase"] == "Degraded"
        return True

    space.until(f"InvalidSpec with {told}", look)


def test_a_workload_that_comes_later_heals_the_rollout_at_once(space: Space, controller: OwnController) -> None:
    """Woken by the workload: sooner than an invalid Rollout is looked at again by itself."""
    space.create(referring())
    invalid(space, 'spec.workloadRef: deployments.apps "old" not found; create it in namespace')
    space.create(workload(replicas=0))
    space.until_phase("Healthy", seconds=15)
    space.delete(kinds.DEPLOYMENT, "old")
    invalid(space, 'deployments.apps "old" not found')
    assert space.sizes() == {"1": 3}


def test_pods_here_and_there_are_refused(space: Space, controller: OwnController) -> None:
    body = referring()
    body["spec"] |= {"template": template(), "selector": SELECTOR}
    space.create(workload(replicas=0), body)
    invalid(space, "spec.template: must be empty with a workloadRef")
    assert not space.sets()


# --- what is watched and kept


def kept(controller: OwnController) -> list[str]:
    return sorted(key.name for key in controller.app.store.shelf(kinds.DEPLOYMENT).objects)


def test_only_what_is_referred_to_is_kept_and_only_while_it_is(space: Space, controller: OwnController) -> None:
    space.create(*(workload(name=f"unrelated-{number}", replicas=0) for number in range(5)), workload(replicas=0))
    space.create(rollout("plain"))
    space.until_phase("Healthy", "plain")
    assert controller.app.workloads.watched == frozenset()
    space.create(referring(replicas=1))
    space.until_phase("Healthy")
    assert kept(controller) == ["old"]
    assert controller.app.workloads.watched == {kinds.DEPLOYMENT}
    # From now on it refers to one that the watch has passed over before.
    space.edit(workloadRef={"name": "unrelated-3"})
    space.until("that one is kept", lambda: "unrelated-3" in kept(controller))
    space.until_status(phase="Healthy")
    space.delete(kinds.ROLLOUT, "app")

    def ended() -> bool:
        space.patch(kinds.DEPLOYMENT, "unrelated-1", {"spec": {"replicas": 0, "paused": True}})
        space.patch(kinds.DEPLOYMENT, "unrelated-1", {"spec": {"replicas": 0, "paused": False}})
        return not controller.app.workloads.watched

    space.until("nothing is watched", ended)
    assert kept(controller) == []


# --- the command line


@pytest.fixture
def run(kubeconfig: Path, namespace: str) -> Run:
    """A command in this test's namespace."""

    def invoke(line: str) -> str:
        words = [*line.split(), "--kubeconfig", str(kubeconfig), "--namespace", namespace]
        result = CliRunner().invoke(plugin_app, words, prog_name="kubectl rollouts")
        assert result.exit_code == 0, result.stdout + result.stderr
        return str(result.stdout)

    return invoke


@pytest.mark.parametrize("kind", list(KINDS))
def test_commands_change_the_workload(space: Space, controller: OwnController, run: Run, kind: str) -> None:
    space.create(workload(kind, replicas=0), referring(kind=kind, replicas=2))
    space.until_phase("Healthy")
    assert f'{kind.lower()} "old" image updated' in run("set image app app=example/app:2")
    space.until_paused(at=1)
    shown = run("get rollout app")
    assert "example/app:2 (canary)" in shown
    run("promote app --full")
    assert "Healthy" in run("status app --timeout 30s").splitlines()
    run("undo app")
    space.until_paused(at=1)
    assert "template" not in space.rollout()["spec"]
    where = space.get(KINDS[kind], "old")
    pods = where["template"] if kind == "PodTemplate" else where["spec"]["template"]
    assert pods["spec"]["containers"][0]["image"] == "example/app:1"
    assert "rollouts-pod-template-hash" not in pods["metadata"]["labels"]
    observed(space)


def test_what_kubectl_prints(space: Space, controller: OwnController, kubectl: Kubectl) -> None:
    space.create(workload(replicas=0), referring(replicas=1))
    space.until_phase("Healthy")
    scale = kubectl.json("get", "rollout", "app", "--subresource=scale")
    assert (scale["spec"]["replicas"], scale["status"]["selector"]) == (1, "app=app")
