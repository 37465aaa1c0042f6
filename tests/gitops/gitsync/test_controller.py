"""The shell around the decisions, in the engine: a cluster without the kind, and whom events wake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rollouts.api import kinds
from rollouts.engine.app import App, Settings
from rollouts.engine.client import Request
from rollouts.engine.errors import ApiError, ForbiddenError, NotFoundError
from rollouts.engine.store import Key
from rollouts.gitops.gitsync.controller import GitSyncs
from rollouts.gitops.gitsync.memory import Memory
from tests.engine.memory import MemoryApi
from tests.gitops.gitsync.world import sync


def app_with(api: MemoryApi, tmp_path: Path) -> App:
    return App(api=api, providers={}, settings=Settings(namespace="team"), additions=(GitSyncs(directory=tmp_path),))


@pytest.mark.parametrize(
    "error", [NotFoundError("no such kind", status=404), ForbiddenError("not for you", status=403)]
)
async def test_a_cluster_without_the_kind_works_as_before(error: ApiError, tmp_path: Path) -> None:
    """A drop-in replacement must start where only the peer's CRDs and rights are."""
    api = MemoryApi()

    def before(request: Request) -> None:
        if request.path.endswith("gitsyncs"):
            raise error

    api.before = before
    app = app_with(api, tmp_path)
    await app.prime()
    assert not app.not_ready()
    assert app.absent == {kinds.GIT_SYNC}


def rollout(mark: str) -> dict[str, Any]:
    metadata = {"name": "web", "namespace": "team", "uid": "r", "resourceVersion": "9"}
    annotations = {"gitops.rollouts.dev/tracking": mark}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {**metadata, "annotations": annotations},
    }


@pytest.mark.parametrize(
    ("mark", "woken"),
    [
        ("team/shop:team_web_argoproj.io_Rollout", [Key("team", "shop")]),
        ("team/shop:team_other_argoproj.io_Rollout", []),
        ("shop:team_web_argoproj.io_Rollout", []),
    ],
)
async def test_a_rollout_wakes_the_sync_that_applied_it(mark: str, woken: list[Key], tmp_path: Path) -> None:
    """R32: a mark that was copied from another object claims nothing."""
    app = app_with(MemoryApi(), tmp_path)
    assert list(app.additions[kinds.GIT_SYNC].concerned(kinds.ROLLOUT, rollout(mark))) == woken


async def test_what_a_pass_is_answered_wakes_the_sync(tmp_path: Path) -> None:
    """A command given just before the pass wrote is in the answer, and in no event that still counts."""
    app = app_with(MemoryApi(), tmp_path)
    syncs = app.additions[kinds.GIT_SYNC]
    assert isinstance(syncs, GitSyncs)
    around = syncs._around(Memory(uid="u", key=Key("team", "shop")))
    around.absorbed(kinds.GIT_SYNC, sync(operation={"sync": {}}))
    assert app.loops[kinds.GIT_SYNC].queue.statistics().ready == 1


async def test_a_sync_wakes_those_that_depend_on_it(tmp_path: Path) -> None:
    app = app_with(MemoryApi(), tmp_path)
    waiting = sync(dependsOn=[{"name": "infra"}])
    app.store.shelf(kinds.GIT_SYNC).put(waiting)
    infra = {**sync(), "metadata": {**sync()["metadata"], "name": "infra"}}
    app.store.shelf(kinds.GIT_SYNC).put(infra)
    found = app.additions[kinds.GIT_SYNC].concerned(kinds.GIT_SYNC, infra)
    assert list(found) == [Key("team", "shop")]
