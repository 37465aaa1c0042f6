"""Taking over: on what Argo Rollouts left in a cluster, at any moment of a canary, the first plan writes nothing."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollouts.strategy import Snapshot, decide
from rollouts.strategy.times import moment

RECORDINGS = Path(__file__).parent.parent / "data" / "recordings"

AT_REST = [
    "canary-1-initial-healthy",
    "canary-2-paused-at-20",
    "canary-3-aborted",
    "canary-4-retried-paused-at-60",
    "canary-5-promoted",
    "canary-6-deadline-exceeded",
    "canary-7-undone",
    "canary-8-spec-paused-with-new-image",
    "canary-9-promoted-in-full",
    "canary-11-restarted",
    "analysis-2-failed-and-aborted",
]


def recorded(name: str) -> tuple[Snapshot, datetime]:
    """The snapshot of a recording, and a moment just after its last status."""
    objects = [obj for obj in yaml.safe_load_all((RECORDINGS / f"{name}.yaml").read_text()) if obj]
    kinds: dict[str, list[Any]] = {}
    for obj in objects:
        kinds.setdefault(obj["kind"], []).append(obj)
    (rollout,) = kinds["Rollout"]
    stamps = [moment(c["lastUpdateTime"]) for c in rollout["status"]["conditions"]]
    last = max(stamp for stamp in stamps if stamp)
    return (
        Snapshot(
            rollout=rollout,
            replica_sets=tuple(kinds["ReplicaSet"]),
            analysis_runs=tuple(kinds.get("AnalysisRun", ())),
            templates={t["metadata"]["name"]: t for t in kinds.get("AnalysisTemplate", ())},
            pods=tuple(kinds.get("Pod", ())),
        ),
        last + timedelta(milliseconds=500),
    )


@pytest.mark.parametrize("name", AT_REST)
def test_taking_over_writes_nothing(name: str) -> None:
    snapshot, now = recorded(name)
    plan = decide(snapshot, now)
    assert (plan.writes, dict(plan.status), plan.events) == ((), {}, ())
