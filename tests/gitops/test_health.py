"""Whose health counts for a sync."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.api.kinds import ROLLOUT, Kind
from rollouts.gitops import health
from rollouts.gitops.claims import Claims
from rollouts.gitops.examine import Question
from rollouts.gitops.health import Status
from rollouts.gitops.objects import Manifest, Ref, ref_of
from rollouts.gitops.passes import Pipeline
from rollouts.gitops.plan import Action, Examined, Policy
from rollouts.gitops.terms import Terms


@pytest.mark.parametrize(
    ("annotations", "counts"),
    [
        ({}, True),
        ({"gitops.rollouts.dev/ignore-healthcheck": "true"}, False),
        ({"argocd.argoproj.io/ignore-healthcheck": "true"}, False),
        ({"argocd.argoproj.io/ignore-healthcheck": "false"}, True),
    ],
)
def test_an_object_may_say_that_its_health_does_not_count(annotations: dict[str, str], counts: bool) -> None:
    """It is still told to whoever asks for the object itself."""
    metadata = {"name": "a", "namespace": "shop", "annotations": annotations}
    failed = {"type": "Failed", "status": "True", "message": "no"}
    body = {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "status": {"conditions": [failed]}}
    assert (health.part_of(ref_of(body), body) is not None) is counts
    state = health.assess(body)
    assert state is not None
    assert state.status is health.Status.DEGRADED


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ({"pause": {}}, "paused at step 1/2, promote or abort"),
        ({"pause": {"duration": "10m"}}, "paused at step 1/2, for 10m"),
        ({"pause": {"duration": 30}}, "paused at step 1/2, for 30s"),
        ({"pause": None}, "paused at step 1/2, promote or abort"),
        ({"setWeight": 20}, "paused at step 1/2, promote or abort"),
    ],
)
def test_a_pause_that_ends_by_itself_asks_nobody(step: dict[str, object], said: str) -> None:
    """R35."""
    status = {"observedGeneration": "1", "phase": "Paused", "message": "CanaryPauseStep", "currentStepIndex": 0}
    spec = {"strategy": {"canary": {"steps": [step, {"setWeight": 50}]}}}
    body = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "web", "generation": 1},
        "spec": spec,
    }
    state = health.assess({**body, "status": status})
    assert state == health.Health(status=health.Status.SUSPENDED, message=said)


def rollout(phase: str, *, generation: int = 1, seen: str = "1") -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "web", "namespace": "shop", "generation": generation},
        "spec": {},
        "status": {"observedGeneration": seen, "phase": phase, "message": "why"},
    }


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (rollout("Healthy"), Status.HEALTHY),
        (rollout("Paused"), Status.SUSPENDED),
        (rollout("Progressing"), Status.PROGRESSING),
        (rollout("Degraded"), Status.DEGRADED),
        (rollout("NobodyKnows"), Status.PROGRESSING),
        (rollout("Healthy", generation=2), Status.PROGRESSING),
        (rollout("Degraded", generation=2), Status.PROGRESSING),
        (rollout("Healthy", seen=""), Status.PROGRESSING),
    ],
)
def test_how_a_rollout_is(body: dict[str, Any], status: Status) -> None:
    """R35, R36: what a controller says of an older spec says nothing of this one."""
    state = health.assess(body)
    assert state is not None
    assert state.status is status


class One:
    """A cluster with one object, or none."""

    def __init__(self, live: dict[str, Any] | None) -> None:
        self.there = live

    async def kinds(self, keys: Any) -> dict[Any, Kind]:
        return {}

    async def live(self, kind: Kind, ref: Ref) -> dict[str, Any] | None:
        return self.there


@pytest.mark.parametrize(
    ("live", "applied", "healthy"),
    [
        (rollout("Healthy"), True, True),
        (rollout("Paused"), True, False),
        (rollout("Progressing"), True, False),
        (rollout("Healthy", generation=2), True, False),
        (rollout("Degraded"), False, False),
        (None, False, False),
    ],
    ids=["healthy", "paused", "goes on", "not seen yet", "degraded", "missing"],
)
async def test_whether_later_waves_wait_for_a_release(
    live: dict[str, Any] | None, applied: bool, healthy: bool
) -> None:
    """R35: `rollouts.wait: Applied` (the default) or `Healthy`; and it is said what is waited for."""
    body = {key: value for key, value in rollout("").items() if key != "status"}
    item = Examined(manifest=Manifest(body=body, file="a", line=1), action=Action.KEEP)
    question = Question(kinds={("argoproj.io/v1alpha1", "Rollout"): ROLLOUT}, claims=Claims(), sync="s")
    for wait, expected in ((False, applied), (True, healthy)):
        terms = Terms(identity="s", namespace="shop", policy=Policy(sync="s"), wait_for_rollouts=wait)
        pipeline = Pipeline(cluster=One(live), repository=None, records=None, terms=terms)  # type: ignore[arg-type]
        said = await pipeline._healthy([item], question)
        assert said.done is expected
        assert said.done or said.waiting.startswith("waiting for Rollout shop/web: ")
