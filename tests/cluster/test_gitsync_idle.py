"""A sync at rest: cheap, and awake."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rollouts.gitops.gitsync.controller import GitSyncs
from tests.cluster.controllers import OwnController
from tests.cluster.gitsyncs import AUTOMATED, Synced, config


@pytest.mark.timeout(150)
def test_a_sync_at_rest_tries_reads_and_writes_nothing_and_still_sees_what_changes(
    opened: Synced, tmp_path: Path, own_controller: Callable[..., OwnController], eventually: Callable[..., Any]
) -> None:
    """R25: no dry runs, no status writes, no reads of what is watched; drift and new commits are seen."""
    syncing = opened
    stores = tmp_path / "stores"
    stores.mkdir()
    controller = own_controller(additions=(GitSyncs(directory=stores),))
    commit = syncing.bare.commit({"a.yaml": config("a"), "b.yaml": config("b")})
    syncing.create(automated=AUTOMATED, interval="1s")
    syncing.until_synced(commit)

    def counts() -> tuple[int, int, int]:
        requests = dict(controller.api.requests)
        tried = sum(count for (verb, what, _), count in requests.items() if (verb, what) == ("PATCH", "configmaps"))
        written = sum(count for (verb, what, _), count in requests.items() if what.startswith("gitsyncs/"))
        read = sum(count for (verb, what, _), count in requests.items() if (verb, what) == ("GET", "configmaps"))
        return tried, written, read

    def looks() -> int:
        """Each look at the repository begins with the Secret that opens it."""
        return sum(count for (_, what, _), count in dict(controller.api.requests).items() if what == "secrets")

    def rested() -> bool:
        before, looked = counts(), looks()
        eventually("it looked three times", lambda: looks() >= looked + 3, seconds=20)
        return counts() == before

    eventually("it rests", rested, seconds=50)
    syncing.kubectl("patch", "configmap", "a", "--type=merge", "-p", '{"data": {"value": "theirs"}}')
    syncing.until("it is set back", lambda: syncing.values() == {"a": "1", "b": "1"})
    second = syncing.bare.commit({"a.yaml": config("a", "2")})
    syncing.until_synced(second)
