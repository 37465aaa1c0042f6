"""Whatever people, pods and crashes do: enough pods serve, there are never too many, and it always ends and says why.

Three kinds of Rollout go through the same storm: a canary by pods, a canary behind a router, and blue/green.

`ROLLOUTS_EXAMPLES` sets how many storms each of them sees.
"""

import contextlib
import json
import os
from math import ceil
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from rollouts.strategy import decide
from rollouts.strategy.keys import POD_HASH
from rollouts.strategy.replicas import max_surge, max_unavailable
from tests.strategy.router import ROUTER
from tests.strategy.world import CrashedError, StaleError, World, rollout

STEP = st.one_of(
    st.builds(lambda weight: {"setWeight": weight}, st.integers(0, 100)),
    st.builds(lambda seconds: {"pause": {"duration": seconds}}, st.integers(0, 60)),
    st.just({"pause": {}}),
    st.just({"analysis": {"templates": [{"templateName": "smoke"}]}}),
    st.just({"experiment": {"duration": "1m", "templates": [{"name": "a", "specRef": "stable"}]}}),
)
SCALE = st.one_of(
    st.builds(lambda weight: {"setCanaryScale": {"weight": weight}}, st.integers(0, 100)),
    st.builds(lambda pods: {"setCanaryScale": {"replicas": pods}}, st.integers(0, 12)),
    st.just({"setCanaryScale": {"matchTrafficWeight": True}}),
)
TEMPLATES = {
    "smoke": {
        "metadata": {"name": "smoke"},
        "spec": {"metrics": [{"name": "ok", "provider": {"web": {"url": "http://x", "jsonPath": "{$}"}}}]},
    }
}
ANALYSIS = {"templates": [{"templateName": "smoke"}]}
RUN_PHASES = ["Successful", "Failed", "Error", "Inconclusive"]


class Storm(RuleBasedStateMachine):
    """Random users, pods, analyses and crashes around one Rollout."""

    steps: Any = st.lists(STEP, max_size=5)

    def start(self, world: World) -> None:
        self.world = world
        self.lost: set[str] = set()
        self.world.settle()

    @property
    def n(self) -> int:
        return int(self.world.rollout["spec"]["replicas"])

    def available(self, rs: dict[str, Any]) -> int:
        return int(min(rs.get("status", {}).get("availableReplicas", 0), rs["spec"]["replicas"]))

    def of(self, digest: str) -> dict[str, Any] | None:
        return next((rs for rs in self.world.sets.values() if rs["metadata"]["labels"][POD_HASH] == digest), None)

    def totals(self) -> tuple[int, int]:
        sets = self.world.sets.values()
        return sum(map(self.available, sets)), sum(rs["spec"]["replicas"] for rs in sets)

    @rule(crash=st.one_of(st.none(), st.integers(1, 5)))
    def reconcile(self, crash: int | None) -> None:
        before = self.before()
        plan = self.world.plan()
        try:
            self.world.apply(plan, die_after=crash)
        except CrashedError:
            pass
        else:
            if plan.requeue_after != 0:
                assert self.world.plan().empty, (plan, self.world.last)
            wanted = [one for one in self.unfinished() if not one["spec"].get("terminate")]
            named = self.world.status.get("canary", {}).get("currentExperiment")
            assert [one["metadata"]["name"] for one in wanted] in ([], [named])
        self.safe(before)

    def before(self) -> Any:
        return None

    def safe(self, before: Any) -> None:
        """What one decision, even a part of it, may never do."""

    def safe_on_old_news(self, before: Any) -> None:
        """What even a decision on an old world may never do. No API ties a Service to the pods behind it."""

    @rule()
    def hear_the_news(self) -> None:
        self.world.remember()

    @rule()
    def reconcile_on_old_news(self) -> None:
        """Events about pods are late, or were lost: ReplicaSets only shrink on the newest."""
        before = self.before()
        plan = decide(self.world.old_news(), self.world.now, routers=self.world.routers)
        with contextlib.suppress(StaleError):
            self.world.apply(plan)
        self.safe_on_old_news(before)

    @rule(available=st.integers(0, 5))
    def pods_come(self, available: int) -> None:
        self.world.pods(available=available)

    @precondition(lambda self: self.world.sets)
    @rule(data=st.data())
    def pods_fail(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.world.sets)))
        status = self.world.sets[name].setdefault("status", {})
        lost = min(status.get("availableReplicas", 0), data.draw(st.integers(1, 3)))
        status["availableReplicas"] = status["readyReplicas"] = status.get("availableReplicas", 0) - lost
        self.world.touch(self.world.sets[name])

    @precondition(lambda self: self.world.sets)
    @rule(data=st.data())
    def a_replica_set_is_deleted(self, data: st.DataObject) -> None:
        rs = self.world.sets.pop(data.draw(st.sampled_from(sorted(self.world.sets))))
        self.lost.add(rs["metadata"]["labels"][POD_HASH])

    @rule(data=st.data(), phase=st.sampled_from(RUN_PHASES))
    def an_analysis_ends(self, data: st.DataObject, phase: str) -> None:
        running = sorted(name for name, run in self.world.runs.items() if not run.get("status"))
        if running:
            self.world.finish(data.draw(st.sampled_from(running)), phase)

    @rule(phase=st.sampled_from(["Running", *RUN_PHASES]))
    def experiments_move(self, phase: str) -> None:
        for experiment in self.unfinished():
            experiment["status"] = {"phase": phase}

    def unfinished(self) -> list[Any]:
        every = self.world.experiments.values()
        return [one for one in every if one.get("status", {}).get("phase") in (None, "Running")]

    @rule(version=st.integers(1, 4))
    def change_image(self, version: int) -> None:
        self.world.image(f"app:{version}")

    @rule(replicas=st.integers(0, 12))
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

    @rule(seconds=st.integers(1, 120))
    def time_passes(self, seconds: int) -> None:
        self.world.advance(seconds)

    @precondition(lambda self: hasattr(self, "world"))
    @invariant()
    def one_stable_and_a_phase(self) -> None:
        status = self.world.status
        assert status["phase"] in {"Healthy", "Degraded", "Progressing", "Paused"}
        assert status["stableRS"] in self.lost or self.of(status["stableRS"]) is not None

    def teardown(self) -> None:
        """Left alone, with its analyses answered, it comes to rest and says why."""
        if not hasattr(self, "world"):
            return
        for _ in range(8):
            self.world.settle()
            for name, run in self.world.runs.items():
                if not run.get("status"):
                    self.world.finish(name)
            self.experiments_move("Successful")
            self.world.advance(130)
        self.world.advance(700)
        self.world.settle()
        phase, message = self.world.status["phase"], self.world.status.get("message", "")
        assert phase in {"Healthy", "Degraded", "Paused"}, (phase, message)
        assert phase == "Healthy" or message
        self.at_rest()

    def at_rest(self) -> None:
        """What must hold in the end."""


