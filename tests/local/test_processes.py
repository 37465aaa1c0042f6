"""The supervisor: what it starts is stopped in order, reported when it dies, and gone when its owner is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from deploy.local.errors import LocalError, ProcessDiedError
from deploy.local.processes import REPOSITORY, Processes

SLEEP = ["sleep", "300"]

OWNER = """
import sys, time
from pathlib import Path
from deploy.local.processes import Processes
scratch = Path(sys.argv[1])
processes = Processes(directory=scratch, scratch=scratch)
pid = processes.start(name="sleeper", argv=["sleep", "300"], rank=0)
print(processes.pid, pid, flush=True)
time.sleep(300)
"""


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    started = Processes(directory=tmp_path)
    yield started
    started.close()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _gone(pid: int) -> bool:
    """A zombie counts as gone: who collects it is up to the machine's init."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def _says_up(log: Path) -> bool:
    return "up" in log.read_text()


def _traps(name: str, *, log: Path) -> list[str]:
    """A process that notes when it is told to end."""
    return ["sh", "-c", f"trap 'echo {name} >> {log}; exit 0' TERM; echo up; while :; do sleep 0.02; done"]


def test_ranks_are_stopped_from_the_highest(processes: Processes, tmp_path: Path) -> None:
    order = tmp_path / "order"
    for rank, name in enumerate(("etcd", "kube-apiserver", "kwok")):
        processes.start(name=name, argv=_traps(name, log=order), rank=rank)
        _until(partial(_says_up, tmp_path / f"{name}.log"))
    processes.close()
    assert order.read_text().split() == ["kwok", "kube-apiserver", "etcd"]


def test_one_that_ignores_sigterm_is_killed(processes: Processes, tmp_path: Path) -> None:
    pid = processes.start(name="deaf", argv=["sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done"], rank=0)
    _until(partial(_says_up, tmp_path / "deaf.log"))
    processes.stop("deaf", grace=0.05)
    assert _gone(pid)
    processes.check()


def test_one_that_died_is_reported_with_the_end_of_its_log(processes: Processes) -> None:
    processes.start(name="etcd", argv=["sh", "-c", "echo disk is full; exit 7"], rank=0)
    with pytest.raises(ProcessDiedError, match=r"(?s)etcd ended with exit code 7.*disk is full"):
        processes.wait_for(what="never", probe=lambda: False)


def test_one_that_was_killed_is_reported_with_the_signal(processes: Processes) -> None:
    pid = processes.start(name="etcd", argv=SLEEP, rank=0)
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(ProcessDiedError, match="etcd ended with signal 9"):
        processes.wait_for(what="never", probe=lambda: False)


def test_one_that_was_stopped_is_not_reported_and_may_start_again(processes: Processes) -> None:
    first = processes.start(name="etcd", argv=SLEEP, rank=0)
    processes.stop("etcd")
    processes.check()
    second = processes.start(name="etcd", argv=SLEEP, rank=0)
    assert processes.pids() == {"etcd": second} != {"etcd": first}


def test_what_does_not_come_in_time_is_named(processes: Processes) -> None:
    with pytest.raises(LocalError, match="a ready Prometheus was not there"):
        processes.wait_for(what="a ready Prometheus", probe=lambda: False, seconds=0)


def test_a_refused_connection_is_waited_through(processes: Processes) -> None:
    answers: Iterator[BaseException | str] = iter([ConnectionRefusedError(), TimeoutError(), "ready"])

    def probe() -> str:
        answer = next(answers)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    assert processes.wait_for(what="it", probe=probe) == "ready"


def test_a_program_that_is_not_there_is_an_error_at_once(processes: Processes) -> None:
    with pytest.raises(LocalError, match="No such file or directory: '/nowhere/etcd'"):
        processes.start(name="etcd", argv=["/nowhere/etcd"], rank=0)
    processes.check()


def test_grandchildren_that_were_left_behind_go_too(processes: Processes, tmp_path: Path) -> None:
    # setsid puts the grandchild out of its parent's process group, as a daemon would
    processes.start(name="daemon", argv=["sh", "-c", f"setsid {' '.join(SLEEP)} & echo $!"], rank=0)
    log = tmp_path / "daemon.log"
    _until(lambda: bool(log.read_text().strip()))
    pid = int(log.read_text())
    assert not _gone(pid)
    processes.close()
    assert _gone(pid)


@pytest.mark.parametrize("victim", ["owner", "supervisor"])
def test_nothing_outlives_a_killed_owner_or_supervisor(tmp_path: Path, victim: str) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(scratch)], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    ) as owner:
        assert owner.stdout
        supervisor, sleeper = (int(pid) for pid in owner.stdout.readline().split())
        os.kill({"owner": owner.pid, "supervisor": supervisor}[victim], signal.SIGKILL)
        _until(lambda: _gone(sleeper) and _gone(supervisor))
        owner.kill()
    assert scratch.exists() is (victim == "supervisor")


def test_a_supervisor_that_was_killed_is_reported(processes: Processes) -> None:
    os.kill(processes.pid, signal.SIGKILL)
    with pytest.raises(ProcessDiedError, match="supervisor ended with signal 9"):
        processes.check()
