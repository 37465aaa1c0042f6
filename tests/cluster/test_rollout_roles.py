"""Metadata of pods by their role, anti-affinity, Services without a router, rollbacks: on a real API server."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.space import JSON, Space, blue_green, rollout, service

STEPS = [{"setWeight": 50}, {"pause": {}}]
ROLES = {
    "canaryMetadata": {"labels": {"role": "canary"}, "annotations": {"note": "new"}},
    "stableMetadata": {"labels": {"role": "stable"}},
}
pytestmark = pytest.mark.usefixtures("controller")


def updated(space: Space, *, canary: JSON | None = None, **options: Any) -> None:
    space.create(rollout(replicas=2, steps=STEPS, canary=canary, **options))
    space.until_phase("Healthy")
    space.set_image("example/app:2")
    space.until_paused(at=1)


def roles(space: Space) -> dict[str, set[str]]:
    """Roles of the pods by image."""
    found: dict[str, set[str]] = {}
    for pod in space.pods():
        image = pod["spec"]["containers"][0]["image"]
        found.setdefault(image, set()).add(pod["metadata"]["labels"].get("role", ""))
    return found


def test_pods_carry_the_metadata_of_their_role_and_change_it_with_the_role(space: Space) -> None:
    updated(space, canary=ROLES)
    assert roles(space) == {"example/app:1": {"stable"}, "example/app:2": {"canary"}}
    before = {pod["metadata"]["uid"] for pod in space.pods() if pod["spec"]["containers"][0]["image"].endswith("2")}
    space.promote()
    space.until_phase("Healthy")
    space.until("all stable", lambda: roles(space) == {"example/app:2": {"stable"}})
    assert before <= {pod["metadata"]["uid"] for pod in space.pods()}
    assert not any((pod["metadata"].get("annotations") or {}).get("note") for pod in space.pods())
    assert len(space.sets()) == 2
    stale = "rollouts.dev/stale-pod-metadata"
    space.until("all pods are done", lambda: not any(stale in str(rs["metadata"]) for rs in space.sets().values()))


def test_anti_affinity_keeps_new_pods_away_from_the_stable_ones(space: Space) -> None:
    updated(space, canary={"antiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": {"weight": 1}}})
    stable = space.status()["stableRS"]
    affinities = [pod["spec"].get("affinity") for pod in space.pods() if stable in str(pod["spec"].get("affinity"))]
    assert len(affinities) == 1
    space.promote()
    space.until_phase("Healthy")
    assert len(space.sets()) == 2


def test_previews_and_active_pods_have_roles_too(space: Space) -> None:
    strategy = {
        "autoPromotionEnabled": False,
        "previewMetadata": {"labels": {"role": "preview"}},
        "activeMetadata": {"labels": {"role": "active"}},
        "antiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": {"weight": 1}},
    }
    space.create(service("active"), service("preview"), blue_green(replicas=2, strategy=strategy))
    space.until_phase("Healthy")
    space.set_image("example/app:2")
    space.until_phase("Paused", message="BlueGreenPause")
    assert roles(space) == {"example/app:1": {"active"}, "example/app:2": {"preview"}}
    stable = space.status()["stableRS"]
    assert sum(stable in str(pod["spec"].get("affinity")) for pod in space.pods()) == 2
    carried = space.sets()["2"]["metadata"]["annotations"]["rollout.argoproj.io/ephemeral-metadata"]
    assert carried == '{"labels":{"role":"preview"}}'
    space.promote()
    space.until_phase("Healthy")
    # What is left behind serves nobody, and says so.
    space.until("roles", lambda: roles(space) == {"example/app:1": {""}, "example/app:2": {"active"}})


def test_services_without_a_router(space: Space) -> None:
    space.create(service("canary"), service("stable"))
    updated(space, canary={"canaryService": "canary", "stableService": "stable"})
    assert (space.selected("canary"), space.selected("stable")) == ("2", "1")
    space.abort()
    space.until("back", lambda: space.selected("canary") == "1")
    space.retry()
    space.until_paused(at=1)
    space.promote()
    space.until_phase("Healthy")
    assert (space.selected("canary"), space.selected("stable")) == ("2", "2")


def test_a_rollback_within_the_window_takes_no_steps(space: Space) -> None:
    updated(space, rollbackWindow={"revisions": 1})
    space.promote()
    space.until_phase("Healthy")
    space.set_image("example/app:1")
    space.until_phase("Healthy")
    assert space.sizes() == {"2": 0, "3": 2}
    assert space.status()["duration"]["completionStatus"] == "FastRolledBack"
    space.until("said so", lambda: ("SkipSteps", "Rollback within window") in space.events.of())