class Canary(Storm):
    """By pods alone: the floor of available pods and the ceiling of all pods hold through every write."""

    @initialize(
        replicas=st.integers(0, 12),
        surge=st.sampled_from([0, 1, 3, "25%", "50%"]),
        unavailable=st.sampled_from([0, 1, 2, "25%"]),
        steps=st.lists(STEP, max_size=5),
        services=st.booleans(),
    )
    def deploy(self, replicas: int, surge: int | str, unavailable: int | str, steps: list[Any], services: bool) -> None:
        if surge == 0 and unavailable == 0:
            unavailable = 1
        canary: dict[str, Any] = {"maxSurge": surge, "maxUnavailable": unavailable}
        if services:
            canary |= {"canaryService": "canary", "stableService": "stable"}
        spec = rollout(replicas=replicas, steps=steps, canary=canary)
        self.start(World(spec, services=("canary", "stable"), templates=TEMPLATES))

    def bounds(self) -> tuple[int, int]:
        canary = self.world.rollout["spec"]["strategy"]["canary"]
        surge = max_surge(canary["maxSurge"], self.n)
        return self.n - max_unavailable(canary["maxUnavailable"], self.n, surge), self.n + surge

    def before(self) -> Any:
        return self.totals()

    def safe(self, before: Any) -> None:
        (available, total), (after_available, after_total) = before, self.totals()
        floor, ceiling = self.bounds()
        assert after_available >= min(available, floor)
        assert after_total <= max(total, ceiling)

    def safe_on_old_news(self, before: Any) -> None:
        self.safe(before)

    @rule(steps=st.lists(STEP, max_size=4))
    def change_steps(self, steps: list[Any]) -> None:
        canary = self.world.rollout["spec"]["strategy"]["canary"]
        self.world.edit(strategy={"canary": {**canary, "steps": steps}})


