"""The catalog on the real API server: it takes every template as it is, and a Rollout's run is made from one."""

from __future__ import annotations

from analysis.catalog import entries
from analysis.catalog.generate import FOLDER
from tests.cluster.harness import Kubectl


def test_the_api_server_takes_every_template(kubectl: Kubectl) -> None:
    applied = kubectl("apply", "--dry-run=server", "--validate=strict", "-f", str(FOLDER)).splitlines()
    assert len(applied) == len(entries())
