"""Whole views of what the peer left in a cluster, as text. To see a change: delete the file and run the test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rollouts.cli.changes import changed, headline, seen_of
from rollouts.cli.facts import facts_of
from rollouts.cli.render import experiment_view, rollout_view
from rollouts.cli.terminal import coloured, plain
from rollouts.cli.tree import rollout_tree
from tests.cli.recorded import RECORDINGS, moment, objects, seen

GOLDEN = Path(__file__).parent / "golden"
NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
ALL = sorted(path.stem for path in RECORDINGS.glob("*.yaml"))
SHOWN = {
    "canary-2": "paused canary",
    "canary-3": "aborted",
    "canary-5": "promoted",
    "canary-6": "deadline exceeded",
    "canary-10": "restarting",
    "analysis-1": "analysis running",
    "analysis-2": "analysis failed",
    "bluegreen-2": "preview waits",
    "bluegreen-3": "old version about to go",
    "experiment-1": "experiment running",
    "invalid-1": "invalid",
    "istio-3": "weights by a router",
    "workloadref-2": "template elsewhere",
}


def golden(name: str, text: str) -> None:
    path = GOLDEN / f"{name}.txt"
    if not path.exists():
        path.write_text(text + "\n")
        pytest.fail(f"{path.name} was missing and has been written: look at it, then run again")
    assert text + "\n" == path.read_text()


@pytest.mark.parametrize("story", SHOWN, ids=[f"{key}: {what}" for key, what in SHOWN.items()])
def test_a_rollout_looks_like_this(story: str) -> None:
    golden(story, plain(rollout_view(seen(story), now=moment(story))))


def test_an_experiment_looks_like_this() -> None:
    golden(
        "experiment-1-itself",
        plain(experiment_view(seen("experiment-1", kind="Experiment"), now=moment("experiment-1"))),
    )


def test_wide_adds_images() -> None:
    lines = plain(rollout_view(seen("canary-2"), now=moment("canary-2"), wide=True)).splitlines()
    assert next(line for line in lines if line.startswith("NAME ")).endswith("IMAGES")
    assert sum(line.endswith("example/app:1") for line in lines) == 5  # the stable ReplicaSet and its four pods


@pytest.mark.parametrize("recording", ALL)
def test_every_pod_replica_set_run_and_experiment_of_a_rollout_is_in_its_tree(recording: str) -> None:
    story = "-".join(recording.split("-")[:2])
    rollout = seen(story).root
    text = plain(rollout_view(seen(story), now=moment(story)))
    sets = {item["metadata"]["uid"] for item in objects(story) if item["kind"] == "ReplicaSet"}
    for item in objects(story):
        owners = {owner["uid"] for owner in item["metadata"].get("ownerReferences") or ()}
        if item["kind"] == "Pod" and not owners & sets:
            continue  # a Job's pod: the Job is shown
        if owners & {rollout["metadata"]["uid"], *sets}:
            assert item["metadata"]["name"] in text


def test_colours_change_nothing_but_colours() -> None:
    lines = rollout_view(seen("canary-6"), now=moment("canary-6"))
    shown = coloured(lines)
    assert "\x1b[31m✖ Degraded\x1b[0m" in shown
    for code in ("0", "1", "2", "31", "32", "33", "36"):
        shown = shown.replace(f"\x1b[{code}m", "")
    assert [line.rstrip() for line in shown.splitlines()] == plain(lines).splitlines()


def test_many_steps_are_shown_around_the_current_one() -> None:
    def change(rollout: dict[str, object]) -> None:
        rollout["spec"]["strategy"]["canary"]["steps"] = [{"setWeight": at} for at in range(1, 31)]  # type: ignore[index]
        rollout["status"]["currentStepIndex"] = 14  # type: ignore[index]

    text = plain(rollout_view(seen("canary-2", change), now=moment("canary-2")))
    (row,) = [line for line in text.splitlines() if line.startswith("  Steps:")]
    assert row.split()[1:3] == ["…10", "more"]
    assert "▸ setWeight: 15" in row
    assert row.endswith("…12 more")


def test_what_changed_is_told_in_lines() -> None:
    now = moment("canary-4") + timedelta(seconds=1)
    before, after = (seen_of(rollout_tree(seen(story), now=now)) for story in ("canary-3", "canary-5"))
    text = plain(changed(before, after, now=now))
    assert "replicaset/app-5f5db89b74  ✔ Healthy  stable" in text
    assert "pod/app-65757c859c-5rf8d  gone" in text
    assert plain(changed(after, after, now=now)) == ""
    assert plain([headline(facts_of(seen("canary-4")), now=NOW)]) == (
        "12:00:00 rollout/app  Paused  step 3/4, weight 60/60, CanaryPauseStep"
    )