class Routed(Storm):
    """Behind a router: no share of traffic for pods that are not there, and no pods taken from under their traffic."""

    @initialize(
        replicas=st.integers(0, 12),
        steps=st.lists(st.one_of(STEP, SCALE), max_size=6),
        dynamic=st.booleans(),
        least=st.sampled_from([None, 2]),
        keep=st.sampled_from([None, 0, 45]),
    )
    def deploy(self, replicas: int, steps: list[Any], dynamic: bool, least: int | None, keep: int | None) -> None:
        optional = {"minPodsPerReplicaSet": least, "abortScaleDownDelaySeconds": keep}
        canary = {
            "canaryService": "canary",
            "stableService": "stable",
            "trafficRouting": {"plugins": {"test/router": {"configMap": "routes"}}},
            "dynamicStableScale": dynamic,
            **{key: value for key, value in optional.items() if value is not None},
        }
        spec = rollout(replicas=replicas, steps=steps, canary=canary)
        world = World(spec, services=("canary", "stable"), templates=TEMPLATES, routers=ROUTER)
        world.routes["routes"] = {"metadata": {"name": "routes", "namespace": "ns"}, "data": {}}
        self.start(world)

    def shares(self) -> list[tuple[int, int]]:
        """(weight, available pods) behind the Services traffic goes to."""
        text = self.world.routes["routes"]["data"].get("split")
        found = []
        for part in json.loads(text)["destinations"] if text else ():
            selector = self.world.services[part["service"]]["spec"]["selector"]
            found.append((part["weight"], self._behind(selector.get(POD_HASH, ""))))
        return found

    def _behind(self, digest: str) -> int:
        """Available pods a Service selects: without a hash all of them, with that of a deleted ReplicaSet none."""
        rs = self.of(digest)
        return self.available(rs) if rs else 0 if digest else self.totals()[0]

    def stable(self) -> tuple[int, int]:
        """(pods asked for, weight) of the stable Service."""
        text = self.world.routes["routes"]["data"].get("split")
        digest = self.world.services["stable"]["spec"]["selector"].get(POD_HASH, "")
        rs = self.of(digest)
        weight = json.loads(text)["destinations"][1]["weight"] if text else 100
        return rs["spec"]["replicas"] if rs else 0 if digest else self.totals()[1], weight

    def before(self) -> Any:
        return self.shares(), self.stable()

    def safe(self, before: Any) -> None:
        shares, (pods_before, _) = before
        starved_before = any(weight and not pods for weight, pods in shares)
        starved = [(weight, pods) for weight, pods in self.shares() if weight and not pods]
        assert starved_before or not starved or self.n == 0, (shares, self.shares())
        pods, weight = self.stable()
        assert pods >= min(pods_before, ceil(weight * self.n / 100)), (before, self.stable())


class BlueGreen(Storm):
    """The active Service never leaves pods that serve for pods that don't; those it selects are never taken away."""

    @initialize(
        replicas=st.integers(0, 6),
        preview=st.sampled_from([None, 1, 3]),
        by_itself=st.booleans(),
        seconds=st.sampled_from([None, 20]),
        pre=st.booleans(),
        post=st.booleans(),
        delay=st.sampled_from([None, 0, 40]),
        keep=st.sampled_from([None, 0, 45]),
    )
    def deploy(
        self,
        replicas: int,
        preview: int | None,
        by_itself: bool,
        seconds: int | None,
        pre: bool,
        post: bool,
        delay: int | None,
        keep: int | None,
    ) -> None:
        optional = {
            "previewReplicaCount": preview,
            "autoPromotionSeconds": seconds,
            "prePromotionAnalysis": ANALYSIS if pre else None,
            "postPromotionAnalysis": ANALYSIS if post else None,
            "scaleDownDelaySeconds": delay,
            "abortScaleDownDelaySeconds": keep,
        }
        block = {"activeService": "active", "previewService": "preview", "autoPromotionEnabled": by_itself}
        spec = rollout(replicas=replicas)
        spec["spec"]["strategy"] = {
            "blueGreen": block | {key: value for key, value in optional.items() if value is not None}
        }
        self.start(World(spec, services=("active", "preview"), templates=TEMPLATES))

    def active(self) -> tuple[int, int]:
        """(available pods, pods asked for) behind the active Service."""
        rs = self.of(self.world.services["active"]["spec"]["selector"].get(POD_HASH, ""))
        return (self.available(rs), rs["spec"]["replicas"]) if rs else (0, 0)

    def before(self) -> Any:
        return self.active()

    def safe(self, before: Any) -> None:
        available, wanted = before
        after_available, after_wanted = self.active()
        assert after_available >= min(available, self.n, 1)
        assert after_wanted >= min(wanted, self.n)

    def at_rest(self) -> None:
        assert self.active()[1] == self.n
        if self.world.status["phase"] == "Healthy":
            selects = self.world.services["active"]["spec"]["selector"].get(POD_HASH)
            assert selects == self.world.status["stableRS"] or (selects is None and self.n == 0)


