"""When a glance does instead of a comparison: never when somebody changed something, or asks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from rollouts.api.kinds import CONFIG_MAP
from rollouts.gitops.cluster import Cluster
from rollouts.gitops.gitsync.glance import glance, may_glance
from rollouts.gitops.gitsync.values import Mandate
from rollouts.gitops.seen import Mark, fingerprint
from tests.gitops.gitsync.world import CONFIG, A, B, at, finding, quiet

LIVE: dict[str, Any] = {
    "metadata": {"uid": "u", "generation": 3, "resourceVersion": "7", "labels": {"a": "b"}, "annotations": {"c": "d"}}
}
PLAIN: dict[str, Any] = {"metadata": {"uid": "u", "resourceVersion": "7"}}


def changed(body: dict[str, Any], **metadata: Any) -> dict[str, Any]:
    return {**body, "metadata": {**body["metadata"], **metadata}}


@pytest.mark.parametrize(
    ("body", "other", "same"),
    [
        (LIVE, changed(LIVE, resourceVersion="8"), True),
        (LIVE, {**LIVE, "status": {"replicas": 1}}, True),
        (LIVE, changed(LIVE, generation=4), False),
        (LIVE, changed(LIVE, labels={}), False),
        (LIVE, changed(LIVE, annotations={"c": "x"}), False),
        (LIVE, changed(LIVE, uid="v"), False),
        (LIVE, changed(LIVE, deletionTimestamp="now"), False),
        (LIVE, changed(LIVE, annotations={"c": "d", "deployment.kubernetes.io/revision": "2"}), True),
        (PLAIN, changed(PLAIN, resourceVersion="8"), False),
        (PLAIN, PLAIN, True),
    ],
)
def test_a_fingerprint_moves_with_the_object_and_not_with_its_status(body: Any, other: Any, same: bool) -> None:
    assert (fingerprint(body) == fingerprint(other)) is same


CALM = finding(at=at(0))
MANDATE = Mandate(generation=1)


@pytest.mark.parametrize(
    ("mandate", "values", "expected"),
    [
        (MANDATE, {}, True),
        (replace(MANDATE, explicit=True), {}, False),
        (replace(MANDATE, thorough=True), {}, False),
        (replace(MANDATE, fresh=True), {}, True),
        (replace(MANDATE, stirred=True), {}, False),
        (replace(MANDATE, generation=2), {}, False),
        (MANDATE, {"commit": B}, False),
        (MANDATE, {"resolved": B}, False),
        (MANDATE, {"inputs": "other"}, False),
        (MANDATE, {"now": at(901)}, False),
    ],
)
def test_a_glance_is_for_when_nothing_can_have_changed(mandate: Mandate, values: Any, expected: bool) -> None:
    """R1, R3: commit, options and spec are the same, nobody asks, and the last comparison is not too long ago."""
    given = {"resolved": A, "commit": A, "inputs": "sha256:x", "now": at(60), **values}
    assert may_glance(CALM, mandate, **given) is expected


async def test_a_glance_does_not_ask_again_for_what_the_comparison_asked_for() -> None:
    """Its moment is over: handed on, each glance would begin the next one at once."""
    calm = finding(at=at(0), again=at(0), seen={CONFIG: Mark(kind=CONFIG_MAP, version=7, fingerprint="x")})
    found = await glance(cast(Cluster, None), calm, quiet(at=at(9)), steady=lambda ref, mark: True)
    assert found is not None
    assert found.again is None
