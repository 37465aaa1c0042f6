"""Two controller processes, one Lease: one acts; the other takes over when it dies, and at once when it stops."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from rollouts.api import kinds
from tests.cluster.controllers import Process
from tests.cluster.space import Space, rollout

LOCK = "argo-rollouts-controller-lock"
DURATION = 3
TIMING = [f"--leader-election-lease-duration={DURATION}s", "--leader-election-renew-deadline=2s"]
TIMING += ["--leader-election-retry-period=300ms"]


def holder(space: Space) -> str:
    """Who holds the Lease: the identity ends with the process id."""
    return str(space.get(kinds.LEASE, LOCK)["spec"].get("holderIdentity") or "")


def held_by(space: Space, one: Process) -> None:
    """Wait until this process holds it."""
    space.until(f"{one.pid} leads", lambda: holder(space).endswith(f"_{one.pid}"))


def two(space: Space, process: Callable[..., Process]) -> tuple[Process, Process]:
    """A leader and a standby that knows of it."""
    arguments = ["--namespaced", "--namespace", space.namespace, *TIMING]
    leader = process(*arguments)
    held_by(space, leader)
    standby = process(*arguments)
    space.create(rollout("app"))
    space.until_phase("Healthy")
    assert standby.running
    return leader, standby


def test_the_standby_takes_over_from_the_dead(space: Space, process: Callable[..., Process]) -> None:
    leader, standby = two(space, process)
    leader.kill()
    last = datetime.fromisoformat(space.get(kinds.LEASE, LOCK)["spec"]["renewTime"])
    space.set_image("example/app:2")
    held_by(space, standby)
    spec = space.get(kinds.LEASE, LOCK)["spec"]
    assert (datetime.fromisoformat(spec["acquireTime"]) - last).total_seconds() >= DURATION - 1
    assert spec["leaseTransitions"] == 2
    space.until_phase("Healthy")
    assert space.sizes() == {"1": 0, "2": 1}


def test_the_standby_follows_one_that_stops(space: Space, process: Callable[..., Process]) -> None:
    leader, standby = two(space, process)
    assert leader.stop() == 0
    assert [word in leader.log.read_text() for word in ("stopping: what is under way", "stopped")] == [True, True]
    assert not holder(space).endswith(f"_{leader.pid}")
    held_by(space, standby)
    space.set_image("example/app:2")
    space.until_phase("Healthy")