@pytest.mark.timeout(600)  # hundreds of storms; when one fails, five minutes go by until the shortest is found
@pytest.mark.parametrize("storm", [Canary, Routed, BlueGreen], ids=lambda storm: storm.__name__)
def test_storm(storm: type[Storm]) -> None:
    run_state_machine_as_test(
        storm,
        settings=settings(
            max_examples=int(os.environ.get("ROLLOUTS_EXAMPLES", "334")),
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


class Chosen:
    """Stands in for what a storm drew."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def draw(self, _: Any) -> Any:
        return self.value


def first_of(storm: Storm) -> Any:
    """Makes a rule choose the first ReplicaSet."""
    return Chosen(min(storm.world.sets))


# --- what storms once found


def test_a_retry_that_ends_in_the_same_pass_is_told_as_over() -> None:
    """A storm that once found Progressing say `RolloutRetry` of a Rollout that was Healthy."""
    storm = BlueGreen()
    storm.deploy(seconds=20, pre=False, post=False, replicas=0, preview=None, by_itself=False, delay=None, keep=None)
    storm.abort()
    storm.change_image(version=3)
    storm.reconcile_on_old_news()
    storm.promote_full()
    storm.pods_come(available=0)
    storm.reconcile(crash=None)
    assert {c["type"]: c["reason"] for c in storm.world.status["conditions"]}["Progressing"] == "NewReplicaSetAvailable"


def test_nothing_goes_while_a_service_nobody_took_over_selects_every_pod() -> None:
    """Back to a version whose ReplicaSet was deleted, with pods of another that serve by the Service's own selector."""
    storm = Routed()
    storm.deploy(replicas=0, steps=[], dynamic=True, least=None, keep=None)
    storm.change_image(version=2)
    storm.a_replica_set_is_deleted(data=first_of(storm))
    storm.scale(replicas=1)
    storm.reconcile(crash=None)
    storm.change_image(version=1)
    storm.pods_come(available=1)
    storm.reconcile(crash=None)
    storm.teardown()


def test_a_service_is_taken_over_when_the_size_of_the_replica_set_has_been_seen() -> None:
    """A ReplicaSet that is full only for the smaller size it is just being given would have asked for another pass."""
    storm = BlueGreen()
    storm.deploy(seconds=None, pre=False, post=False, replicas=0, preview=None, by_itself=False, delay=None, keep=None)
    storm.a_replica_set_is_deleted(data=first_of(storm))
    storm.scale(replicas=2)
    storm.reconcile(crash=None)
    storm.scale(replicas=1)
    storm.pods_come(available=1)
    storm.reconcile(crash=None)
    storm.teardown()


def test_an_active_service_on_a_deleted_version_follows_the_stable_one_even_while_paused() -> None:
    """Every ReplicaSet was deleted by somebody, at 0 replicas in between, and then the Rollout was held."""
    storm = BlueGreen()
    storm.deploy(seconds=None, pre=False, post=False, replicas=1, preview=None, by_itself=False, delay=None, keep=None)
    storm.a_replica_set_is_deleted(data=first_of(storm))
    storm.change_image(version=2)
    storm.reconcile(crash=None)
    storm.scale(replicas=0)
    storm.reconcile_on_old_news()
    storm.scale(replicas=4)
    storm.change_image(version=1)
    storm.freeze(paused=True)
    storm.a_replica_set_is_deleted(data=first_of(storm))
    storm.teardown()


def test_without_any_replica_set_the_pass_that_makes_one_is_followed_by_another() -> None:
    """At 0 replicas nothing else would come to move the active Service."""
    storm = BlueGreen()
    storm.deploy(seconds=None, pre=False, post=False, replicas=1, preview=None, by_itself=False, delay=None, keep=None)
    storm.a_replica_set_is_deleted(data=first_of(storm))
    storm.change_image(version=2)
    storm.reconcile(crash=None)
    storm.a_replica_set_is_deleted(data=first_of(storm))
    storm.scale(replicas=0)
    storm.reconcile(crash=None)
    storm.teardown()
