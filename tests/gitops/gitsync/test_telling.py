"""What a forge is told: the words for a Rollout, one status for each commit, and nothing twice. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from rollouts.api import kinds
from rollouts.api.parsing import parse
from rollouts.gitops.forges.values import State, Told
from rollouts.gitops.gitsync import telling
from rollouts.gitops.gitsync.deployments import Release
from rollouts.gitops.gitsync.telling import absorbed, due
from rollouts.gitops.gitsync.values import Facts
from rollouts.gitops.gitsync.words import Words, words
from tests.gitops.gitsync.world import A, B, C, after, at, condition, finding, settled, sync

FORGE = {"provider": "github", "secretRef": {"name": "forge"}}
STEPS = [{"setWeight": 20}, {"pause": {"duration": "10m"}}, {"setWeight": 50}, {"analysis": {}}, {"pause": {}}]


def rollout(index: int | None = None, *, spec: Any = None, generation: int = 3, **status: Any) -> dict[str, Any]:
    known = {"observedGeneration": "3", "phase": "Progressing", "stableRS": "old", "currentPodHash": "new"}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Rollout",
        "metadata": {"name": "web", "namespace": "team", "generation": generation},
        "spec": {"strategy": {"canary": {"steps": STEPS}}, **(spec or {})},
        "status": {**known, **({} if index is None else {"currentStepIndex": index}), **status},
    }


def run(phase: str, *values: tuple[str, str], digest: str = "new", at: str = "1", step: str = "") -> dict[str, Any]:
    measured = [{"phase": judged, "value": value} for judged, value in values]
    return {
        "metadata": {"labels": {"rollouts-pod-template-hash": digest, "step-index": step}, "creationTimestamp": at},
        "status": {"phase": phase, "metricResults": [{"name": "rate", "phase": phase, "measurements": measured}]},
    }


def pause(reason: str) -> dict[str, Any]:
    return {"phase": "Paused", "pauseConditions": [{"reason": reason, "startTime": "2026-01-01T00:00:00Z"}]}


MEASURED = {"analysis": {"templates": [{"templateName": "errors"}, {"templateName": "latency"}]}}
GOOD = run("Successful", ("Successful", "0.97"), ("Successful", "0.98"), step="3")
FAILED = run("Failed", ("Successful", "0.99"), ("Failed", "0.42"), ("Successful", "0.97"))
ABORTED = {"phase": "Degraded", "abort": True, "message": "RolloutAborted: Rollout aborted update to revision 2: x"}


@pytest.mark.parametrize(
    ("body", "runs", "state", "text"),
    [
        (rollout(phase="Healthy", stableRS="new"), [], State.SUCCESS, "web: released"),
        (rollout(0), [], State.PENDING, "web: step 1/5, 20 %"),
        (rollout(1, **pause("CanaryPauseStep")), [], State.PENDING, "web: step 2/5, 20 %, pause: 10m"),
        (rollout(3), [], State.PENDING, "web: step 4/5, 50 %, analysis"),
        (rollout(4, **pause("CanaryPauseStep")), [], State.PENDING, "web: step 5/5, 50 %, waits for a promotion"),
        (
            rollout(4, **pause("CanaryPauseStep")),
            [GOOD, run("Successful", ("Successful", "0.5"), at="9")],
            State.PENDING,
            "web: step 5/5, 50 %, waits for a promotion (rate 0.98)",
        ),
        (
            rollout(3, spec={"strategy": {"canary": {"steps": [*STEPS[:3], MEASURED]}}}),
            [],
            State.PENDING,
            "web: step 4/4, 50 %, analysis errors, latency",
        ),
        (rollout(5), [], State.PENDING, "web: all steps done"),
        (
            rollout(3, canary={"weights": {"canary": {"weight": 35}}}),
            [],
            State.PENDING,
            "web: step 4/5, 35 %, analysis",
        ),
        (rollout(1, spec={"paused": True}), [], State.PENDING, "web: step 2/5, 20 %, paused by a person"),
        (
            rollout(3, **pause("InconclusiveAnalysisRun")),
            [run("Inconclusive", ("Inconclusive", "0.5"))],
            State.PENDING,
            "web: step 4/5, 50 %, rate is inconclusive: 0.5, a person must decide",
        ),
        (rollout(0, **ABORTED), [FAILED], State.FAILURE, "web: aborted, rate failed: 0.42"),
        (
            rollout(0, **ABORTED),
            [run("Failed", ("Failed", "0.9"), digest="older", at="9")],
            State.FAILURE,
            "web: aborted: Rollout aborted update to revision 2: x",
        ),
        (
            rollout(0, **ABORTED),
            [FAILED, run("Error", ("Error", ""), at="2")],
            State.FAILURE,
            "web: aborted, rate had errors",
        ),
        (rollout(phase="Degraded", message="InvalidSpec: no"), [], State.FAILURE, "web: InvalidSpec: no"),
        (
            rollout(spec={"strategy": {"blueGreen": {}}}, **pause("BlueGreenPause")),
            [],
            State.PENDING,
            "web: waits for a promotion",
        ),
        (
            rollout(
                spec={"strategy": {"blueGreen": {}}},
                blueGreen={"postPromotionAnalysisRunStatus": {"status": "Running"}},
            ),
            [],
            State.PENDING,
            "web: analysis after the promotion",
        ),
        (rollout(5, stableRS="new"), [], State.PENDING, "web: waits for its pods"),
    ],
)
def test_words_for_a_rollout(body: dict[str, Any], runs: list[Any], state: State, text: str) -> None:
    said = words(body, runs)
    assert said is not None
    assert (said.state, said.text) == (state, text)


@pytest.mark.parametrize("body", [rollout(0, generation=4), rollout(0, phase=None), rollout(0, observedGeneration="x")])
def test_nothing_is_said_of_a_spec_nobody_has_seen(body: dict[str, Any]) -> None:
    assert words(body) is None


def release(text: str = "", state: State = State.PENDING, *, digest: str = "new", updating: bool = True) -> Release:
    said = Words(state=state, text=text, updating=updating) if text else None
    return Release(name="team/web", digest=digest, words=said)


DONE = release("web: released", State.SUCCESS, updating=False)


def status_at(commit: str, **more: Any) -> dict[str, Any]:
    return {"sync": {"status": "Synced", "revision": commit}, "health": {"status": "Healthy"}, **more}


class Story:
    """What the forge was told, as a GitSync goes on; everything is stored as decisions store it."""

    def __init__(self, **forge: Any) -> None:
        self.sync = parse(kinds.GIT_SYNC, sync(forge={**FORGE, **forge})).model
        self.state: Mapping[str, Any] | None = None

    def then(self, status: Mapping[str, Any], *releases: Release) -> list[tuple[str, str, str]]:
        """Tell what is due; it, and that nothing is due any more."""
        now = {**status, "forge": self.state} if self.state else dict(status)
        bundle = due(self.sync, now, releases)
        self.deployments = bundle.deployments
        made = tuple(replace(row, id=row.id or f"{row.digest}!") for row in bundle.deployments)
        self.state = absorbed(self.sync, now, Told(notes=bundle.notes, deployments=made))
        again = due(self.sync, {**now, "forge": self.state or {}}, releases)
        assert again.empty, "told twice"
        return [(note.revision, note.state.value, note.text) for note in bundle.notes]


def test_a_release_from_the_first_step_to_the_last() -> None:
    story = Story()
    assert story.then(status_at(A), release()) == []
    assert story.then(status_at(A), release("web: step 1/2, 20 %")) == [(A, "pending", "web: step 1/2, 20 %")]
    assert story.then(status_at(A), release("web: step 2/2, 50 %")) == [(A, "pending", "web: step 2/2, 50 %")]
    assert story.then(status_at(A), DONE) == [(A, "success", "applied, everything is healthy")]


def test_pods_that_come_and_go_after_a_success_are_no_news() -> None:
    story = Story()
    story.then(status_at(A), DONE)
    assert story.then(status_at(A), release("web: waits for its pods", updating=False)) == []
    drifted = status_at(A, sync={"status": "OutOfSync", "revision": A}, plan={"waitingFor": "a person"})
    assert story.then(drifted, DONE) == []
    assert story.then(status_at(A), release("web: step 1/2", updating=True)) == [(A, "pending", "web: step 1/2")]
    assert story.then(status_at(A), release("web: aborted", State.FAILURE)) == [(A, "failure", "web: aborted")]


def test_an_abort_is_told_and_stays_when_the_commit_before_comes_back() -> None:
    story = Story()
    hold = {"revision": B, "reason": "RolloutAborted"}
    rejected = [{"revision": B, "rollout": "team/web", "reason": "RolloutAborted: x"}]
    story.then(status_at(B), release("web: step 1/2"))
    bad = release("web: aborted, rate failed: 0.42", State.FAILURE)
    held = status_at(B, hold=hold, rejected=rejected)
    assert story.then(held, bad) == [(B, "failure", "web: aborted, rate failed: 0.42")]
    drifted = {"sync": {"status": "OutOfSync", "revision": B}, "plan": {"waitingFor": "it is held"}}
    assert story.then({**held, **drifted}, bad) == []
    assert story.then(status_at(A, hold=hold, rejected=rejected), DONE) == [
        (A, "success", "applied, everything is healthy")
    ]


def test_why_it_was_aborted_is_told_once() -> None:
    """The run that knew the value is cleaned up later; only another attempt is news."""
    story = Story(deployments=True)
    story.then(status_at(A), release("web: aborted, rate failed: 0.42", State.FAILURE))
    assert story.then(status_at(A), release("web: aborted: Rollout aborted update", State.FAILURE)) == []
    assert story.deployments == ()
    assert story.then(status_at(A), release("web: step 1/2"))
    again = release("web: aborted, rate failed: 0.41", State.FAILURE)
    assert story.then(status_at(A), again) == [(A, "failure", "web: aborted, rate failed: 0.41")]


def test_an_abort_nobody_could_tell_in_time_is_told_later() -> None:
    """The forge was away while the Rollout was aborted, and reverted."""
    story = Story()
    rejected = [{"revision": B, "rollout": "team/web", "reason": "RolloutAborted: x"}]
    now = status_at(A, hold={"revision": B, "reason": "RolloutAborted"}, rejected=rejected)
    assert (B, "failure", "web: RolloutAborted: x") in story.then(now, DONE)


def test_a_rollback_by_a_person_is_told_of_the_commit_that_is_held() -> None:
    story = Story()
    now = status_at(A, hold={"revision": B, "reason": "Rollback", "by": "ann"})
    assert (B, "failure", "rolled back by ann") in story.then(now, DONE)


def test_a_commit_that_was_overtaken_does_not_stay_pending() -> None:
    story = Story()
    story.then(status_at(A), release("web: step 1/2"))
    assert story.then(status_at(B), release("web: step 1/2")) == [
        (A, "superseded", f"superseded by {B[:8]}"),
        (B, "pending", "web: step 1/2"),
    ]


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({"phase": "Error", "message": "app.yaml:3: no\nmore"}, [(C, "failure", "sync failed: app.yaml:3: no")]),
        ({"phase": "Error", "message": "superseded by abc"}, [(C, "superseded", "superseded by abc")]),
        ({"phase": "Succeeded", "message": "applied"}, []),
    ],
)
def test_how_a_pass_went(state: dict[str, Any], told: list[Any]) -> None:
    """The commit could not be compared: the one before is still applied, and nothing new is said of it."""
    now = status_at(A, operationState={**state, "revision": C}, sync={"status": "Unknown", "revision": A})
    assert Story().then(now, DONE) == told


def test_a_failure_that_is_over_is_over() -> None:
    story = Story()
    failed = {"phase": "Failed", "message": "ConfigMap a: no", "revision": A}
    out = {"status": "OutOfSync", "revision": A}
    assert story.then(status_at(A, sync=out, operationState=failed)) == [(A, "failure", "sync failed: ConfigMap a: no")]
    assert story.then(status_at(A, operationState=failed)) == [(A, "success", "applied, everything is healthy")]


def test_what_waits_for_a_person_says_so() -> None:
    waiting = {
        "plan": {"waitingFor": "3 deletions wait to be confirmed"},
        "sync": {"status": "OutOfSync", "revision": A},
    }
    assert Story().then(status_at(A, **waiting)) == [(A, "pending", "3 deletions wait to be confirmed")]


def test_of_several_rollouts_the_worst_speaks() -> None:
    rows = [
        release("a: step 1/2"),
        release("b: waits for its pods", updating=False),
        release("c: aborted", State.FAILURE),
        release("d: step 2/2"),
    ]
    assert Story().then(status_at(A), *rows) == [(A, "failure", "c: aborted")]
    del rows[2]
    assert Story().then(status_at(A), *rows) == [(A, "pending", "a: step 1/2 (and 2 more)")]


@pytest.mark.parametrize(
    ("health", "state", "text"),
    [
        ({"status": "Progressing", "message": "Deployment team/x: 1 of 3"}, "pending", "waits for Deployment team/x"),
        ({"status": "Degraded", "message": "Job team/x: failed"}, "failure", "Job team/x: failed"),
    ],
)
def test_other_objects_count_too(health: dict[str, str], state: str, text: str) -> None:
    assert Story().then(status_at(A, health=health), DONE) == [(A, state, text)]


def test_another_name_is_another_status() -> None:
    story = Story()
    story.then(status_at(A), DONE)
    other = Story(context="prod")
    other.state = story.state
    assert other.then(status_at(A), DONE) == [(A, "success", "applied, everything is healthy")]
    assert telling.context(other.sync) == "prod"
    assert telling.context(story.sync) == "rollouts/team/shop"


def test_only_so_many_commits_are_remembered() -> None:
    story = Story()
    for number in range(30):
        story.then(status_at(f"{number:040x}"), DONE)
    assert story.state is not None
    assert len(story.state["told"]) == telling.KEPT


def test_each_set_of_pods_is_one_deployment() -> None:
    """A commit that leaves the pods alone is none; a release that is overtaken ends."""
    story = Story(deployments=True)
    told: list[list[tuple[str, str, str]]] = []

    def then(commit: str, one: Release) -> None:
        story.then(status_at(commit), one)
        told.append([(row.id, row.revision, row.state.value) for row in story.deployments])

    then(A, release("web: step 1/2", digest="h1"))
    then(A, release("web: step 2/2", digest="h1"))
    then(B, release("web: step 2/2", digest="h1"))
    then(C, release("web: step 1/2", digest="h2"))
    then(C, release("web: released", State.SUCCESS, digest="h2", updating=False))
    then(C, release("web: waits for its pods", digest="h2", updating=False))
    assert told == [
        [("", A, "pending")],
        [("h1!", A, "pending")],
        [],
        [("h1!", A, "superseded"), ("", C, "pending")],
        [("h2!", C, "success")],
        [],
    ]
    assert Story().then(status_at(A), DONE)
    assert story.deployments == ()


def test_what_was_told_is_stored_once_and_a_failure_is_a_condition() -> None:
    obj = after(finding(), obj=sync(forge=FORGE))
    story = Story()
    (note,) = due(story.sync, obj["status"], [DONE]).notes
    told = Told(notes=(note,), error="git.example answers 401")
    obj, _ = settled(obj, Facts(looked_at=at(1), told=told), now=at(2))
    assert condition(obj, "ForgeReady") == ("False", "ForgeFailed")
    assert condition(obj, "Ready") == ("True", "Synced")
    assert due(story.sync, obj["status"], [DONE]).empty
    obj, _ = settled(obj, Facts(looked_at=at(1), told=Told()), now=at(3))
    assert condition(obj, "ForgeReady") == ("True", "Told")
    obj["spec"].pop("forge")
    obj, _ = settled(obj, Facts(looked_at=at(1)), now=at(4))
    assert "forge" not in obj["status"]
    assert condition(obj, "ForgeReady") == ("", "")
