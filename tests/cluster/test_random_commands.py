"""Random commands on the real API server: what is left when people have had enough is whole, and truly told.

Rollouts of every sort run side by side under one controller. Each gets a series of commands drawn from a seed, each
command as soon as the one before has had some effect; the controller is killed and started again on the way. Then
nobody touches anything any more. The world must come to rest, every Rollout with a phase people can act on, its
Services on versions that have pods. And a controller started afresh, which has no memory to be misled by, must find
nothing to write: whatever the first one missed would show.

`ROLLOUTS_COMMANDS` says how many commands each Rollout gets (default 12), `ROLLOUTS_SEED` where seeds begin.
"""

from __future__ import annotations

import json
import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from rollouts.api import kinds
from tests.cluster.controllers import OwnController
from tests.cluster.sorts import LABEL, SORTS, Sort
from tests.cluster.space import JSON, Space
from tests.strategy.router import ROUTER

COMMANDS = int(os.environ.get("ROLLOUTS_COMMANDS", "12"))
SEED = int(os.environ.get("ROLLOUTS_SEED", "0"))
OF_EACH_SORT = 3
CALM_SECONDS = 3.0
INSTANCE = "random"
POD_HASH = "rollouts-pod-template-hash"


class Player:
    """One Rollout and its series of commands."""

    def __init__(self, space: Space, sort: Sort, seed: int) -> None:
        self.space = space
        self.random = random.Random(f"{sort.__name__} {seed}")
        self.name = f"{sort.__name__.replace('_', '-')}-{seed}"
        self.done: list[str] = []
        for body in sort(self.name):
            body["metadata"]["labels"] = {**body["metadata"].get("labels", {}), LABEL: INSTANCE}
            space.create(body)

    def play(self) -> None:
        """Give all commands, one after the other."""
        for _ in range(COMMANDS):
            before = self._version()
            verb = self.random.choice(VERBS)
            self.done.append(verb.__name__)
            verb(self)
            self._look_on(before)

    def _look_on(self, before: str) -> None:
        """Until something came of it, or nothing does: a series with and without breath between the commands."""
        patience = time.monotonic() + self.random.choice([0.0, 0.3, 1.0, 3.0])
        moves = self.random.randint(1, 4)
        seen = {before}

        def enough() -> bool:
            seen.add(self._version())
            return len(seen) > moves or time.monotonic() > patience

        self.space.until(f"{self.name} went on", enough)

    def _version(self) -> str:
        return str(self.space.rollout(self.name)["metadata"]["resourceVersion"])

    # --- what people do

    def new_image(self) -> None:
        self.space.set_image(f"example/app:{self.random.randint(1, 4)}", self.name)

    def promote(self) -> None:
        self.space.promote(self.name)

    def promote_full(self) -> None:
        self.space.promote_full(self.name)

    def abort(self) -> None:
        self.space.abort(self.name)

    def retry(self) -> None:
        self.space.retry(self.name)

    def pause(self) -> None:
        self.space.edit(self.name, paused=True)

    def unpause(self) -> None:
        self.space.edit(self.name, paused=False)

    def scale(self) -> None:
        self.space.edit(self.name, replicas=self.random.randint(0, 4))

    def lose_a_pod(self) -> None:
        pods = self.space.pods(self.name)
        if pods:
            self.space.delete(kinds.POD, self.random.choice(pods)["metadata"]["name"])

    def lose_a_replica_set(self) -> None:
        sets = self.space.list(kinds.REPLICA_SET, f"app={self.name}")
        if sets:
            self.space.delete(kinds.REPLICA_SET, self.random.choice(sets)["metadata"]["name"])


VERBS: tuple[Callable[[Player], None], ...] = (
    *[Player.new_image] * 4,
    *[Player.promote] * 3,
    Player.promote_full,
    Player.abort,
    Player.retry,
    Player.pause,
    *[Player.unpause] * 2,
    *[Player.scale] * 2,
    Player.lose_a_pod,
    Player.lose_a_replica_set,
)


