"""`sync resume` says what it did, and `sync list` where else to look."""

from __future__ import annotations

from typing import Any

import pytest

SYNC = {
    "apiVersion": "gitops.rollouts.dev/v1alpha1",
    "kind": "GitSync",
    "metadata": {"name": "shop", "namespace": "canary"},
}
GROUP = "/apis/gitops.rollouts.dev/v1alpha1"
SUSPEND: dict[str, Any] = {"spec": {"suspend": True}}
HELD: dict[str, Any] = {"status": {"hold": {"revision": "a" * 40}}}


@pytest.mark.parametrize(
    ("state", "said", "writes"),
    [
        ({}, "gitsync 'shop' is neither suspended nor held, nothing to do\n", 0),
        (SUSPEND, "gitsync 'shop' resumed\n", 1),
        (HELD, "gitsync 'shop' resumed\n", 1),
        (SUSPEND | HELD, "gitsync 'shop' resumed\n", 2),
    ],
    ids=["neither", "suspended", "held", "both"],
)
def test_resuming_says_what_was_done(run: Any, api: Any, state: dict[str, Any], said: str, writes: int) -> None:
    api.store(f"{GROUP}/namespaces/canary/gitsyncs", {**SYNC, "spec": {}, **state})
    found = run("sync resume shop")
    assert (found.exit_code, found.stdout, len(api.writes())) == (0, said, writes), found.stderr


def test_an_empty_namespace_says_where_else_to_look(run: Any) -> None:
    where = "name another with -n; -A lists them all"
    assert run("sync list").stderr == f"no GitSyncs found in namespace canary: {where}\n"
    assert run("sync list -A").stderr == "no GitSyncs found\n"
