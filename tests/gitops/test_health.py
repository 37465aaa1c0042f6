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