@pytest.mark.timeout(300)
def test_random_commands_leave_a_whole_world(space: Space, own_controller: Callable[..., OwnController]) -> None:
    first = own_controller(instance_id=INSTANCE, routers=ROUTER)
    players = [Player(space, sort, seed) for sort in SORTS for seed in range(SEED, SEED + OF_EACH_SORT)]
    with ThreadPoolExecutor(len(players)) as pool:
        playing = [pool.submit(player.play) for player in players]
        space.until(
            "half of it is over", lambda: sum(len(p.done) for p in players) > len(players) * COMMANDS / 2, seconds=120
        )
        first.kill()
        second = own_controller(instance_id=INSTANCE, routers=ROUTER)
        for one in playing:
            one.result(timeout=240)
    for player in players:
        player.unpause()
    calm = Calm(second)
    space.until("nothing moves any more", lambda: calm() and all(map(_at_rest, players)), seconds=90)
    second.stop()
    for player in players:
        _whole(player)
    third = own_controller(instance_id=INSTANCE, routers=ROUTER)
    space.until("the third has seen all", lambda: _through(third, len(players)))
    assert [f"{request} {request.body}" for request in third.writes] == []


class Calm:
    """Whether a controller has not written anything for a while."""

    def __init__(self, controller: OwnController) -> None:
        self._controller = controller
        self._seen = (0, time.monotonic())

    def __call__(self) -> bool:
        count, now = len(self._controller.writes), time.monotonic()
        if count != self._seen[0]:
            self._seen = (count, now)
        return now - self._seen[1] > CALM_SECONDS


def _at_rest(player: Player) -> bool:
    rollout = player.space.rollout(player.name)
    status = rollout["status"]
    assert status["observedGeneration"] == str(rollout["metadata"]["generation"]), (player.name, status)
    assert status["phase"] in {"Healthy", "Paused", "Degraded"}, (player.name, status)
    if status["phase"] == "Healthy":  # the condition comes when the pods left behind are gone
        assert player.space.condition("Healthy", player.name)["status"] == "True", (player.name, status)
    return True


def _whole(player: Player) -> None:
    """Pods as many as promised, all of them of versions the status names; Services on one of those; a message."""
    space, name = player.space, player.name
    rollout = space.rollout(name)
    story = _story(player, rollout)
    status, wanted = rollout["status"], rollout["spec"].get("replicas", 1)
    sizes = {_hash(rs): rs["spec"]["replicas"] for rs in space.list(kinds.REPLICA_SET, f"app={name}")}
    sides = {status["stableRS"], status["currentPodHash"]}
    assert {digest for digest, size in sizes.items() if size} <= sides, story
    assert sum(sizes.values()) >= wanted, story
    assert len(space.pods(name)) == sum(sizes.values()), story
    assert (status.get("replicas", 0), status.get("availableReplicas", 0)) == (
        sum(sizes.values()),
        _available(rollout, sizes),
    ), story
    if status["phase"] == "Healthy":
        assert {digest: size for digest, size in sizes.items() if size} == (
            {status["stableRS"]: wanted} if wanted else {}
        ), story
        assert status["stableRS"] == status["currentPodHash"], story
    else:
        assert status["message"], story
    for service in space.list(kinds.SERVICE):
        if service["metadata"]["name"].startswith(f"{name}-"):
            followed = service["spec"]["selector"].get(POD_HASH)
            aborted = status.get("abort") and service["metadata"]["name"] == f"{name}-preview"
            assert sizes.get(followed, 0) or not wanted or (aborted and followed == status["currentPodHash"]), (
                service,
                story,
            )


def _story(player: Player, rollout: JSON) -> str:
    """All one needs to understand what went wrong."""
    sets = [
        (rs["metadata"]["name"], rs["spec"]["replicas"], rs["metadata"]["annotations"])
        for rs in player.space.list(kinds.REPLICA_SET, f"app={player.name}")
    ]
    services = [
        (service["metadata"]["name"], service["spec"]["selector"])
        for service in player.space.list(kinds.SERVICE)
        if service["metadata"]["name"].startswith(f"{player.name}-")
    ]
    return json.dumps({"commands": player.done, "sets": sets, "services": services, "status": rollout["status"]})


def _available(rollout: JSON, sizes: dict[str, int]) -> int:
    """Blue/green counts the pods of its active side only, as the peer does."""
    if "blueGreen" in rollout["spec"]["strategy"]:
        return sizes.get(rollout["status"]["blueGreen"]["activeSelector"], 0)
    return sum(sizes.values())


def _hash(rs: JSON) -> str:
    return str(rs["metadata"]["labels"][POD_HASH])


def _through(controller: OwnController, count: int) -> bool:
    """Whether each of so many Rollouts has been looked at and none is left to do."""
    queue = controller.app.loops[kinds.ROLLOUT].queue.statistics()
    return queue.done >= count and not queue.ready and not queue.working
