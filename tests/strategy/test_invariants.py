"""Whatever people, pods and crashes do: enough pods stay available, there are never too many, and it always ends."""

import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from rollouts.strategy.replicas import max_surge, max_unavailable
from tests.strategy.world import CrashedError, World, rollout

STEP = st.one_of(
    st.builds(lambda weight: {"setWeight": weight}, st.integers(0, 100)),
    st.builds(lambda seconds: {"pause": {"duration": seconds}}, st.integers(0, 60)),
    st.just({"pause": {}}),
)


class Canary(RuleBasedStateMachine):
    """Random users, pods and crashes around one Rollout."""

    @initialize(
        replicas=st.integers(1, 12),
        surge=st.sampled_from([0, 1, 3, "25%", "50%"]),
        unavailable=st.sampled_from([0, 1, 2, "25%"]),
        steps=st.lists(STEP, max_size=5),
    )
    def deploy(self, replicas: int, surge: int | str, unavailable: int | str, steps: list[Any]) -> None:
        if surge == 0 and unavailable == 0:
            unavailable = 1
        self.versions = 1
        limits = {"maxSurge": surge, "maxUnavailable": unavailable}
        self.world = World(rollout(replicas=replicas, steps=steps, canary=limits))
        self.world.settle()
        self.calm = True

    @property
    def n(self) -> int:
        return int(self.world.rollout["spec"]["replicas"])

    def bounds(self) -> tuple[int, int]:
        canary = self.world.rollout["spec"]["strategy"]["canary"]
        surge = max_surge(canary["maxSurge"], self.n)
        return self.n - max_unavailable(canary["maxUnavailable"], self.n, surge), self.n + surge

    def totals(self) -> tuple[int, int]:
        sets = self.world.sets.values()
        available = sum(min(rs.get("status", {}).get("availableReplicas", 0), rs["spec"]["replicas"]) for rs in sets)
        return available, sum(rs["spec"]["replicas"] for rs in sets)

    @rule(crash=st.one_of(st.none(), st.integers(1, 4)))
    def reconcile(self, crash: int | None) -> None:
        floor, ceiling = self.bounds()
        available, total = self.totals()
        plan = self.world.plan()
        try:
            self.world.apply(plan, die_after=crash)
        except CrashedError:
            pass
        else:
            assert self.world.plan().empty, (plan, self.world.last)
        after_available, after_total = self.totals()
        assert after_available >= min(available, floor)
        assert after_total <= max(total, ceiling)

    @rule(available=st.integers(0, 5))
    def pods_come(self, available: int) -> None:
        self.world.pods(available=available)

    @rule(data=st.data())
    def pods_fail(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.world.sets)))
        status = self.world.sets[name].setdefault("status", {})
        lost = min(status.get("availableReplicas", 0), data.draw(st.integers(1, 3)))
        status["availableReplicas"] = status["readyReplicas"] = status.get("availableReplicas", 0) - lost

    @rule(version=st.integers(1, 4))
    def change_image(self, version: int) -> None:
        self.world.image(f"app:{version}")

    @rule(replicas=st.integers(1, 12))
    def scale(self, replicas: int) -> None:
        self.world.edit(replicas=replicas)

    @rule()
    def abort(self) -> None:
        self.world.command(abort=True)

    @rule()
    def retry(self) -> None:
        self.world.command(abort=False)

    @rule()
    def promote(self) -> None:
        if self.world.status.get("pauseConditions"):
            self.world.command(pauseConditions=None)

    @rule()
    def promote_full(self) -> None:
        if self.world.status.get("currentPodHash") != self.world.status.get("stableRS"):
            self.world.command(promoteFull=True)

    @rule(paused=st.booleans())
    def freeze(self, paused: bool) -> None:
        self.world.edit(paused=paused)

    @rule(steps=st.lists(STEP, max_size=4))
    def change_steps(self, steps: list[Any]) -> None:
        canary = self.world.rollout["spec"]["strategy"]["canary"]
        self.world.edit(strategy={"canary": {**canary, "steps": steps}})

    @rule(seconds=st.integers(1, 120))
    def time_passes(self, seconds: int) -> None:
        self.world.advance(seconds)

    @precondition(lambda self: hasattr(self, "world"))
    @invariant()
    def one_stable_and_a_phase(self) -> None:
        assert self.world.status["phase"] in {"Healthy", "Degraded", "Progressing", "Paused"}
        assert self.world.status.get("stableRS")

    def teardown(self) -> None:
        """Left alone, it comes to rest and says why."""
        if not hasattr(self, "world"):
            return
        self.world.settle()
        self.world.advance(700)
        self.world.settle()
        phase, message = self.world.status["phase"], self.world.status.get("message", "")
        assert phase in {"Healthy", "Degraded", "Paused"}, (phase, message)
        assert phase == "Healthy" or message


Canary.TestCase.settings = settings(
    max_examples=int(os.environ.get("ROLLOUTS_EXAMPLES", "100")),
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
TestCanary = Canary.TestCase
