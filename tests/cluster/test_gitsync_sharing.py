"""Several syncs of one repository: one is told of a push, all hear of it, and only the one it concerns has work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rollouts.gitops.gitsync.controller import GitSyncs
from tests.cluster.controllers import OwnController
from tests.cluster.gitsyncs import AUTOMATED, Synced, config

NEVER = "20h"


@pytest.mark.timeout(120)
def test_one_hint_is_enough_for_all_syncs_of_a_repository(
    opened: Synced, tmp_path: Path, own_controller: Callable[..., OwnController]
) -> None:
    """R3, R25: the commit is asked for and fetched once; a folder that is as it was is not compared."""
    web, db = replace(opened, name="web"), replace(opened, name="db")
    stores = tmp_path / "stores"
    stores.mkdir()
    controller = own_controller(additions=(GitSyncs(directory=stores),))
    first = web.bare.commit({"web/a.yaml": config("a"), "db/b.yaml": config("b")})
    for sync in (web, db):
        sync.create(automated=AUTOMATED, interval=NEVER, source=source(sync, path=sync.name))
    for sync in (web, db):
        sync.until_synced(first)

    def tried() -> int:
        requests = dict(controller.api.requests)
        return sum(count for (verb, what, _), count in requests.items() if (verb, what) == ("PATCH", "configmaps"))

    before = tried()
    second = web.bare.commit({"db/b.yaml": config("b", "2")})
    web.patch({"metadata": {"annotations": {"gitops.rollouts.dev/requestedAt": "now"}}})
    web.until_synced(second)
    db.until_synced(second)
    assert web.values() == {"a": "1", "b": "2"}
    assert tried() == before + 3  # `web` was asked to compare: one; `db`: a dry run and the real one

    before = tried()
    third = web.bare.commit({"db/b.yaml": config("b", "3")})
    db.patch({"metadata": {"annotations": {"gitops.rollouts.dev/requestedAt": "again"}}})
    for sync in (web, db):
        sync.until_synced(third)
    assert tried() == before + 2  # `web` has the same files as before
    assert len(list(stores.glob("store-*"))) == 1


def source(sync: Synced, *, path: str) -> dict[str, Any]:
    return {"repoURL": sync.server.url(), "targetRevision": "main", "path": path, "secretRef": {"name": "repository"}}
