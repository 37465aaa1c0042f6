"""Whose health counts for a sync."""

from __future__ import annotations

import pytest

from rollouts.gitops import health
from rollouts.gitops.objects import ref_of


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
        ({"pause": {}}, "paused at step 1/2, promote or abort; CanaryPauseStep"),
        ({"pause": {"duration": "10m"}}, "paused at step 1/2, for 10m; CanaryPauseStep"),
        ({"pause": {"duration": 30}}, "paused at step 1/2, for 30s; CanaryPauseStep"),
        ({"pause": None}, "paused at step 1/2, promote or abort; CanaryPauseStep"),
        ({"setWeight": 20}, "paused at step 1/2, promote or abort; CanaryPauseStep"),
    ],
)
def test_a_pause_that_ends_by_itself_asks_nobody(step: dict[str, object], said: str) -> None:
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
