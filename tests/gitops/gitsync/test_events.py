"""R25: an event is for what is new, however often the status is looked at."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.gitops.gitsync.events import told


def condition(kind: str, message: str, status: str = "True") -> dict[str, Any]:
    return {"conditions": [{"type": kind, "status": status, "reason": f"{kind}Why", "message": message}]}


def ended(phase: str, at: str) -> dict[str, Any]:
    return {"operationState": {"phase": phase, "finishedAt": at, "revision": "a" * 40, "message": "m"}}


@pytest.mark.parametrize(
    ("before", "after", "reasons"),
    [
        ({}, ended("Succeeded", "1"), ["SyncSucceeded"]),
        (ended("Succeeded", "1"), ended("Succeeded", "1"), []),
        (ended("Failed", "1"), ended("Failed", "1"), []),
        (ended("Failed", "1"), ended("Failed", "2"), ["SyncFailed"]),
        ({}, ended("Running", ""), []),
        *(
            ({}, condition(kind, "m", status), [f"{kind}Why"])
            for kind, status in (
                ("Stalled", "True"),
                ("PruneBlocked", "True"),
                ("Contested", "True"),
                ("Reverted", "False"),
                ("ForgeReady", "False"),
                ("ImageUpdateReady", "False"),
                ("WebhookReady", "False"),
            )
        ),
        (condition("Stalled", "m"), condition("Stalled", "m"), []),
        (condition("Stalled", "m"), condition("Stalled", "other"), ["StalledWhy"]),
        (condition("ForgeReady", "m", "False"), condition("ForgeReady", "m", "False"), []),
        (condition("ForgeReady", "m", "False"), condition("ForgeReady", "fine"), []),
        ({"hold": {"revision": "a"}}, {"hold": {"revision": "a", "by": "ann"}}, []),
        ({"hold": {"revision": "a"}}, {"hold": {"revision": "b", "reason": "Rollback"}}, ["RevisionHeld"]),
        ({"hold": {"revision": "a"}}, {}, ["HoldEnded"]),
        ({"remarks": ["x"]}, {"remarks": ["x"]}, []),
        ({"remarks": ["x"]}, {"remarks": ["x", "y"]}, ["Remark"]),
    ],
)
def test_what_is_told_once(before: dict[str, Any], after: dict[str, Any], reasons: list[str]) -> None:
    """R25."""
    assert [event.reason for event in told(before, after)] == reasons
