"""`sync rollback` without an ID: which entry of the history is meant."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.cli.errors import CliError
from rollouts.cli.verbs.sync_rollback import chosen_entry


def sync(commits: str, **status: Any) -> dict[str, Any]:
    history = [{"id": number, "revision": commit} for number, commit in enumerate(commits, 1)]
    return {"metadata": {"name": "shop"}, "status": {"history": history, **status}}


BACK = {"operation": {"sync": {"historyID": 1}}}
HELD = {"hold": {"revision": "c"}}


@pytest.mark.parametrize(
    ("commits", "status", "entry"),
    [
        ("ab", {}, 1),
        ("abc", {}, 2),
        ("abc", {"rejected": [{"revision": "c"}, {"image": "web:1"}]}, 2),
        ("abc", {"rejected": [{"revision": "b"}]}, 1),
        ("abcb", HELD, 1),
        ("bcb", HELD, None),
        ("a", {}, None),
        ("", {}, None),
        ("ab", {"operationState": {"phase": "Failed", "revision": "c"}}, 2),
        ("ab", {"operationState": {"phase": "Error", "revision": "c"}}, 2),
        ("ab", {"operationState": {"phase": "Error"}}, 1),
        ("abc", {"operationState": {**BACK, "phase": "Error", "revision": "a"}}, 2),
        ("ab", {"operationState": {"phase": "Failed", "revision": "b"}}, 1),
        ("ab", {"operationState": {"phase": "Succeeded", "revision": "c"}}, 1),
    ],
)
def test_the_good_one_before(commits: str, status: dict[str, Any], entry: int | None) -> None:
    """Never forth again to what a person or a Rollout rejected, however often it is asked for."""
    if entry is None:
        with pytest.raises(CliError, match="no other good commit"):
            chosen_entry(sync(commits, **status), 0)
    else:
        assert chosen_entry(sync(commits, **status), 0)["id"] == entry


def test_an_id_is_taken_at_its_word() -> None:
    assert chosen_entry(sync("abcb", **HELD), 3)["revision"] == "c"
    with pytest.raises(CliError, match="no entry 9"):
        chosen_entry(sync("ab"), 9)
