"""When a GitSync is looked at for images, and that no other look keeps it from being compared with Git."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rollouts.api import kinds
from rollouts.api.gitsync import GitSync
from rollouts.api.parsing import parse
from rollouts.gitops.gitsync import images, status
from rollouts.gitops.gitsync.conditions import of_status
from rollouts.gitops.gitsync.due import next_pass
from rollouts.gitops.gitsync.events import told
from rollouts.gitops.gitsync.values import Facts, Finding, Mandate, Task

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
FOLLOWING = {
    "git": {"commit": {"author": {"email": "bot@example.com"}}},
    "images": [{"name": "web", "image": "host/web", "policy": {"semver": {"range": "1.x"}}}],
}


def sync(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": kinds.GIT_SYNC.api_version,
        "kind": "GitSync",
        "metadata": {"name": "shop", "namespace": "shop", "generation": 1},
        "spec": {"source": {"repoURL": "https://host/x"}, "serviceAccountName": "a", **spec},
        "status": {"observedGeneration": 1},
    }


def model(obj: dict[str, Any]) -> GitSync:
    found: GitSync = parse(kinds.GIT_SYNC, obj).model
    return found


def due(obj: dict[str, Any], **seconds_ago: float) -> Task | None:
    facts = Facts(**{name: NOW - timedelta(seconds=seconds) for name, seconds in seconds_ago.items()})  # type: ignore[arg-type]
    mandate, _ = next_pass(obj, model(obj), facts, NOW)
    return mandate and mandate.task


@pytest.mark.parametrize(
    ("spec", "seconds_ago", "task"),
    [
        pytest.param({}, {"looked_at": 10, "compared_at": 10}, None, id="nothing is followed"),
        pytest.param({"imageUpdate": FOLLOWING}, {}, Task.SYNC, id="first of all Git"),
        pytest.param({"imageUpdate": FOLLOWING}, {"looked_at": 1, "compared_at": 1}, Task.IMAGES, id="then images"),
        pytest.param(
            {"imageUpdate": FOLLOWING}, {"looked_at": 1, "compared_at": 1, "images_at": 299}, None, id="4"
        ),
        pytest.param(
            {"imageUpdate": FOLLOWING}, {"looked_at": 1, "compared_at": 1, "images_at": 300}, Task.IMAGES, id="5 min"
        ),
        pytest.param(
            {"imageUpdate": {**FOLLOWING, "interval": "1m"}}, {"looked_at": 1, "compared_at": 1, "images_at": 60},
            Task.IMAGES, id="its own interval",
        ),
        pytest.param(
            {"imageUpdate": FOLLOWING, "suspend": True}, {"looked_at": 1, "compared_at": 1}, None, id="suspended"
        ),
    ],
)  # fmt: skip
def test_when_images_are_looked_at(spec: dict[str, Any], seconds_ago: dict[str, float], task: Task | None) -> None:
    assert due(sync(**spec), **seconds_ago) is task


@pytest.mark.parametrize(("reason", "task"), [("Rollback", None), ("Manual", None), ("RolloutAborted", Task.IMAGES)])
def test_a_revision_that_a_person_holds_back_stays_so(reason: str, task: Task | None) -> None:
    """R30: a commit of ours would be the different one that ends it. After an aborted release it is the remedy."""
    obj = sync(imageUpdate=FOLLOWING)
    obj["status"]["hold"] = {"revision": "1", "reason": reason}
    assert due(obj, looked_at=1, compared_at=1) is task


def test_looking_at_health_does_not_put_off_the_next_comparison() -> None:
    """While something is on its way it is looked at every 15 s; the mending commit must still be found."""
    obj = sync()
    obj["status"]["health"] = {"status": "Progressing"}
    assert due(obj, looked_at=1, compared_at=60) is None
    assert due(obj, looked_at=15, compared_at=60) is Task.LOOK
    assert due(obj, looked_at=1, compared_at=120) is Task.SYNC


def finding(state: dict[str, Any] | None, *errors: str) -> Finding:
    return Finding(mandate=Mandate(task=Task.IMAGES), began=NOW, at=NOW, image_update=state, errors=errors)


def test_a_look_at_images_says_nothing_of_the_sync() -> None:
    before = {"sync": {"status": "Synced", "revision": "1"}, "imageUpdate": {"memory": {"tags": {"web": 3}}}}
    state = {"images": [{"name": "web", "latest": "host/web:1.2.0"}], "memory": {"tags": {"web": 4}}}
    obj = model(sync(imageUpdate=FOLLOWING))
    assert status.absorbed(obj, before, finding(state)) == {**before, "imageUpdate": state}
    failed = status.absorbed(obj, before, finding(None, "no Secret"))
    assert failed["imageUpdate"] == {"memory": {"tags": {"web": 3}}, "message": "no Secret"}
    assert status.absorbed(obj, before, finding({}))["imageUpdate"] is None


@pytest.mark.parametrize(
    ("state", "expected", "fragment"),
    [
        ({"images": [{"name": "web", "latest": "x"}]}, "True", "nothing was to be written yet"),
        ({"lastCommit": {"revision": "1234567890", "branch": "main"}}, "True", "last commit 12345678 on main"),
        ({"images": [{"name": "web", "message": "no tags"}]}, "False", "web: no tags"),
        ({"message": "no Secret"}, "False", "no Secret"),
        (
            {"held": [{"image": "web", "file": "a.yaml", "reason": "TakenBack", "message": "1.2 was taken back"}]},
            "True", "web in a.yaml is held: 1.2 was taken back",
        ),
    ],
)  # fmt: skip
def test_the_condition(state: dict[str, Any], expected: str, fragment: str) -> None:
    obj = model(sync(imageUpdate=FOLLOWING))
    aspect = of_status(obj, {"imageUpdate": state}, running=False, failure=None)["ImageUpdateReady"]
    assert (aspect.value, fragment in aspect.message) == (expected, True)
    gone = of_status(model(sync()), {"imageUpdate": state}, running=False, failure=None)["ImageUpdateReady"]
    assert gone.value is None


def test_images_that_rollouts_gave_up() -> None:
    rows = [{"revision": "1", "rollout": "a/b"}, {"image": "host/web@sha256:1", "rollout": "a/b"}]
    assert images.rejected_images(rows) == {"host/web@sha256:1"}


def test_people_are_told_of_a_commit_and_of_trouble_once() -> None:
    commit = {"revision": "a" * 40, "branch": "main", "base": "main", "changes": ["web:1 -> web:2"]}
    row = {"type": "ImageUpdateReady", "status": "False", "reason": "ImageUpdateFailed", "message": "protected branch"}
    pushed, failed = {"imageUpdate": {"lastCommit": commit}}, {"conditions": [row]}
    rows = [(event.type, event.reason, event.message) for event in (*told({}, pushed), *told({}, failed))]
    assert rows == [
        ("Normal", "ImagesUpdated", "aaaaaaaa on main: web:1 -> web:2"),
        ("Warning", "ImageUpdateFailed", "protected branch"),
    ]
    assert (told(pushed, pushed), told(failed, failed)) == ((), ())
