"""The process node on a real control plane: real processes, told of by real statuses."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy.local.errors import LocalError, NamespacesRefusedError
from deploy.local.namespaces import find_namespace
from deploy.local.node.launcher import ProcessNode
from deploy.local.plane import Plane
from tests.local.nodes import SLEEP, Object, Pods, kill, shell, until

pytestmark = pytest.mark.cluster

#: Serves its pod's address; ready at once.
SERVE = "exec python -m deploy.local.traffic.service"
DEPLOYMENT = "/apis/apps/v1/namespaces/default/deployments/web"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"


@pytest.fixture(scope="module")
def pods() -> Iterator[Pods]:
    try:
        find_namespace()
    except NamespacesRefusedError as error:
        pytest.skip(str(error))
    with Plane(nodes=0, network=True) as plane, ProcessNode(plane=plane, back_off=0.3, back_off_limit=2) as node:
        yield Pods(plane=plane, node=node)


def _probe(handler: Object, **fields: Any) -> Object:
    return {**handler, "periodSeconds": 1, **fields}


def _file_probe(file: Path, **fields: Any) -> Object:
    return _probe({"exec": {"command": ["test", "-e", str(file)]}}, **fields)


def test_a_node_needs_pod_addresses() -> None:
    with pytest.raises(LocalError, match="start the plane with network=True"):
        ProcessNode(plane=Plane(network=False)).start()


def test_a_deployment_runs_as_processes_that_a_service_finds(pods: Pods) -> None:
    port = {"name": "http", "containerPort": 8080}
    container = shell(SERVE, ports=[port], readinessProbe=_probe({"httpGet": {"path": "/healthz", "port": "http"}}))
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
    spec = {"replicas": 2, "selector": {"matchLabels": {"app": "web"}}, "template": template}
    client = pods.plane.client
    client.apply(DEPLOYMENT, _object("apps/v1", "Deployment", "web", spec))
    ports = [{"port": 80, "targetPort": "http"}]
    client.apply(
        "/api/v1/namespaces/default/services/web",
        _object("v1", "Service", "web", {"selector": {"app": "web"}, "ports": ports}),
    )
    pods.plane.kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    found = client.get("/api/v1/namespaces/default/pods?labelSelector=app%3Dweb")["items"]
    addresses = {pod["status"]["podIP"] for pod in found}
    assert len(addresses) == 2
    assert {pod["status"]["hostIP"] for pod in found} == {"10.244.1.1"}
    assert all(len(pods.processes(pod["metadata"]["name"])) == 1 for pod in found)

    def endpoints() -> set[str]:
        slices = client.get(SLICES)["items"]
        ready = [e for s in slices for e in s["endpoints"] or [] if e["conditions"]["ready"]]
        return {address for endpoint in ready for address in endpoint["addresses"] if address.startswith("10.244.64")}

    until("both are endpoints", lambda: endpoints() == addresses)
    pods.plane.kubectl("delete", "deployment", "web")
    until("no endpoint is left", lambda: not endpoints())
    until("no process is left", lambda: not any(pods.processes(pod["metadata"]["name"]) for pod in found))


def test_a_container_sees_its_pod_and_kubectl_its_logs(pods: Pods) -> None:
    path = "/api/v1/namespaces/default/configmaps/settings"
    pods.plane.client.apply(path, {**_object("v1", "ConfigMap", "settings"), "data": {"LEVEL": "info"}})
    env = [
        {"name": "MY_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "MY_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}},
        {"name": "MY_LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['pod']"}}},
        {"name": "LEVEL", "valueFrom": {"configMapKeyRef": {"name": "settings", "key": "LEVEL"}}},
    ]
    script = 'echo "$MY_NAME $MY_IP $POD_IP $MY_LABEL $LEVEL $0"; echo second >&2; ' + SLEEP
    name = pods.create(shell(script, env=env, args=["$(LEVEL)-level"]))
    address = pods.await_ready(name)["status"]["podIP"]
    first = f"{name} {address} {address} {name} info info-level"
    until("both lines are there", lambda: pods.plane.kubectl("logs", name) == f"{first}\nsecond\n")
    assert pods.plane.kubectl("logs", name, "--tail=1") == "second\n"
    with pytest.raises(LocalError, match="previous terminated container 'main'"):
        pods.plane.kubectl("logs", name, "--previous")
    with pytest.raises(LocalError, match="serves logs only"):
        pods.plane.kubectl("exec", name, "--", "true")
    pods.delete(name)


def test_a_killed_process_is_started_again_and_waits_when_it_happens_again(pods: Pods) -> None:
    name = pods.create(shell("echo run; " + SLEEP))
    for restarts in (1, 2, 3):
        pods.await_ready(name)
        kill(pods.processes(name), signal.SIGKILL)
        if restarts > 1:
            assert "restarting failed container main" in pods.await_waiting(name, "CrashLoopBackOff")
            assert not pods.is_ready(name)
        until(f"restart {restarts}", lambda wanted=restarts: pods.container(name)["restartCount"] == wanted)
        last = pods.container(name)["lastState"]["terminated"]
        assert (last["exitCode"], last["reason"]) == (137, "Error")
    pods.await_ready(name)
    assert pods.phase(name) == "Running"
    assert pods.plane.kubectl("logs", name, "--previous") == "run\n"
    until("it is told of", lambda: "BackOff" in dict(pods.events(name)))
    pods.delete(name)


def test_readiness_comes_and_goes(pods: Pods, tmp_path: Path) -> None:
    file = tmp_path / "ready"
    name = pods.create(shell(SLEEP, readinessProbe=_file_probe(file, failureThreshold=1)))
    until("it was asked", lambda: "Unhealthy" in dict(pods.events(name)))
    assert pods.phase(name) == "Running"
    assert pods.condition(name, "Ready") == pods.condition(name, "ContainersReady") == "False"
    assert not pods.container(name)["ready"]
    file.touch()
    pods.await_ready(name)
    file.unlink()
    until("it is not ready", lambda: not pods.is_ready(name))
    assert pods.container(name)["restartCount"] == 0
    pods.delete(name)


def test_a_gate_keeps_a_pod_from_being_ready(pods: Pods) -> None:
    gates = [{"conditionType": "local/traffic"}]
    name = pods.create(shell(SLEEP), readinessGates=gates)
    until("its containers are ready", lambda: pods.condition(name, "ContainersReady") == "True")
    assert pods.condition(name, "Ready") == "False"
    patch = {"status": {"conditions": [{"type": "local/traffic", "status": "True"}]}}
    path, strategic = f"/api/v1/namespaces/default/pods/{name}/status", "application/strategic-merge-patch+json"
    assert pods.plane.client.request("PATCH", path, patch, content_type=strategic)[0] == 200
    pods.await_ready(name)
    assert pods.condition(name, "local/traffic") == "True"
    pods.delete(name)


def test_liveness_and_startup_replace_a_process(pods: Pods, tmp_path: Path) -> None:
    alive, begun = tmp_path / "alive", tmp_path / "begun"
    alive.touch()
    name = pods.create(
        shell(SLEEP, livenessProbe=_file_probe(alive, failureThreshold=1)),
        shell(SLEEP, name="slow", startupProbe=_file_probe(begun, failureThreshold=600)),
    )
    until("one has started", lambda: pods.container(name)["started"])
    assert not pods.container(name, "slow")["started"]
    assert not pods.container(name, "slow")["ready"]
    begun.touch()
    pods.await_ready(name)
    alive.unlink()
    until("it is started again", lambda: pods.container(name)["restartCount"] >= 1)
    alive.touch()
    assert pods.container(name)["lastState"]["terminated"]["exitCode"] == 143
    assert pods.container(name, "slow")["restartCount"] == 0
    assert ("Killing", "Container main failed liveness probe, will be restarted") in pods.events(name)
    pods.delete(name)


def test_a_failed_post_start_hook_replaces_the_process(pods: Pods) -> None:
    hook = {"postStart": {"exec": {"command": ["sh", "-c", "echo no luck; exit 7"]}}}
    name = pods.create(shell(SLEEP, lifecycle=hook))
    until("it is started again", lambda: pods.container(name)["restartCount"] >= 1)
    assert "exited with 7: no luck" in until("it is told of", lambda: dict(pods.events(name))["FailedPostStartHook"])
    assert not pods.is_ready(name)
    pods.delete(name)


def test_other_handlers_and_one_that_is_not_supported(pods: Pods) -> None:
    hooks = {"postStart": {"sleep": {"seconds": 1}}, "preStop": {"sleep": {"seconds": 600}}}
    served = pods.create(shell(SERVE, readinessProbe=_probe({"tcpSocket": {"port": 8080}}), lifecycle=hooks), grace=900)
    foreign = pods.create(shell(SLEEP, readinessProbe=_probe({"grpc": {"port": 8080}})))
    pods.await_ready(served)
    message = until("it is told of", lambda: dict(pods.events(foreign))["Unhealthy"])
    assert message == (
        "Readiness probe failed: grpc is not supported by the process node: use exec, httpGet, tcpSocket, sleep"
    )
    pods.delete(served)
    pods.delete(foreign)
    until("its hook sleeps", lambda: "Killing" in dict(pods.events(served)))
    # nothing is left to be stopped, so nothing is left to wait for
    kill(pods.processes(served), signal.SIGKILL)
    until("it is gone", lambda: pods.is_gone(served))


def test_logs_can_be_followed_to_the_end(pods: Pods) -> None:
    name = pods.create(shell("echo one; sleep 0.5; echo two"), restartPolicy="Never")
    until("it runs", lambda: "running" in pods.container(name)["state"])
    assert pods.plane.kubectl("logs", name, "--follow") == "one\ntwo\n"
    pods.delete(name)


def test_deletion_calls_the_hook_then_asks_then_ends(pods: Pods, tmp_path: Path) -> None:
    story = tmp_path / "story"
    polite = f"trap 'echo asked >> {story}; exit 0' TERM; echo begun >> {story}; while :; do sleep 0.1; done"
    hook = {"preStop": {"exec": {"command": ["sh", "-c", f"echo hook >> {story}"]}}}
    name = pods.create(shell(polite, lifecycle=hook), grace=30)
    pods.await_ready(name)
    until("the trap is set", story.exists)
    pods.delete(name)
    until("it is gone", lambda: pods.is_gone(name))
    assert story.read_text().split() == ["begun", "hook", "asked"]


def test_deletion_ends_what_does_not_listen_and_the_shorter_grace_counts(pods: Pods, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    deaf = f"trap '' TERM; touch {begun}; while :; do sleep 0.1; done"
    name = pods.create(shell(deaf), grace=600)
    pods.await_ready(name)
    until("the trap is set", begun.exists)
    pods.delete(name)
    until("it was asked", lambda: "Killing" in dict(pods.events(name)))
    assert pods.processes(name)
    assert "deletionTimestamp" in pods.get(name)["metadata"]
    pods.delete(name, grace=1)
    until("it is gone", lambda: pods.is_gone(name))
    assert not pods.processes(name)


def test_a_pod_removed_by_force_leaves_no_process(pods: Pods) -> None:
    name = pods.create(shell("setsid sleep 1000 & " + SLEEP))
    pods.await_ready(name)
    assert len(pods.processes(name)) == 2
    pods.delete(name, grace=0)
    until("both are gone", lambda: not pods.processes(name))


@pytest.mark.parametrize(
    ("policy", "script", "phase", "reason", "code"),
    [
        ("Never", "exit 0", "Succeeded", "Completed", 0),
        ("Never", "echo sorry; exit 3", "Failed", "Error", 3),
        ("Never", "kill -9 $$$$", "Failed", "Error", 137),
        ("OnFailure", "exit 0", "Succeeded", "Completed", 0),
    ],
)
def test_a_pod_may_end(pods: Pods, policy: str, script: str, phase: str, reason: str, code: int) -> None:
    name = pods.create(shell(script, terminationMessagePolicy="FallbackToLogsOnError"), restartPolicy=policy)
    until(f"it is {phase}", lambda: pods.phase(name) == phase)
    ended = pods.container(name)["state"]["terminated"]
    assert (ended["reason"], ended["exitCode"], ended.get("message")) == (
        reason,
        code,
        "sorry\n" if code == 3 else None,
    )
    assert not pods.is_ready(name)
    pods.delete(name)
    until("it is gone", lambda: pods.is_gone(name))


def test_an_image_that_does_not_exist_is_never_run(pods: Pods) -> None:
    name = pods.create({**shell(SLEEP), "image": "web:does-not-exist"})
    assert "web:does-not-exist" in pods.await_waiting(name, "ImagePullBackOff")
    assert pods.phase(name) == "Pending"
    assert not pods.processes(name)
    pods.delete(name)
    until("it is gone", lambda: pods.is_gone(name))


def test_what_can_not_be_started_says_why_and_heals(pods: Pods) -> None:
    bare = pods.create({"name": "main", "image": "nginx"})
    assert "no command specified" in pods.await_waiting(bare, "CreateContainerConfigError")
    missing = pods.create({"name": "main", "image": "any", "command": ["/no/such/program"]})
    pods.await_waiting(missing, "CrashLoopBackOff")
    last = pods.container(missing)["lastState"]["terminated"]
    assert (last["reason"], last["exitCode"]) == ("StartError", 128)
    assert "/no/such/program" in last["message"]
    later = pods.create(shell(SLEEP, envFrom=[{"configMapRef": {"name": "later"}}]))
    # the Node authorizer may hear of the pod later than the node does, and refuse until then
    until(
        "the missing ConfigMap is named",
        lambda: pods.await_waiting(later, "CreateContainerConfigError") == "configmaps 'later' not found",
    )
    pods.plane.client.apply("/api/v1/namespaces/default/configmaps/later", _object("v1", "ConfigMap", "later"))
    pods.await_ready(later)
    for name in (bare, missing, later):
        pods.delete(name)


def test_init_containers_go_first_and_sidecars_stay_to_the_end(pods: Pods, tmp_path: Path) -> None:
    story = tmp_path / "story"
    proxy = f"trap 'echo proxy ends >> {story}; exit 0' TERM; echo proxy >> {story}; while :; do sleep 0.1; done"
    has_begun = {"exec": {"command": ["grep", "-q", "proxy", str(story)]}}
    inits = [
        shell(f"[ -e {story} ] || {{ touch {story}; exit 1; }}; echo init >> {story}", name="init"),
        shell(proxy, name="proxy", restartPolicy="Always", startupProbe=_probe(has_begun, failureThreshold=60)),
    ]
    name = pods.create(shell(f"echo main >> {story}"), initContainers=inits, restartPolicy="OnFailure")
    until("it has succeeded", lambda: pods.phase(name) == "Succeeded")
    assert story.read_text().splitlines() == ["init", "proxy", "main", "proxy ends"]
    assert pods.container(name, "init")["restartCount"] == 1
    pods.delete(name)


def _object(version: str, kind: str, name: str, spec: Object | None = None) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **({"spec": spec} if spec else {})}
