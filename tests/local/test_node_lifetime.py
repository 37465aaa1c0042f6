"""The process node's own end and return: what goes with it, what stays, what is started anew."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.errors import NamespacesRefusedError
from deploy.local.namespaces import find_namespace
from deploy.local.node.launcher import ProcessNode
from deploy.local.plane import Plane
from deploy.local.processes import REPOSITORY
from tests.local.nodes import SLEEP, Pods, marked, shell, until

pytestmark = pytest.mark.cluster

#: A process that leaves its group, as a daemon does, and one that stays.
WITH_DAEMON = "setsid sleep 1000 & " + SLEEP
OWNER = f"""
import threading
from deploy.local.node.launcher import ProcessNode
from deploy.local.plane import Plane
from tests.local.nodes import Pods, shell

with Plane(nodes=0, network=True) as plane, ProcessNode(plane=plane) as node:
    pods = Pods(plane=plane, node=node)
    pods.await_ready(pods.create(shell({WITH_DAEMON!r})))
    print(node.directory, flush=True)
    threading.Event().wait()
"""
OTHER = {"name": "process-1", "address": "10.244.1.2", "pod_cidr": "10.244.2.0/24"}


@pytest.fixture(scope="module")
def plane() -> Iterator[Plane]:
    try:
        find_namespace()
    except NamespacesRefusedError as error:
        pytest.skip(str(error))
    with Plane(nodes=0, network=True) as started:
        yield started


def test_a_killed_node_takes_its_processes_and_the_next_one_starts_them_anew(plane: Plane) -> None:
    node = ProcessNode(plane=plane).start()
    pods = Pods(plane=plane, node=node)
    served, once = pods.create(shell(WITH_DAEMON)), pods.create(shell(SLEEP), restartPolicy="Never")
    address = pods.await_ready(served)["status"]["podIP"]
    pods.await_ready(once)
    before = pods.processes(served)
    os.kill(plane.processes.pids()[node.process], signal.SIGKILL)
    until("only the daemon is left", lambda: len(pods.all_processes()) == 1)
    node.stop()
    with node:
        until("it was started again", lambda: pods.container(served)["restartCount"] == 1)
        pods.await_ready(served)
        assert pods.get(served)["status"]["podIP"] == address
        assert len(pods.processes(served)) == 2
        assert not set(before) & set(pods.processes(served))
        assert pods.container(served)["lastState"]["terminated"]["reason"] == "ContainerStatusUnknown"
        until("the other has failed", lambda: pods.phase(once) == "Failed")
        assert pods.container(once)["restartCount"] == 0
        newcomer = pods.create(shell(SLEEP))
        assert pods.await_ready(newcomer)["status"]["podIP"] != address
    assert not pods.all_processes()
    assert pods.get(served)
    plane.kubectl("delete", "pods", "--all", "--force", "--grace-period=0")


def test_a_pod_deleted_while_the_node_was_away_is_let_go(plane: Plane) -> None:
    node = ProcessNode(plane=plane).start()
    pods = Pods(plane=plane, node=node)
    name = pods.create(shell(SLEEP))
    pods.await_ready(name)
    node.stop()
    pods.delete(name)
    assert not pods.is_gone(name)
    with node:
        until("it is gone", lambda: pods.is_gone(name))


def test_without_an_api_server_pods_run_on_until_the_node_gives_up(plane: Plane) -> None:
    with ProcessNode(plane=plane) as patient:
        hasty = ProcessNode(plane=plane, api_timeout=2.0, **OTHER).start()
        stays, goes = Pods(plane=plane, node=patient), Pods(plane=plane, node=hasty)
        kept, lost = stays.create(shell(SLEEP)), goes.create(shell(WITH_DAEMON))
        stays.await_ready(kept)
        goes.await_ready(lost)
        before = stays.processes(kept)
        plane.stop_apiserver()
        until("the hasty one has ended", lambda: hasty.process not in plane.processes.pids())
        assert not goes.all_processes()
        hasty.stop()
        plane.start_apiserver()
        assert stays.processes(kept) == before
        stays.delete(kept)
        until("deletions are seen again", lambda: stays.is_gone(kept))
        plane.kubectl("delete", "pods", "--all", "--force", "--grace-period=0")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_nothing_outlives_the_plane_s_owner(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", OWNER], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        directory = Path(owner.stdout.readline().strip())
        assert len(marked(directory)) == 2
        owner.send_signal(number)
    until("nothing is left", lambda: not marked(directory) and not directory.exists())
