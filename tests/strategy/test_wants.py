"""What a Rollout means where it leaves something out."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import pytest

from rollouts.strategy.wants import wants
from tests.api.samples import ROUTED, rollout, with_spec

BLUE_GREEN = {"activeService": "a"}


@pytest.mark.parametrize(
    ("spec", "name", "expected"),
    [
        ({}, "limits.replicas", 1),
        ({"replicas": 0}, "limits.replicas", 0),
        ({}, "history_limit", 10),
        ({"revisionHistoryLimit": 0}, "history_limit", 0),
        ({}, "deadline", 600),
        ({}, "successful_runs", 5),
        ({"analysis": {"unsuccessfulRunHistoryLimit": 0}}, "unsuccessful_runs", 0),
    ],
)
def test_defaults_of_a_rollout(spec: dict[str, Any], name: str, expected: Any) -> None:
    assert attrgetter(name)(wants(_named(with_spec(**spec)))) == expected


@pytest.mark.parametrize(
    ("strategy", "after", "aborted"),
    [
        ({"canary": {}}, 0, 0),
        ({"canary": {"scaleDownDelaySeconds": 7}}, 0, 0),
        ({"canary": ROUTED}, 30, 30),
        ({"canary": {**ROUTED, "scaleDownDelaySeconds": 0}}, 0, 30),
        ({"canary": {**ROUTED, "abortScaleDownDelaySeconds": 0}}, 30, None),
        ({"blueGreen": BLUE_GREEN}, 30, 30),
        ({"blueGreen": {**BLUE_GREEN, "scaleDownDelaySeconds": 7}}, 7, 30),
        ({"blueGreen": {**BLUE_GREEN, "abortScaleDownDelaySeconds": 0}}, 30, None),
    ],
)
def test_how_long_pods_stay(strategy: dict[str, Any], after: int, aborted: int | None) -> None:
    delays = wants(_named(rollout(**strategy))).delays
    assert (delays.after, delays.aborted) == (after, aborted)


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({}, 0),
        ({"autoPromotionEnabled": True}, 0),
        ({"autoPromotionEnabled": False}, None),
        ({"autoPromotionSeconds": 9}, 9),
        ({"autoPromotionEnabled": False, "autoPromotionSeconds": 9}, None),
    ],
)
def test_when_blue_green_promotes_by_itself(fields: dict[str, Any], seconds: int | None) -> None:
    found = wants(_named(rollout(blueGreen={**BLUE_GREEN, **fields}))).blue_green
    assert found is not None
    assert found.auto_seconds == seconds


def _named(obj: dict[str, Any]) -> dict[str, Any]:
    return {**obj, "metadata": {"namespace": "ns", **obj["metadata"]}}
