"""Taking over: on an Experiment that Argo Rollouts left in a cluster the first plan writes nothing."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from rollouts.experiments import Snapshot, decide
from rollouts.strategy.times import moment

RECORDINGS = Path(__file__).parent.parent / "data" / "recordings"
NAMES = ["experiment-1-running", "experiment-2-done-paused"]
OLDER = sorted(f"{file.parent.name}/{file.stem}" for file in RECORDINGS.glob("v*/experiment-*.yaml"))


def recorded(name: str) -> tuple[Snapshot, datetime]:
    """The snapshot of a recording, and a moment just after its last status."""
    kinds: dict[str, list[Any]] = {}
    for obj in yaml.safe_load_all((RECORDINGS / f"{name}.yaml").read_text()):
        kinds.setdefault((obj or {}).get("kind"), []).append(obj)
    (experiment,) = kinds["Experiment"]
    uid = experiment["metadata"]["uid"]
    own = [rs for rs in kinds["ReplicaSet"] if rs["metadata"]["ownerReferences"][0]["uid"] == uid]
    last = moment(experiment["status"]["conditions"][0]["lastUpdateTime"])
    assert last is not None
    return Snapshot(experiment=experiment, replica_sets=tuple(own)), last + timedelta(milliseconds=500)


@pytest.mark.parametrize("name", [*NAMES, *OLDER])
def test_taking_over_writes_nothing(name: str) -> None:
    snapshot, now = recorded(name)
    plan = decide(snapshot, now)
    assert (plan.writes, dict(plan.status), plan.events) == ((), {}, ())


@pytest.mark.parametrize(("name", "seconds"), [(NAMES[0], 5.0), (NAMES[1], 30.0)])
def test_taking_over_knows_when_to_go_on(name: str, seconds: float) -> None:
    snapshot, now = recorded(name)
    assert decide(snapshot, now).requeue_after == pytest.approx(seconds, abs=1.1)
    later = decide(snapshot, now + timedelta(seconds=seconds + 1))
    assert later.writes


def test_a_replica_set_made_anew_would_be_the_same() -> None:
    snapshot, now = recorded(NAMES[0])
    bare = Snapshot(experiment={**snapshot.experiment, "status": None})
    made = [write.body for write in decide(bare, now).writes if write.kind.kind == "ReplicaSet"]
    for ours, theirs in zip(made, snapshot.replica_sets, strict=True):
        for part in ("name", "labels", "annotations", "ownerReferences"):
            assert ours["metadata"][part] == theirs["metadata"][part]  # the pod hash is among the labels
        assert ours["spec"] == theirs["spec"]
