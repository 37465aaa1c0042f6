"""The process node's arithmetic and tables: what needs neither processes nor an API server."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import pytest

from deploy.local.node.addresses import Addresses
from deploy.local.node.backoff import BackOff
from deploy.local.node.environment import ConfigError, Facts, build_command, build_environment, expand
from deploy.local.node.probes import Probe, Streak
from deploy.local.node.server import tail_offset
from deploy.local.node.status import pod_conditions, pod_phase, pod_status

POD: dict[str, Any] = {
    "metadata": {"name": "web-1", "namespace": "shop", "uid": "u1", "labels": {"app": "web", "a/b": "c"}},
    "spec": {"nodeName": "process-0", "containers": []},
}
FACTS = Facts(pod=POD, address="10.244.64.7", host="10.244.1.1")
SOURCES = {("configmaps", "settings"): {"LEVEL": "info", "WHO": "map"}, ("secrets", "keys"): {"token": "s3cret"}}

RUNNING = {"running": {"startedAt": "t"}}
CREATING = {"waiting": {"reason": "ContainerCreating"}}
CRASHING = {"waiting": {"reason": "CrashLoopBackOff"}}


def ended(code: int) -> dict[str, Any]:
    return {"terminated": {"exitCode": code}}


def container(state: dict[str, Any], *, ready: bool = False, last: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"name": "web", "ready": ready, "state": state, "lastState": last or {}}


def test_restarts_wait_longer_and_longer_and_forget_after_a_good_run() -> None:
    back_off = BackOff(base=1, limit=30)
    assert [back_off.next(ran_for=0.1) for _ in range(8)] == [0, 1, 2, 4, 8, 16, 30, 30]
    assert back_off.next(ran_for=61) == 0
    assert back_off.next(ran_for=59) == 1


@pytest.mark.parametrize(
    ("successes", "failures", "answers", "verdicts"),
    [
        (1, 3, "nnnn", [None, None, False, False]),
        (1, 3, "nnynnn", [None, None, True, None, None, False]),
        (2, 1, "yny y".replace(" ", ""), [None, False, None, True]),
        (1, 1, "yn", [True, False]),
    ],
)
def test_answers_in_a_row_make_a_verdict(successes: int, failures: int, answers: str, verdicts: list[Any]) -> None:
    streak = Streak(Probe(handler={}, successes=successes, failures=failures))
    assert [streak.add(answer == "y") for answer in answers] == verdicts


def test_a_probe_has_the_api_s_defaults() -> None:
    assert Probe.parse({"tcpSocket": {"port": 80}}) == Probe(
        handler={"tcpSocket": {"port": 80}}, initial_delay=0, period=10, timeout=1, successes=1, failures=3, grace=None
    )


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "web-1"),
        ("metadata.namespace", "shop"),
        ("metadata.uid", "u1"),
        ("metadata.labels['app']", "web"),
        ("metadata.labels['a/b']", "c"),
        ("metadata.annotations['none']", ""),
        ("spec.nodeName", "process-0"),
        ("spec.serviceAccountName", "default"),
        ("status.podIP", "10.244.64.7"),
        ("status.hostIP", "10.244.1.1"),
    ],
)
def test_field_references(path: str, value: str) -> None:
    env = [{"name": "X", "valueFrom": {"fieldRef": {"fieldPath": path}}}]
    assert build_environment({"env": env}, facts=FACTS, sources={}) == {"X": value}


def test_environment_is_put_together_in_order() -> None:
    spec = {
        "envFrom": [
            {"configMapRef": {"name": "settings"}, "prefix": "S_"},
            {"configMapRef": {"name": "absent", "optional": True}},
            {"secretRef": {"name": "keys"}},
        ],
        "env": [
            {"name": "S_WHO", "value": "env"},
            {"name": "URL", "value": "http://$(S_WHO):$(PORT)/$$(S_WHO)"},
            {"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "keys", "key": "token"}}},
            {"name": "MAYBE", "valueFrom": {"configMapKeyRef": {"name": "absent", "key": "x", "optional": True}}},
        ],
    }
    assert build_environment(spec, facts=FACTS, sources=SOURCES) == {
        "S_LEVEL": "info", "S_WHO": "env", "token": "s3cret", "URL": "http://env:$(PORT)/$(S_WHO)", "KEY": "s3cret",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ({"configMapKeyRef": {"name": "absent", "key": "x"}}, "configmaps 'absent' not found"),
        ({"secretKeyRef": {"name": "keys", "key": "x"}}, "couldn't find key x in secrets 'keys'"),
        ({"fieldRef": {"fieldPath": "status.phase"}}, "fieldRef 'status.phase' is not supported: use metadata.name"),
        ({"resourceFieldRef": {"resource": "limits.cpu"}}, "X: resourceFieldRef is not supported by the process node"),
    ],
)
def test_what_can_not_be_had_is_named(source: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint.replace("(", r"\(")):
        build_environment({"env": [{"name": "X", "valueFrom": source}]}, facts=FACTS, sources=SOURCES)


def test_a_missing_source_of_a_whole_environment_is_named() -> None:
    with pytest.raises(ConfigError, match="secrets 'absent' not found"):
        build_environment({"envFrom": [{"secretRef": {"name": "absent"}}]}, facts=FACTS, sources=SOURCES)


def test_a_command_is_expanded_and_must_be_there() -> None:
    spec = {"command": ["serve", "--port=$(PORT)"], "args": ["$(NONE)"]}
    assert build_command(spec, values={"PORT": "80"}) == ["serve", "--port=80", "$(NONE)"]
    assert expand("$$$(A)", {"A": "1"}) == "$1"
    with pytest.raises(ConfigError, match="no command specified"):
        build_command({}, values={})


@pytest.mark.parametrize(
    ("containers", "initialized", "over", "phase"),
    [
        ([container(CREATING)], False, False, "Pending"),
        ([container(CREATING)], True, False, "Pending"),
        ([container(RUNNING), container(CREATING)], True, False, "Pending"),
        ([container(RUNNING)], True, False, "Running"),
        ([container(CRASHING, last=ended(1))], True, False, "Running"),
        ([container(ended(0)), container(RUNNING)], True, False, "Running"),
        ([container(ended(0)), container(ended(0))], True, True, "Succeeded"),
        ([container(ended(0)), container(ended(2))], True, True, "Failed"),
        ([container(CREATING)], False, True, "Failed"),
    ],
)
def test_phases(containers: list[dict[str, Any]], initialized: bool, over: bool, phase: str) -> None:
    assert pod_phase(containers=containers, initialized=initialized, over=over) == phase


def _ready(pod: dict[str, Any], *containers: dict[str, Any], phase: str = "Running") -> tuple[bool, str, str]:
    found = pod_conditions(pod=pod, containers=containers, initialized=True, phase=phase)
    ready = next(condition for condition in found if condition.type == "Ready")
    return ready.holds, ready.reason, ready.message


def test_a_pod_is_ready_when_its_containers_and_its_gates_are() -> None:
    gated = {**POD, "spec": {**POD["spec"], "readinessGates": [{"conditionType": "lb"}]}}
    refused = {**gated, "status": {"conditions": [{"type": "lb", "status": "False"}]}}
    granted = {**gated, "status": {"conditions": [{"type": "lb", "status": "True"}]}}
    up, down = container(RUNNING, ready=True), container(RUNNING)
    assert _ready(POD, up) == (True, "", "")
    assert _ready(POD, up, down) == (False, "ContainersNotReady", "containers with unready status: [web]")
    assert _ready(POD, container(ended(0)), phase="Succeeded")[:2] == (False, "PodCompleted")
    assert _ready(granted, up)[0]
    assert not _ready(granted, down)[0]
    gate = 'corresponding condition of pod readiness gate "lb"'
    assert _ready(gated, up) == (False, "ReadinessGatesNotReady", f"{gate} does not exist.")
    assert _ready(refused, up) == (False, "ReadinessGatesNotReady", f'{gate} has status of "False".')


def _status(pod: dict[str, Any], *, ready: bool, now: str) -> dict[str, Any]:
    return pod_status(
        pod=pod, address="10.244.64.7", host="10.244.1.1", started_at="t0", now=now, initialized=True, over=False,
        containers=[container(RUNNING, ready=ready)], inits=[],
    )  # fmt: skip


def test_a_condition_keeps_the_time_of_its_last_change() -> None:
    first = _status(POD, ready=False, now="t1")
    second = _status({**POD, "status": first}, ready=True, now="t2")
    since = {condition["type"]: condition["lastTransitionTime"] for condition in second["conditions"]}
    assert since == {
        "PodScheduled": "t1", "PodReadyToStartContainers": "t1", "Initialized": "t1",
        "ContainersReady": "t2", "Ready": "t2",
    }  # fmt: skip


def test_an_address_is_one_pod_s_and_is_not_given_again_at_once() -> None:
    addresses = Addresses(network=ipaddress.IPv4Network("10.244.9.0/29"))
    assert addresses.take(wanted="10.244.9.2") == "10.244.9.2"
    assert [addresses.take() for _ in range(2)] == ["10.244.9.1", "10.244.9.3"]
    addresses.give_back("10.244.9.1")
    assert addresses.take() == "10.244.9.4"
    assert addresses.take(wanted="10.244.9.2") == "10.244.9.5"
    assert addresses.take(wanted="10.1.1.1") == "10.244.9.6"
    assert addresses.take() == "10.244.9.1"
    with pytest.raises(RuntimeError, match=r"all 6 addresses of 10.244.9.0/29 are taken: give .* a larger --pod-cidr"):
        addresses.take()


@pytest.mark.parametrize(
    ("lines", "tail"), [(-1, "one\ntwo\nthree"), (0, ""), (1, "three"), (2, "two\nthree"), (9, "one\ntwo\nthree")]
)
def test_the_tail_of_a_log(tmp_path: Path, lines: int, tail: str) -> None:
    log = tmp_path / "0.log"
    log.write_text("one\ntwo\nthree")
    assert log.read_text()[tail_offset(log, lines=lines) :] == tail
