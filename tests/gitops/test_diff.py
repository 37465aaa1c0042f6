"""How two objects differ: what a person, or Git, could have meant; not what controllers keep."""

from __future__ import annotations

from typing import Any

import pytest

from rollouts.gitops.diff import differences

LIVE: dict[str, Any] = {
    "metadata": {"name": "a", "resourceVersion": "1", "generation": 1, "labels": {"x": "1"}},
    "spec": {"ports": [{"port": 1}, {"port": 2}], "status": "on"},
    "status": {"phase": "Progressing"},
}


@pytest.mark.parametrize(
    ("changed", "paths"),
    [
        ({}, []),
        ({"status": {"phase": "Degraded", "abort": True}}, []),
        ({"status": None}, []),
        ({"metadata": {**LIVE["metadata"], "resourceVersion": "2", "generation": 2}}, []),
        ({"metadata": {**LIVE["metadata"], "labels": {"x": "2"}}}, ["metadata.labels.x"]),
        ({"spec": {**LIVE["spec"], "status": "off"}}, ["spec.status"]),
        ({"spec": {**LIVE["spec"], "ports": [{"port": 1}, {"port": 3}]}}, ["spec.ports[1].port"]),
        ({"spec": {**LIVE["spec"], "ports": [{"port": 1}]}}, ["spec.ports"]),
    ],
)
def test_what_differs(changed: dict[str, Any], paths: list[str]) -> None:
    """A status that was written between reading an object and trying it out is no drift."""
    assert list(differences(LIVE, {**LIVE, **changed})) == paths
