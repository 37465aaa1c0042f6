"""A step plugin of somebody else's, installed like any Python package, in a canary on a real API server."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rollouts.api import kinds
from tests.cluster.controllers import OwnController
from tests.cluster.space import JSON, Space, rollout

STEPS: list[JSON] = [{"setWeight": 50}, {"plugin": {"name": "acme/ticket", "config": {"file": "…"}}}, {"pause": {}}]
MODULE = """
from pathlib import Path

from rollouts.engine.plugins import StepResult


class Ticket:
    async def run(self, *, rollout, config, state):
        file = Path(config["file"])
        with file.with_suffix(".asked").open("a") as log:
            log.write("x")
        if state is None:
            file.write_text("asked for " + rollout["metadata"]["name"])
            return StepResult(phase="Running", message="ticket 7", requeue_after=1, status={"ticket": 7})
        assert state == {"ticket": 7}
        answer = file.read_text()
        if answer == "broken":
            raise RuntimeError("no line to the office")
        phase = {"yes": "Successful", "no": "Failed"}.get(answer, "Running")
        return StepResult(phase=phase, message=answer, requeue_after=1, status=state)

    async def terminate(self, *, rollout, config, state):
        Path(config["file"]).write_text("not needed any more")
        return StepResult(phase="Successful", status=state)

    async def abort(self, *, rollout, config, state):
        Path(config["file"]).write_text("closed")
        return StepResult(phase="Successful", status=state)
"""


@pytest.fixture
def ticket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_controller: Callable[..., OwnController]) -> Path:
    """Installs the plugin, starts a controller; the file the plugin works with."""
    info = tmp_path / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[rollouts.step_plugins]\nacme/ticket = acme_steps:Ticket\n")
    (tmp_path / "acme_steps.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr("rollouts.strategy.plugins.LEAST_SECONDS", 1.0)
    own_controller()
    return tmp_path / "ticket.txt"


def asking(ticket: Path) -> list[JSON]:
    return [STEPS[0], {"plugin": {"name": "acme/ticket", "config": {"file": str(ticket)}}}, STEPS[2]]


def at_plugin(space: Space, ticket: Path) -> None:
    space.create(rollout(replicas=2, steps=asking(ticket)))
    space.until_phase("Healthy")
    space.set_image("example/app:2")
    space.until("asked", lambda: ticket.read_text() == "asked for app" if ticket.exists() else None)
    space.until("it waits", lambda: entry(space)["phase"] == "Running")


def entry(space: Space, operation: str = "Run") -> dict[str, Any]:
    """LookupError while there is none."""
    entries = {e["operation"]: e for e in space.status()["canary"]["stepPluginStatuses"]}
    return dict(entries[operation])


def said(space: Space, reason: str = "StepPluginTransition") -> list[str]:
    return [message for told, message in space.events.of() if told == reason]


def test_it_goes_on_when_the_plugin_says_so(space: Space, ticket: Path) -> None:
    at_plugin(space, ticket)
    ticket.write_text("yes")
    space.until_paused(at=2)
    told = entry(space)
    assert (told["phase"], told["message"], told["status"]) == ("Successful", "yes", {"ticket": 7})
    space.until("said so", lambda: "Rollout step 2/3 completed (plugin: acme/ticket)" in str(space.events.of()))
    assert said(space) == ["Step plugin acme/ticket (step 2) transitioned to Running: ticket 7"]


def test_a_failure_aborts_and_the_plugin_cleans_up(space: Space, ticket: Path) -> None:
    at_plugin(space, ticket)
    ticket.write_text("no")
    space.until_phase("Degraded")
    assert space.status()["message"].endswith("aborted update to revision 2: no")
    space.until("closed", lambda: ticket.read_text() == "closed")
    space.until("recorded", lambda: entry(space, "Abort")["phase"] == "Successful")
    assert space.find(kinds.ROLLOUT, "app") is not None
    step = "Step plugin acme/ticket (step 2)"
    ran = [f"{step} transitioned to Running: ticket 7", f"{step} transitioned to Failed: no"]
    wanted = [*ran, f"{step} aborted (Successful)"]
    space.until("said so", lambda: said(space) == wanted)


def test_an_error_is_tried_again(space: Space, ticket: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After half a minute, which is two seconds here; a running one that names no time is asked then, too."""
    monkeypatch.setattr("rollouts.strategy.plugins.USUAL_SECONDS", 2.0)
    at_plugin(space, ticket)
    ticket.write_text("broken")
    told = space.until("it failed", lambda: entry(space) if entry(space)["phase"] == "Error" else None)
    wanted = ("RuntimeError: no line to the office", "2s", {"ticket": 7})
    assert (told["message"], told["backoff"], told["status"]) == wanted
    assert (space.status()["phase"], space.status()["currentStepIndex"]) == ("Progressing", 1)
    ticket.write_text("yes")
    space.until_paused(at=2)
    executions = entry(space)["executions"]
    assert (executions, asked(ticket)) == (told["executions"] + 1, executions)


def test_it_is_asked_only_while_it_is_its_turn(space: Space, ticket: Path) -> None:
    """Not in a first deploy, whose steps are skipped, nor while somebody holds the Rollout."""
    space.create(rollout(replicas=2, steps=asking(ticket)))
    space.until_phase("Healthy")
    assert not asked(ticket)
    space.set_image("example/app:2")
    space.until("it waits", lambda: entry(space)["phase"] == "Running")
    space.edit(paused=True)
    space.until_phase("Paused", message="manually paused")
    before, due = asked(ticket), datetime.now(UTC) + timedelta(seconds=2)
    space.until("it would have been asked twice", lambda: datetime.now(UTC) > due)
    space.edit(replicas=4)
    space.until("it was decided about", lambda: space.sizes() == {"1": 2, "2": 2})
    assert asked(ticket) == before
    space.edit(paused=False)
    space.until("it is asked again", lambda: asked(ticket) > before)


def asked(ticket: Path) -> int:
    """How often the plugin was asked."""
    log = ticket.with_suffix(".asked")
    return len(log.read_text()) if log.exists() else 0


def test_one_that_is_skipped_is_told_to_end(space: Space, ticket: Path) -> None:
    at_plugin(space, ticket)
    space.promote_full()
    space.until_phase("Healthy")
    space.until("told", lambda: ticket.read_text() == "not needed any more")
    space.until("recorded", lambda: entry(space, "Terminate")["phase"] == "Successful")
    space.until("said so", lambda: said(space)[-1:] == ["Step plugin acme/ticket (step 2) terminated (Successful)"])


def test_one_that_is_not_installed_says_so(space: Space, own_controller: Callable[..., OwnController]) -> None:
    own_controller()
    space.create(rollout(replicas=1, steps=[{"plugin": {"name": "acme/gone"}}, {"pause": {}}]))
    space.until_phase("Healthy")
    space.set_image("example/app:2")
    space.until("said so", lambda: 'step plugin "acme/gone" is not installed' in entry(space)["message"])
    wanted = [f"Reconciliation failed with error: {entry(space)['message']}"]
    space.until("in an event", lambda: said(space, "ReconciliationError") == wanted)
    assert said(space) == []
    space.promote()
    space.until_paused(at=1)
