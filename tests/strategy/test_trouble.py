"""What is wrong with pods, from what kubelet, scheduler and ReplicaSet controller write."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rollouts.strategy import trouble
from rollouts.strategy.trouble import Trouble

JSON = dict[str, Any]


def waiting(reason: str, message: str = "", **extra: Any) -> JSON:
    return {"name": "web", "ready": False, "state": {"waiting": {"reason": reason, "message": message}}, **extra}


def exited(code: int, *, restarts: int, **terminated: Any) -> JSON:
    """A container in its back-off after so many restarts."""
    last = {"terminated": {"exitCode": code, **terminated}}
    words = f"back-off {restarts}m0s restarting failed container=web pod=web-{restarts}_ns"
    return waiting("CrashLoopBackOff", words, restartCount=restarts, lastState=last)


def pod(*containers: JSON, **status: Any) -> JSON:
    return {"metadata": {"name": "web-1"}, "status": {"containerStatuses": list(containers), **status}}


def unschedulable(message: str) -> JSON:
    conditions = [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}]
    return {"metadata": {"name": "web-1"}, "status": {"phase": "Pending", "conditions": conditions}}


RUNNING = {"name": "web", "ready": True, "restartCount": 0, "state": {"running": {"startedAt": "x"}}}
STARTING = waiting("ContainerCreating")
ENDED = {"state": {"terminated": {"exitCode": 0}}}

#: pod → what it says, and whether waiting is in vain
ONE_POD = [
    (pod(RUNNING), "", False),
    (pod(STARTING), "", False),
    (pod({**RUNNING, "ready": False}), "", False),
    (pod(waiting("ErrImagePull", "rpc error: not found")), "container web: ErrImagePull: rpc error: not found", False),
    (
        pod(waiting("ImagePullBackOff", 'Back-off pulling image "web:2"')),
        'container web: ImagePullBackOff: Back-off pulling image "web:2"',
        True,
    ),
    (
        pod(waiting("InvalidImageName", "couldn't parse image name")),
        "container web: InvalidImageName: couldn't parse image name",
        True,
    ),
    (
        pod(waiting("CreateContainerConfigError", 'configmap "settings" not found')),
        'container web: CreateContainerConfigError: configmap "settings" not found',
        True,
    ),
    (pod(waiting("RunContainerError")), "container web: RunContainerError", True),
    (
        pod(exited(1, restarts=1, reason="Error")),
        "container web: CrashLoopBackOff: exit code 1 (Error)",
        False,
    ),
    (
        pod(exited(137, restarts=2, reason="OOMKilled")),
        "container web: CrashLoopBackOff: exit code 137 (OOMKilled)",
        True,
    ),
    (
        pod(exited(1, restarts=7, reason="Error", message="line one\nno database\n\n")),
        "container web: CrashLoopBackOff: exit code 1 (Error): no database",
        True,
    ),
    (pod(waiting("CrashLoopBackOff")), "container web: CrashLoopBackOff", False),
    # up again, but it has ended twice: not ready, so it is about to end again as far as anybody can tell
    (
        pod({**RUNNING, "ready": False, "restartCount": 2, "lastState": {"terminated": {"exitCode": 2}}}),
        "container web: CrashLoopBackOff: exit code 2",
        True,
    ),
    (pod({**RUNNING, "restartCount": 9, "lastState": {"terminated": {"exitCode": 2}}}), "", False),
    (
        pod(initContainerStatuses=[{**exited(1, restarts=3), "name": "migrate"}]),
        "container migrate: CrashLoopBackOff: exit code 1",
        True,
    ),
    # an init container that has done its work
    (
        pod(initContainerStatuses=[{"name": "m", "restartCount": 0, "state": {"terminated": {"exitCode": 0}}}]),
        "",
        False,
    ),
    (
        unschedulable("0/3 nodes are available: 3 Insufficient cpu."),
        "Unschedulable: 0/3 nodes are available: 3 Insufficient cpu.",
        False,
    ),
    ({"metadata": {"deletionTimestamp": "x"}, "status": pod(waiting("ImagePullBackOff"))["status"]}, "", False),
]


@pytest.mark.parametrize(("obj", "says", "hopeless"), ONE_POD)
def test_a_pod_in_words(obj: JSON, says: str, hopeless: bool) -> None:
    found = trouble.troubles([obj])
    assert trouble.summary(found) == says
    assert trouble.fatal(found) == (says if hopeless else None)


def test_what_many_pods_have_is_said_once_and_the_hopeless_first() -> None:
    pulls, runs, crashes = waiting("ErrImagePull", "a hiccup"), RUNNING, exited(1, restarts=5)
    found = trouble.troubles([pod(pulls), pod(pulls), pod(runs), pod(crashes), pod(exited(1, restarts=3))])
    assert trouble.summary(found) == (
        "container web: CrashLoopBackOff: exit code 1; container web: ErrImagePull: a hiccup"
    )
    assert trouble.fatal(found) == "container web: CrashLoopBackOff: exit code 1"
    assert trouble.crashing(found)
    assert not trouble.crashing(trouble.troubles([pod(pulls)]))


def test_no_more_than_three_are_named() -> None:
    found = [Trouble(container=name, reason="ErrImagePull") for name in "abcde"]
    named = "; ".join(f"container {name}: ErrImagePull" for name in "abc")
    assert trouble.summary(found) == f"{named}; and 2 more"


def test_the_words_stay_the_same_from_restart_to_restart() -> None:
    looks = [trouble.troubles([pod(exited(1, restarts=count, reason="Error"))]) for count in (2, 3, 9)]
    assert len({trouble.summary(look) for look in looks}) == 1


QUOTA = 'pods "web-5f6c-abcde" is forbidden: exceeded quota: few, requested: pods=1, used: pods=4, limited: pods=4'
#: conditions of a ReplicaSet → in words
REPLICA_SETS: list[tuple[Any, str]] = [
    (None, ""),
    ([], ""),
    ([{"type": "ReplicaFailure", "status": "False", "reason": "FailedCreate", "message": QUOTA}], ""),
    (
        [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": QUOTA}],
        "FailedCreate: a pod is forbidden: exceeded quota: few, requested: pods=1, used: pods=4, limited: pods=4",
    ),
    ([{"type": "ReplicaFailure", "status": "True"}], "ReplicaFailure"),
]


@pytest.mark.parametrize(("conditions", "says"), REPLICA_SETS)
def test_a_replica_set_that_can_not_create_pods(conditions: Any, says: str) -> None:
    found = trouble.failures({"status": {"conditions": conditions}})
    assert trouble.summary(found) == says
    assert trouble.fatal(found) is None


@pytest.mark.parametrize(
    ("replicas", "ready", "expected"),
    [(3, 3, False), (3, 2, True), (0, None, False), (1, None, True), (None, 1, False)],
)
def test_short_of_pods(replicas: int | None, ready: int | None, expected: bool) -> None:
    spec = {} if replicas is None else {"replicas": replicas}
    assert trouble.short({"spec": spec, "status": {} if ready is None else {"readyReplicas": ready}}) is expected


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "reason", "state"]), inner),
    max_leaves=6,
)
STATUS = st.fixed_dictionaries(
    {},
    optional={
        key: ANYTHING | st.lists(st.dictionaries(st.sampled_from(["state", "lastState", "restartCount"]), ANYTHING))
        for key in ("containerStatuses", "initContainerStatuses", "conditions")
    },
)


@given(metadata=ANYTHING, status=ANYTHING | STATUS)
def test_nothing_a_pod_may_contain_raises(metadata: Any, status: Any) -> None:
    assert isinstance(trouble.summary(trouble.troubles([{"metadata": metadata, "status": status}])), str)
