"""What Prometheus is told of GitSyncs, as dashboards and alerts ask for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rollouts.api import kinds
from rollouts.engine.app import App
from rollouts.engine.store import Key
from rollouts.gitops.gitsync.controller import GitSyncs
from rollouts.gitops.gitsync.memory import outcome_of
from rollouts.gitops.gitsync.values import Finding, Heal, Mandate, Task
from tests.engine.memory import MemoryApi
from tests.gitops.gitsync.world import CONFIG, NOW, finding, quiet, sync

NAMES = 'name="shop",namespace="team"'
STATUS: dict[str, Any] = {
    "sync": {"status": "OutOfSync"},
    "health": {"status": "Degraded"},
    "conditions": [{"type": "Ready", "status": "False"}],
    "summary": {"objects": 3},
    "resources": [{"status": "Synced"}, {"status": "OutOfSync"}, {"status": "OutOfSync"}],
    "rejected": [{"revision": "a"}],
    "contested": [{}, {}],
    "hold": {"revision": "a"},
}


@pytest.fixture
def app(tmp_path: Path) -> App:
    return App(api=MemoryApi(), providers={}, additions=(GitSyncs(directory=tmp_path),))


def syncs_of(app: App) -> GitSyncs:
    found = app.additions[kinds.GIT_SYNC]
    assert isinstance(found, GitSyncs)
    return found


def lines(app: App) -> set[str]:
    return set(app.metrics.text().decode().splitlines())


def test_a_sync_is_shown_as_its_status_says(app: App) -> None:
    app.store.shelf(kinds.GIT_SYNC).put(sync(status=STATUS))
    told = 'health_status="Degraded",held="true",name="shop",namespace="team",ready="False"'
    assert {
        f'gitsync_info{{{told},suspended="false",sync_status="OutOfSync"}} 1.0',
        f"gitsync_objects{{{NAMES}}} 3.0",
        f"gitsync_out_of_sync_objects{{{NAMES}}} 2.0",
        f"gitsync_rejected_revisions{{{NAMES}}} 1.0",
        f"gitsync_contested_fields{{{NAMES}}} 2.0",
    } <= lines(app)


async def test_passes_are_counted_and_no_series_outlives_its_sync(app: App) -> None:
    obj = sync()
    app.store.shelf(kinds.GIT_SYNC).put(obj)
    syncs = syncs_of(app)
    memory = syncs._memory(obj)
    healed = finding(heals=(Heal(ref=CONFIG, path="a"), Heal(ref=CONFIG, path="b")))
    for found in (quiet(), healed, finding(errors=("no",)), quiet(mandate=Mandate(task=Task.LOOK))):
        syncs._ended(memory, found)
    shown = lines(app)
    assert {
        f'gitsync_pass_total{{name="shop",namespace="team",outcome="{outcome}"}} {count}'
        for outcome, count in (("unchanged", "1.0"), ("applied", "1.0"), ("failed", "1.0"), ("waiting", "0.0"))
    } <= shown
    assert f"gitsync_drift_healed_total{{{NAMES}}} 1.0" in shown
    assert any(line.startswith(f"gitsync_last_success_timestamp_seconds{{{NAMES}}}") for line in shown)
    assert 'gitsync_pass_duration_seconds_count{task="sync"} 3.0' in shown
    app.observe(kinds.GIT_SYNC, "DELETED", {**obj, "metadata": {**obj["metadata"], "resourceVersion": "9"}})
    assert not [line for line in lines(app) if NAMES in line]
    await app.drain()


async def test_webhooks_are_counted_by_answer(app: App) -> None:
    door = syncs_of(app).door()
    for code in (202, 404, 404):
        door.answered(code)
    assert {'gitsync_webhook_requests_total{code="202"} 1.0', 'gitsync_webhook_requests_total{code="404"} 2.0'} <= (
        lines(app)
    )


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        (quiet(), "unchanged"),
        (finding(), "applied"),
        (finding(waiting="for a person"), "waiting"),
        (finding(waiting="x", errors=("no",)), "failed"),
    ],
)
def test_the_outcome_of_a_pass(found: Finding, outcome: str) -> None:
    assert outcome_of(found) == outcome


def test_the_last_success_is_the_end_of_the_last_pass_that_did_not_fail(app: App) -> None:
    memory = syncs_of(app)._memory(sync())
    memory.ended(quiet(at=NOW), contested=())
    memory.ended(finding(errors=("no",)), contested=())
    assert (memory.key, memory.succeeded_at) == (Key("team", "shop"), NOW)


async def test_what_was_too_much_is_counted_by_its_budget(app: App) -> None:
    """§2.6."""
    obj = sync()
    app.store.shelf(kinds.GIT_SYNC).put(obj)
    memory = syncs_of(app)._memory(obj)
    for _ in range(2):
        memory.ended(finding(errors=("too much",), step="render", budget="yaml-depth"), contested=())
    memory.ended(finding(), contested=())
    assert f'gitsync_budget_exceeded_total{{budget="yaml-depth",{NAMES}}} 2.0' in lines(app)
