"""`sync get`: what a person may have to do; what was done in the repository and at its forge."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.cli.syncs import waiting
from rollouts.cli.verbs.sync_get import elsewhere, head, notes

A, B = "a" * 40, "b" * 40
DONE = {"revision": A, "commit": B, "branch": "main", "base": "main"}
OPEN = [{"branch": "reverts/x", "revision": B, "url": "https://forge.example/1"}]


@pytest.mark.parametrize(
    ("status", "lines"),
    [
        ({}, []),
        ({"revert": DONE}, ["Reverted:        aaaaaaaa by bbbbbbbb on main"]),
        ({"revert": {"revision": A, "overtaken": True}}, []),
        (
            {"revert": {"revision": A, "message": "protected branch"}},
            ["Not reverted:    aaaaaaaa: protected branch"],
        ),
        ({"forge": {"proposals": OPEN}}, ["To merge:        reverts/x  https://forge.example/1"]),
        ({"forge": {"message": "git.example answers 401"}}, ["Forge:           git.example answers 401"]),
    ],
)
def test_what_was_done_elsewhere(status: dict[str, Any], lines: list[str]) -> None:
    assert said({"spec": {}, "status": status}) == lines


def said(sync: dict[str, Any]) -> list[str]:
    return ["".join(span.text for span in line) for line in elsewhere(sync)]


def test_what_became_of_images() -> None:
    row = {"type": "ImageUpdateReady", "status": "False", "message": "web: none of the tags fits"}
    status = {"conditions": [{"type": "Ready", "status": "True", "message": "x"}, row]}
    assert said({"spec": {"imageUpdate": {"images": []}}, "status": status}) == [f"Image updates:   {row['message']}"]
    assert said({"spec": {}, "status": status}) == []


def test_a_webhook_that_can_not_work() -> None:
    row = {"type": "WebhookReady", "status": "False", "message": "there is no Secret hook"}
    assert said({"spec": {}, "status": {"conditions": [row]}}) == ["Webhook:         there is no Secret hook"]
    assert said({"spec": {}, "status": {"conditions": [{**row, "status": "True"}]}}) == []


def test_what_should_be_changed_in_git() -> None:
    """R8."""
    found = notes({"metadata": {"name": "shop"}, "status": {"remarks": ["a.yaml: remove it"]}})
    assert ["".join(span.text for span in line) for line in found] == ["Remark:          a.yaml: remove it"]


@pytest.mark.parametrize(
    ("spec", "status", "text"),
    [
        ({}, {}, "nobody has looked at it yet: does a controller run?"),
        ({}, {"plan": None}, ""),
        ({}, {"plan": {"waitingFor": "a person applies it: `sync now`"}}, "a person applies it: `sync now`"),
        ({}, {"hold": {"revision": A, "reason": "Rollback"}}, "aaaaaaaa is held (Rollback)"),
        (
            {},
            {"conditions": [{"type": "Stalled", "status": "True", "reason": "RevisionNotFound"}]},
            "a person: RevisionNotFound",
        ),
        ({}, {"conditions": [{"type": "Stalled", "status": "False", "reason": "x"}], "sync": {}}, ""),
        (
            {},
            {"conditions": [{"type": "Ready", "status": "False", "reason": "ApplyFailed"}]},
            "ApplyFailed, see `sync get`",
        ),
        ({}, {"conditions": [{"type": "Ready", "status": "True", "reason": "Synced"}]}, ""),
        ({"suspend": True}, {"hold": {"revision": A, "reason": "Rollback"}}, "suspended"),
    ],
)
def test_what_it_waits_for(spec: dict[str, Any], status: dict[str, Any], text: str) -> None:
    assert waiting({"spec": spec, "status": status}) == text


def test_a_deletion_that_takes_long_is_named() -> None:
    """R16: its finalizer keeps it until its objects are gone."""
    metadata = {"name": "shop", "deletionTimestamp": "2026-01-02T03:04:05Z"}
    assert waiting({"metadata": metadata, "spec": {}, "status": {}}) == "its objects to be deleted, see `sync get`"


def test_whether_it_is_ready_is_said_and_why() -> None:
    row = {"type": "Ready", "status": "True", "reason": "RolloutInProgress", "message": "a1 is applied"}
    found = {"metadata": {"name": "a", "namespace": "b"}, "spec": {"source": {"repoURL": "x"}}}

    def line(status: dict[str, Any]) -> str:
        (text,) = [text for text in map(joined, head({**found, "status": status})) if text.startswith("Ready:")]
        return text

    assert line({"conditions": [row]}) == "Ready:           True (RolloutInProgress)  a1 is applied"
    assert line({}) == "Ready:           -  nobody has looked at it yet: does a controller run?"


def joined(line: tuple[Any, ...]) -> str:
    return "".join(span.text for span in line)


def test_what_goes_on_in_further_lines_stays_in_its_column() -> None:
    state = {
        "phase": "Error",
        "message": "a.yaml:1: no\na.yaml:9: no",
        "operation": {"initiatedBy": {"username": "ann"}},
    }
    found = {"metadata": {"name": "a", "namespace": "b"}, "spec": {"source": {"repoURL": "x"}}}
    lines = ["".join(span.text for span in line) for line in head({**found, "status": {"operationState": state}})]
    assert lines[-1] == "Last sync:       Error  by ann  a.yaml:1: no\n                 a.yaml:9: no"


def test_the_commit_that_failed_is_named_and_hints_can_be_pasted() -> None:
    found = {"metadata": {"name": "a", "namespace": "b"}, "spec": {"source": {"repoURL": "x"}}}
    last = {"phase": "Error", "message": "a.yaml:1: no", "revision": A}
    status = {"operationState": last, "hold": {"revision": A, "reason": "Rollback"}, "plan": {"protected": ["ns x"]}}
    lines = list(map(joined, (*head({**found, "status": status}), *notes({**found, "status": status}))))
    assert "Last sync:       Error  aaaaaaaa  a.yaml:1: no" in lines
    assert " " * 17 + "until Git has something else, or: kubectl rollouts sync resume a -n b" in lines
    assert " " * 17 + "delete them with: kubectl rollouts sync confirm a -n b" in lines
